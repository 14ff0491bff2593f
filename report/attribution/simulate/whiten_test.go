package simulate

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The banded factor is that of the whole matrix.
func TestFactor(t *testing.T) {
	const rows = 7
	c := [band + 1]float64{2, -0.7, 0.1}
	full := mat.NewSymDense(rows, nil)
	for i := range rows {
		for j := i; j <= min(i+band, rows-1); j++ {
			full.SetSym(i, j, c[j-i])
		}
	}
	var known mat.Cholesky
	if !known.Factorize(full) {
		t.Fatal("not positive definite")
	}
	var want mat.TriDense
	known.LTo(&want)
	for k, row := range factor(c, rows) {
		for lag := 0; lag <= min(band, k); lag++ {
			if math.Abs(row[lag]-want.At(k, k-lag)) > 1e-12 {
				t.Errorf("row %d, %d to the left: %v, want %v", k, lag, row[lag], want.At(k, k-lag))
			}
		}
	}
}
