package simulate

import (
	"math/rand/v2"

	"github.com/energyprof/energyprof/report/attribution"
)

// readTimes are when readings are stamped, and of what time the value is that
// the counter shows.
type readTimes struct{ stamps, shows []int64 }

func (in *Instruments) times(rng *rand.Rand, from, to int64) readTimes {
	var t readTimes
	every := int64(in.ReadEvery)
	phase := int64(0) // of the grid
	if in.Grid > 0 {
		phase = rng.Int64N(int64(in.Grid))
	}
	for k := from; ; k += every {
		at, last := k, k+every > to
		if last {
			at = to
		}
		stamp := at
		if k > from && !last {
			// Never so far that two readings change places.
			at += clip(rng.NormFloat64()*float64(in.ReadJitter), every*2/5)
			stamp = at + clip(rng.NormFloat64()*float64(in.StampError), every/20)
			if rng.Float64() < in.Missing {
				continue
			}
		}
		show := at - int64(in.Lag)
		if in.Grid > 0 {
			show -= (show + phase) % int64(in.Grid)
		}
		t.stamps, t.shows = append(t.stamps, stamp), append(t.shows, max(0, show))
		if last {
			return t
		}
	}
}

func clip(v float64, limit int64) int64 {
	return max(-limit, min(limit, int64(v)))
}

// read is what the instrument makes of the true energy.
func (in *Instruments) read(rng *rand.Rand, stamps []int64, joules []float64, unit float64) []Reading {
	out := make([]Reading, len(stamps))
	var sum, last float64
	for i, t := range stamps {
		if i > 0 {
			sum += (joules[i] - joules[i-1]) * max(0, 1+in.Noise*rng.NormFloat64())
		}
		shown := sum
		if in.ReadNoise > 0 {
			shown += in.ReadNoise * rng.NormFloat64()
		}
		if unit > 0 {
			shown = unit * float64(int64(shown/unit))
		}
		last = max(last, shown)
		out[i] = Reading{t, last}
	}
	return out
}

// sample takes the samples of every CPU, and the windows of other processes.
func (tr *Trace) sample(seed uint64) {
	period := 1e9 / tr.Instruments.Hertz
	until := lead + int64(tr.Instruments.Duration) + tail
	tr.Stretches = make([]Stretch, 0, int(float64(until)/period*1.02)*len(tr.runs))
	for cpu, runs := range tr.runs {
		s := sampler{
			tr: tr, cpu: int32(cpu), runs: runs, period: int64(period + 0.5),
			rng: source(seed, streamSamples, cpu),
		}
		s.throttles = tr.Instruments.throttles(source(seed, streamThrottle, cpu), until)
		s.sample(period, until)
		s.others(until)
	}
	sortStretches(tr.Stretches)
}

// lose books CPU time of a function whose sample was lost, where it belongs to
// the recording.
func (tr *Trace) lose(cpu, function int32, t int64, seconds float64) {
	if from, to := tr.span(); t <= from || t > to {
		return
	}
	for i, s := range tr.Series {
		if s.CPUs[0] <= int(cpu) && int(cpu) <= s.CPUs[len(s.CPUs)-1] {
			tr.Truth.Series[i].Functions[function].LostSeconds += seconds
		}
	}
}

// throttles are the stretches in which sampling stops.
func (in *Instruments) throttles(rng *rand.Rand, until int64) []run {
	if in.ThrottleEvery == 0 || in.ThrottleLength == 0 {
		return nil
	}
	var out []run
	for t := int64(0); ; {
		from := t + int64(rng.ExpFloat64()*float64(in.ThrottleEvery))
		if from+int64(in.ThrottleLength) > until {
			return out
		}
		t = from + int64(in.ThrottleLength)
		out = append(out, run{from: from, to: t})
	}
}

type sampler struct {
	tr        *Trace
	cpu       int32
	runs      []run
	throttles []run
	period    int64
	rng       *rand.Rand
}

func (s *sampler) sample(period float64, until int64) {
	in := &s.tr.Instruments
	alternate := s.tr.Machine.alternates()
	put := func(key int32, from, to int64, weight float64) {
		s.tr.Stretches = append(s.tr.Stretches, Stretch{from, to, weight, s.cpu, attribution.Key(key)})
	}
	phase := s.rng.Float64() * period
	r, th := 0, 0
	for k := 0; ; k++ {
		nominal := phase + float64(k)*period
		t := int64(nominal)
		if in.SampleJitter > 0 {
			t += min(int64(s.rng.ExpFloat64()*float64(in.SampleJitter)), s.period*9/10)
		}
		if t >= until {
			break
		}
		for th < len(s.throttles) && s.throttles[th].to <= t {
			if !in.Silent {
				put(int32(attribution.KeyLost), s.throttles[th].from, s.throttles[th].to, float64(s.throttles[th].to-s.throttles[th].from))
			}
			th++
		}
		throttled := th < len(s.throttles) && s.throttles[th].from <= t
		for r < len(s.runs) && s.runs[r].to <= t {
			r++
		}
		if r == len(s.runs) || s.runs[r].from > t {
			continue // idle
		}
		f := s.runs[r].function
		if s.tr.Machine.Functions[f].Other {
			continue
		}
		if a, ok := alternate[f]; ok && s.rng.Float64() < a.Part {
			f = int32(a.With)
		}
		if throttled || in.Lost > 0 && s.rng.Float64() < in.Lost {
			if in.Silent {
				continue
			}
			s.tr.lose(s.cpu, f, t, float64(s.period)/1e9)
			if throttled {
				continue // booked as a stretch
			}
			f = int32(attribution.KeyLost)
		}
		put(f, max(0, t-s.period), t, float64(s.period))
	}
}

// others books the CPU time of what is not sampled, window by window.
func (s *sampler) others(until int64) {
	every := int64(s.tr.Instruments.OthersEvery)
	if every == 0 {
		every = 1 << 22
	}
	var ns, from int64
	flush := func() {
		if ns > 0 {
			s.tr.Stretches = append(s.tr.Stretches, Stretch{from, min(from+every, until), float64(ns), s.cpu, attribution.KeyOther})
		}
		ns = 0
	}
	for _, r := range s.runs {
		if !s.tr.Machine.Functions[r.function].Other {
			continue
		}
		for t := r.from; t < r.to; {
			for t >= from+every {
				flush()
				from += every
			}
			end := min(r.to, from+every)
			ns += end - t
			t = end
		}
	}
	flush()
}
