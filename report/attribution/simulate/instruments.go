package simulate

import "time"

// Instruments are the energy counters and the sampling clock, and their errors.
// The zero value of every error is none.
type Instruments struct {
	Duration time.Duration // of the recording, from the first reading to the last

	// ReadEvery is the time between readings. ReadJitter is the standard
	// deviation of when a reading is really taken, which its stamp knows;
	// StampError that of the stamp from it, which nobody knows.
	ReadEvery, ReadJitter, StampError time.Duration

	// Lag is how old the value of a counter is. Grid is the time between
	// updates of the counter: a reading shows the value at the last one. The
	// grids of packages are out of step.
	Lag, Grid time.Duration

	Unit, DRAMUnit float64 // J, of the counters; 0 is none
	Noise          float64 // standard deviation of the factor on the energy between two readings
	ReadNoise      float64 // J, standard deviation of each reading
	Missing        float64 // share of readings that are missing

	DRAM bool // the memory has counters too

	// Hertz is the rate of samples on each CPU, by clock: a sample says what
	// runs and stands for the period before it. The CPUs are out of step.
	// SampleJitter is the mean delay of a sample, exponentially distributed.
	Hertz        float64
	SampleJitter time.Duration

	// Lost is the share of samples that are lost, each by itself. They are
	// booked as attribution.KeyLost, or not at all where Silent.
	Lost   float64
	Silent bool

	// Sampling stops on a CPU about every ThrottleEvery for ThrottleLength,
	// which is booked as attribution.KeyLost whatever ran. 0 is never.
	ThrottleEvery, ThrottleLength time.Duration

	// OthersEvery is the length of the windows in which the CPU time of
	// processes that are not sampled is known; 0 is 2^22 ns (4.2 ms), as the
	// account of context switches has it. They do not begin with a reading.
	OthersEvery time.Duration
}

// Typical is 15 s of RAPL at 100 Hz and samples at 997 Hz with no error but the
// lag of 1 ms and the unit of 61 uJ (2^-14 J; DRAM 2^-16 J) that Intel's
// counters have (SDM volume 4, MSR_RAPL_POWER_UNIT).
func Typical() Instruments {
	return Instruments{
		Duration: 15 * time.Second, ReadEvery: 10 * time.Millisecond,
		Lag: time.Millisecond, Unit: 1. / (1 << 14), DRAMUnit: 1. / (1 << 16), Hertz: 997,
	}
}

func (in *Instruments) check() error {
	for _, d := range []time.Duration{in.ReadJitter, in.StampError, in.Lag, in.Grid, in.SampleJitter, in.ThrottleEvery, in.ThrottleLength, in.OthersEvery} {
		if d < 0 || d > time.Hour {
			return invalid("a time of %v in %+v", d, *in)
		}
	}
	switch {
	case in.ReadEvery <= 0 || in.Duration < in.ReadEvery:
		return invalid("readings every %v for %v", in.ReadEvery, in.Duration)
	case !(in.Unit >= 0 && in.DRAMUnit >= 0 && in.Noise >= 0 && in.ReadNoise >= 0):
		return invalid("units of %v and %v J, noise %v and %v J", in.Unit, in.DRAMUnit, in.Noise, in.ReadNoise)
	case !(in.Missing >= 0 && in.Missing <= 1 && in.Lost >= 0 && in.Lost <= 1):
		return invalid("%v of readings missing, %v of samples lost", in.Missing, in.Lost)
	case !(in.Hertz > 0 && in.Hertz <= 1e6):
		return invalid("samples at %v Hz", in.Hertz)
	}
	return nil
}
