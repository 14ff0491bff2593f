package attribution

// Result is the energy of a recording, shared out.
type Result struct {
	Method Method         // that was used in the end: never Auto
	Series []SeriesResult // in the order given to New
	// UncoveredSeconds is CPU time on CPUs that belong to no series.
	UncoveredSeconds float64
	// Validation is nil without a regression, or with too few intervals for one.
	// It is that of the method, over the series that a regression was made of.
	Validation *Validation
	// Notes say what could not be told, and what a reader must know of the model, one sentence each.
	Notes []string
}

// Validation is how well powers fitted on one half of a recording predict the
// energy of the other half's intervals: root mean square over mean energy, for the
// regression and for sharing by CPU time on the same intervals.
type Validation struct {
	Error, ShareError float64
}

// FunctionPower is what a regression found out about a function in one series.
type FunctionPower struct {
	Seconds float64 // CPU time, as Busy was told it, within the readings
	Joules  float64 // of its own time: the sum of ByKey over its keys
	// Low and High are the 95 % interval of Joules: of the function when Group is
	// negative, else of its share, by CPU time, in those of its group.
	Low, High float64
	Watts     float64 // Joules per second of CPU time
	// Group is negative for a function that was told apart; functions of equal
	// Group in a series share one power there, with each other, with KeyOther or
	// with KeyLost, since their intervals do not tell them apart.
	Group int32
}

// SeriesResult is one series, shared out. The parts ByKey, Baseline, Active,
// Other, Lost, Unattributed and Idle are joules, none is negative, and they add
// up to Joules within 1e-9 of it.
type SeriesResult struct {
	Series
	Joules  float64 // last reading - first reading; 0 with fewer than two
	Seconds float64 // from the first reading to the last

	ByKey        []float64 // index = key; as long for every series, up to the largest key seen
	Baseline     float64   // static power
	Active       float64   // regression: what any running CPU costs; 0 where that is not told apart
	Other        float64   // KeyOther: processes that were not sampled
	Lost         float64   // KeyLost: samples that were lost
	Unattributed float64   // energy that nothing explains
	Idle         float64   // method share: CPU time that nobody used

	// Functions is by function id (see Options.Function), nil without a regression.
	Functions []FunctionPower

	BaselineWatts  float64 // as given or fitted; of a regression no more than there was
	BaselineFitted bool    // by a regression
	ActiveWatts    float64 // while any CPU runs; 0 where it is not told apart
	BusySeconds    float64 // CPU time of all keys within the readings
	OutsideSeconds float64 // CPU time before the first or after the last reading, or late: it earned no joules
}

// result collects a series whose readings are all shared out.
func (t *track) result(keys int) SeriesResult {
	r := SeriesResult{
		Series:        t.Series,
		Joules:        t.last.joules - t.first.joules,
		Seconds:       float64(t.last.t-t.first.t) / 1e9,
		ByKey:         make([]float64, keys),
		Baseline:      t.baseline,
		Idle:          t.idle,
		BaselineWatts: t.watts,
		BusySeconds:   t.busy / 1e9,
		// What waits for a reading that never came is outside.
		OutsideSeconds: (t.outside + t.open.total) / 1e9,
	}
	for i, joules := range t.byKey {
		switch key := Key(i - keyShift); key {
		case KeyOther:
			r.Other = joules
		case KeyLost:
			r.Lost = joules
		default:
			r.ByKey[key] = joules
		}
	}
	return r
}
