package gate

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestCritical(t *testing.T) {
	for _, df := range []float64{1, 1.7, 2, 4, 9.3, 38, 400} {
		for _, p := range []float64{0.4, 0.025, 0.005, 1e-4, 1e-7} {
			got, want := critical(p, df), -distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(p)
			if math.Abs(got/want-1) > 1e-6 {
				t.Errorf("critical(%v, %v) = %v, want %v", p, df, got, want)
			}
		}
	}
}

// The quadrature against gonum's noncentral t.
func TestFound(t *testing.T) {
	for _, df := range []float64{4, 20, 74} {
		for _, delta := range []float64{2, 4, 6} {
			c := critical(0.005, df)
			got, want := found(delta, c, df), 1-distuv.NoncentralT{Nu: df, Mu: delta}.CDF(c)
			if math.Abs(got-want) > 0.002 {
				t.Errorf("a difference of %v standard errors is found with %v and %v degrees of freedom, want %v", delta, got, df, want)
			}
		}
	}
}

// What is detectable is found by other runs, whose noise is estimated anew.
func TestDetectable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	variance := func(n int) float64 {
		sum := 0.0
		for range n - 1 {
			z := rng.NormFloat64()
			sum += z * z
		}
		return sum / float64(n-1)
	}
	for _, runs := range [][2]int{{3, 3}, {5, 5}, {20, 20}, {20, 5}, {10, 0}} {
		for _, p := range []float64{0.005, 1e-4} {
			const times = 4000
			k, good := design{runs, p, 0.95}.detectable(), 0
			exact, _ := welch([2]float64{1, 1}, runs)
			estimate := func() (se, df float64) {
				var v [2]float64
				for i, n := range runs {
					if n > 0 {
						v[i] = variance(n)
					}
				}
				return welch(v, runs)
			}
			for range times {
				first, _ := estimate()
				se, df := estimate()
				if k*first+exact*rng.NormFloat64() > se*critical(p, df) {
					good++
				}
			}
			if part := float64(good) / times; part < 0.95 || part > 0.985 {
				t.Errorf("%v runs, p = %v: a change of %.1f standard errors is found in %.1f %% of %d, want 95 to 98.5", runs, p, k, 100*part, times)
			}
		}
	}
}
