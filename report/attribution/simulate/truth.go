package simulate

// Truth is where the energy of a recording went, between its first reading and
// its last. For each series Baseline, Active and the joules of all functions
// add up to Joules.
type Truth struct {
	Series []SeriesTruth // as Trace.Series
}

// SeriesTruth is the truth of one energy counter.
type SeriesTruth struct {
	Joules    float64
	Baseline  float64 // static power
	Active    float64 // while any CPU ran
	Functions []FunctionTruth
	// BaselineWatts is the mean static power, ActiveSeconds how long any CPU ran.
	BaselineWatts, ActiveSeconds float64
}

// FunctionTruth is one function on the CPUs of a series.
type FunctionTruth struct {
	Seconds float64 // of CPU time
	Joules  float64
	// LostSeconds is the part of Seconds whose samples were lost and booked as
	// lost: a profiler gives its joules to attribution.KeyLost.
	LostSeconds float64
}

// difference is the truth since the state base, when mt.truth was zero.
func (mt *meter) difference(base *meter) (pkg, memory SeriesTruth) {
	seconds := float64(mt.now-base.now) / 1e9
	pkg.Joules, memory.Joules = mt.joules-base.joules, mt.dramJoules-base.dramJoules
	pkg.Baseline, memory.Baseline = mt.p.static(mt.now)-mt.p.static(base.now), mt.p.DRAMStatic*seconds
	pkg.ActiveSeconds = (mt.active - base.active) / 1e9
	memory.ActiveSeconds = pkg.ActiveSeconds
	pkg.Active = mt.p.Active * pkg.ActiveSeconds
	pkg.BaselineWatts, memory.BaselineWatts = pkg.Baseline/seconds, mt.p.DRAMStatic
	for _, f := range mt.truth {
		pkg.Functions = append(pkg.Functions, FunctionTruth{Seconds: f.ns / 1e9, Joules: f.joules})
		memory.Functions = append(memory.Functions, FunctionTruth{Seconds: f.ns / 1e9, Joules: f.dram})
	}
	return pkg, memory
}
