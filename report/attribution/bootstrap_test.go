package attribution

import (
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Two functions that ran in one block each are in less than half of the drawn
// recordings together. The errors of the others must come of the draws all the same.
func TestBootstrapOfRare(t *testing.T) {
	const rows, unset = 128, -1
	p := &problem{n: 4, x: make([]float64, rows*4), blocks: maxBlocks, noise: mat.NewSymDense(4, nil), span: rows}
	f := &fit{problem: p, free: []bool{true, true, true, true}}
	for k := range rows {
		x := p.x[k*4:]
		x[0], x[1] = 1./rows, float64(k%7)/378
		switch k {
		case 4:
			x[2] = 1
		case 90:
			x[3] = 1
		}
		y := 128*x[0] + 100*x[1] + x[2] + 2*x[3] + 0.01*float64(k*k%5)
		p.y, p.seconds = append(p.y, y), append(p.seconds, 1)
		p.energy += y
		f.weight = append(f.weight, 1)
	}
	f.assemble()
	sd := f.bootstrap([]float64{unset, unset, unset, unset})
	for j, s := range sd {
		if !(s > 0 && s < 1) {
			t.Errorf("term %d has a standard error of %v J, want one above 0 and below 1 J", j, s)
		}
	}
	// In none of the draws.
	f.free[3] = false
	if sd = f.bootstrap([]float64{unset, unset, unset, 7}); sd[3] != 7 || !(sd[0] > 0) {
		t.Errorf("standard errors %v, want 7 J for the term that is held at 0 and others above 0", sd)
	}
}

// A rare function of whose squares two fifths are error of sampling ran in a few blocks. Where
// few of these are drawn, its squares must not be less than the errors that are taken out
// of them: a single such draw in hundreds made the errors of all functions useless.
func TestBootstrapOfRareInErrors(t *testing.T) {
	const rows, rare = 640, 2
	errors := func(noise float64) []float64 {
		p := &problem{n: 3, x: make([]float64, rows*3), blocks: maxBlocks, noise: mat.NewSymDense(3, nil), span: rows}
		f := &fit{problem: p, free: []bool{true, true, true}}
		var squares float64
		for k := range rows {
			x := p.x[k*3:]
			x[0], x[1] = 1./rows, float64(k%7)/1914
			if k%83 < 3 {
				x[rare] = float64(1+k%5) / 70
			}
			squares += x[rare] * x[rare]
			y := 6400*x[0] + 1000*x[1] + 3*x[rare] + 0.5*float64(k*k%5) - 0.5
			p.y, p.seconds = append(p.y, y), append(p.seconds, 1)
			p.energy += y
			f.weight = append(f.weight, 1)
		}
		p.noise.SetSym(rare, rare, noise*squares)
		f.assemble()
		return f.bootstrap(make([]float64, 3))
	}
	plain := errors(0)
	for j, s := range errors(0.4) {
		// Without two fifths of its squares the rare one errs 1/0.6 times as much.
		if limit := 2 * plain[j]; !(s > 0 && s < limit) {
			t.Errorf("term %d has a standard error of %v J, want one above 0 and below %v J, twice what it is without errors of the columns", j, s, limit)
		}
	}
}
