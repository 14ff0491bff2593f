package gate

import (
	"errors"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"
	"pgregory.net/rapid"
)

// program makes n runs of a program whose functions take 1, 2, 3... s at 10 W, with relative noise; seconds and watts are
// by how much the function f1 takes more.
func program(rng *rand.Rand, n int, noise, seconds, watts float64) []Run {
	runs := make([]Run, n)
	for i := range runs {
		r := Run{Functions: map[Key]Amount{}, Total: Amount{Cycles: math.NaN()}}
		for f, name := range []string{"f0", "f1", "f2"} {
			a := Amount{Seconds: float64(f+1) * (1 + noise*rng.NormFloat64()), Cycles: math.NaN()}
			power := 10.0
			if f == 1 {
				a.Seconds *= seconds
				power *= watts
			}
			a.Joules = a.Seconds * power * (1 + noise*rng.NormFloat64())
			r.Functions[Key{name, "program"}] = a
			r.Total.Seconds += a.Seconds
			r.Total.Joules += a.Joules
		}
		r.Elapsed = r.Total.Seconds
		runs[i] = r
	}
	return runs
}

func generator() *rand.Rand { return rand.New(rand.NewPCG(7, 2)) }

func TestBecause(t *testing.T) {
	for _, c := range []struct {
		seconds, watts float64
		want           string
	}{{1.3, 1, "time"}, {1, 1.3, "power"}, {1.3, 1.3, "both"}, {1, 1, ""}} {
		rng := generator()
		got, err := Compare(program(rng, 12, 0.02, 1, 1), program(rng, 12, 0.02, c.seconds, c.watts), DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got.Functions {
			want := ""
			if f.Name == "f1" {
				want = c.want
			}
			if f.Named != (want != "") || f.Because != want {
				t.Errorf("%v s, %v W: %v is named %v because of %q, want %q", c.seconds, c.watts, f.Key, f.Named, f.Because, want)
			}
			if sum, diff := f.TimePart+f.PowerPart, f.Energy.New-f.Energy.Old; math.Abs(sum-diff) > 1e-9 {
				t.Errorf("%v: parts add up to %v J of %v J", f.Key, sum, diff)
			}
		}
		if got.Functions[0].Name != "f1" && c.want != "" {
			t.Errorf("%v comes first, want the largest difference", got.Functions[0].Key)
		}
		if got.Because != c.want {
			t.Errorf("%v s, %v W: the total changed because of %q, want %q", c.seconds, c.watts, got.Because, c.want)
		}
	}
}

// 10 s x 10 W to 20 s x 5 W: as many joules, of which time adds what power takes.
func TestParts(t *testing.T) {
	for _, c := range []struct{ s0, w0, s1, w1, time, power float64 }{
		{10, 10, 20, 10, 100, 0},
		{10, 10, 10, 20, 0, 100},
		{10, 10, 20, 5, 100 * math.Ln2, -100 * math.Ln2},
		{10, 10, 20, 20, 150, 150},
	} {
		time, power := parts(Change{Old: c.s0 * c.w0, New: c.s1 * c.w1}, Change{Old: c.s0, New: c.s1})
		if math.Abs(time-c.time) > 1e-9 || math.Abs(power-c.power) > 1e-9 {
			t.Errorf("%+v: time's part %v J, power's %v J", c, time, power)
		}
	}
}

// Of two plain samples benchmath's t test has the same p-value, and its test without assumptions the same opinion.
func TestBenchmath(t *testing.T) {
	rng := generator()
	for range 20 {
		change := 1 + 0.2*rng.Float64()
		old, new := make([]Run, 10), make([]Run, 12)
		logs := func(runs []Run, by float64) *benchmath.Sample {
			var logs []float64
			for i := range runs {
				seconds := by * math.Exp(0.05*rng.NormFloat64())
				runs[i].Total = Amount{Seconds: seconds, Cycles: math.NaN()}
				logs = append(logs, math.Log(seconds))
			}
			return benchmath.NewSample(logs, &benchmath.DefaultThresholds)
		}
		a, b := logs(old, 1), logs(new, change)
		opt := DefaultOptions()
		opt.Energy = false
		got, err := Compare(old, new, opt)
		if err != nil {
			t.Fatal(err)
		}
		p := got.Totals[0].P
		// Below what 10 and 12 runs show by their order alone, P believes in no noise below 3 %.
		if want := benchmath.AssumeNormal.Compare(a, b).P; want > 4e-6 && math.Abs(p-want) > 1e-6*want {
			t.Errorf("p = %v, benchmath's t test has %v", p, want)
		}
		// The ranks of 10 and 12 runs say less than their values, but not much.
		if u := benchmath.AssumeNothing.Compare(a, b).P; p < 1e-4 && u > 0.01 || p > 0.2 && u < 0.02 {
			t.Errorf("p = %v, benchmath's U test has %v", p, u)
		}
		centre := math.Exp(benchmath.AssumeNothing.Summary(b, 0.95).Center)
		if math.Abs(got.Totals[0].New/centre-1) > 0.05 {
			t.Errorf("new is %v s, benchmath's median %v s", got.Totals[0].New, centre)
		}
	}
}

func TestHolm(t *testing.T) {
	p := []float64{0.01, 0.04, 0.03, 0.005, 0.9}
	var at []*float64
	for i := range p {
		at = append(at, &p[i])
	}
	holm(at)
	for i, want := range []float64{0.04, 0.09, 0.09, 0.025, 0.9} {
		if math.Abs(p[i]-want) > 1e-12 {
			t.Errorf("test %d has %v, want %v", i, p[i], want)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		noise, change, limit float64
		functions, want      int
	}{
		{0.05, 0.10, 0, 1, 12}, {0.05, 0.10, 0, 50, 20}, {0.05, 0.10, 0.05, 1, 38}, {0.05, 0.10, 0.05, 50, 66},
		{0.3, 0.10, 0.05, 50, -1}, {0, 0.5, 0, 1, 3},
		// Nothing changes: how many runs pass a limit of +5 %.
		{0.05, 0, 0.05, 1, 40},
	} {
		got, err := Plan(c.noise, c.change, c.limit, c.functions)
		if err != nil || got != c.want {
			t.Errorf("Plan(%v, %v, %v, %d) = %d, %v, want %d", c.noise, c.change, c.limit, c.functions, got, err, c.want)
		}
	}
	for _, c := range [][4]float64{{-1, 0.1, 0, 1}, {0.05, 0.1, 0.1, 1}, {0.05, 0.1, 0, 0}, {0.05, math.NaN(), 0, 1}, {0.05, 0.1, -1, 1}} {
		if n, err := Plan(c[0], c[1], c[2], int(c[3])); !errors.Is(err, ErrOptions) {
			t.Errorf("Plan(%v) = %d, %v, want an error", c, n, err)
		}
	}
}

func limit(q Quantity, function string, most float64) Options {
	opt := DefaultOptions()
	l := Limit{Quantity: q, Max: most}
	if function != "" {
		l.Function = regexp.MustCompile(function)
	}
	opt.Limits = []Limit{l}
	return opt
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name           string
		runs           int
		noise          float64
		seconds, watts float64
		opt            Options
		want           Decision
		because        string
		named          bool
	}{
		{"a function's power", 12, 0.02, 1, 1.3, limit(Energy, "^f1$", 0.1), Fail, "power", true},
		{"a function's time", 12, 0.02, 1.3, 1, limit(Energy, "^f1$", 0.1), Fail, "time", true},
		{"the total's energy", 12, 0.02, 1.3, 1, limit(Energy, "", 0.05), Fail, "time", true},
		{"all functions", 12, 0.02, 1, 1, limit(Time, ".", 0.1), Pass, "", false},
		{"time is kept", 12, 0.02, 1, 1.3, limit(Time, "^f1$", 0.1), Pass, "", false},
		{"noise", 12, 0.2, 1.3, 1, limit(Energy, "^f1$", 0.1), Undecided, "", false},
		{"few runs", 3, 0.05, 1, 1, limit(Energy, "", 0.05), Undecided, "", false},
		{"two runs", 2, 0.001, 1, 1, limit(Energy, "", 0.5), Undecided, "", false},
		{"no match", 12, 0.01, 1, 1, limit(Energy, "^g", 0.5), Undecided, "", false},
	} {
		rng := generator()
		r, err := Check(program(rng, c.runs, c.noise, 1, 1), program(rng, c.runs, c.noise, c.seconds, c.watts), c.opt)
		if err != nil {
			t.Fatal(err)
		}
		if r.Decision() != c.want {
			t.Errorf("%s: %v, want %v: %+v", c.name, r.Decision(), c.want, r.Verdicts)
		}
		named := false
		for _, f := range r.Functions {
			named = named || f.Named && f.Name == "f1"
			if f.Named && f.Name != "f1" {
				t.Errorf("%s: %v is named", c.name, f.Key)
			}
		}
		if named != c.named {
			t.Errorf("%s: f1 is named: %v, want %v", c.name, named, c.named)
		}
		for _, v := range r.Verdicts {
			if (v.MoreRuns == 0) != (v.Decision != Undecided) {
				t.Errorf("%s: %v with %d more runs", c.name, v.Decision, v.MoreRuns)
			}
			if v.Because != c.because {
				t.Errorf("%s: because of %q, want %q", c.name, v.Because, c.because)
			}
			if c.runs >= MinRuns && !(v.Detectable > v.Limit.Max) {
				t.Errorf("%s: %+g is detectable above a limit of %+g", c.name, v.Detectable, v.Limit.Max)
			}
		}
	}
}

// The runs that an undecided check asks for decide it.
func TestMoreRuns(t *testing.T) {
	opt := limit(Energy, "", 0.05)
	decided := 0
	const times = 100
	for i := range times {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		// The noise of the total is some 3 %.
		old, new := program(rng, 4, 0.03, 1, 1), program(rng, 4, 0.03, 1.5, 1)
		r, err := Check(old, new, opt)
		if err != nil {
			t.Fatal(err)
		}
		if v := r.Verdicts[0]; v.Decision == Undecided {
			old = append(old, program(rng, v.MoreRuns, 0.03, 1, 1)...)
			new = append(new, program(rng, v.MoreRuns, 0.03, 1.5, 1)...)
			if r, err = Check(old, new, opt); err != nil {
				t.Fatal(err)
			}
		}
		if r.Decision() == Fail {
			decided++
		}
	}
	if decided < times*8/10 { // of 4 runs the noise and the change may seem more favourable than they are
		t.Errorf("%d of %d checks are decided with the runs they ask for", decided, times)
	}
}

// A machine that gets slower and slower: pairs do not mind.
func TestPaired(t *testing.T) {
	rng := generator()
	old, new := program(rng, 10, 0.005, 1, 1), program(rng, 10, 0.005, 1.1, 1)
	for i := range old {
		for _, r := range []*Run{&old[i], &new[i]} {
			slower := 1 + 0.1*float64(i)
			r.Elapsed *= slower
			r.Total.Seconds *= slower
			r.Total.Joules *= slower
			for k, a := range r.Functions {
				r.Functions[k] = Amount{a.Seconds * slower, a.Joules * slower, a.Cycles}
			}
		}
	}
	for _, paired := range []bool{false, true} {
		opt := DefaultOptions()
		opt.Paired = paired
		c, err := Compare(old, new, opt)
		if err != nil {
			t.Fatal(err)
		}
		if c.Functions[0].Name != "f1" || c.Functions[0].Named != paired {
			t.Errorf("paired %v: %v is named: %v", paired, c.Functions[0].Key, c.Functions[0].Named)
		}
	}
}

func TestOneSide(t *testing.T) {
	amount := func(j float64) Amount { return Amount{Seconds: j / 10, Joules: j} }
	run := func(functions map[Key]Amount) Run {
		return Run{Elapsed: 1, Total: Amount{Seconds: 1, Joules: 100}, Functions: functions}
	}
	var old, new []Run
	for i := range 4 {
		o := map[Key]Amount{{"was", "lib"}: amount(10), {"gone", "lib"}: amount(3), {"same", "lib"}: amount(20), {"tiny", "lib"}: amount(0.01)}
		n := map[Key]Amount{{"is", "lib"}: amount(11), {"other", "elsewhere"}: amount(3), {"same", "lib"}: amount(20)}
		if i%2 == 0 { // comes and goes
			o[Key{"rare", "lib"}], n[Key{"rare", "lib"}] = amount(5), amount(5)
		}
		old, new = append(old, run(o)), append(new, run(n))
	}
	c, err := Compare(old, new, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	say := func(s []Single) string {
		var names []string
		for _, v := range s {
			name := v.Name
			if v.Maybe != nil {
				name += "=" + v.Maybe.Name
			}
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	if got := say(c.Removed) + " / " + say(c.Added); got != "was=is gone / is=was other" {
		t.Errorf("removed / added: %s", got)
	}
	if len(c.Functions) != 1 || c.Functions[0].Name != "same" || c.Functions[0].Named || c.Small != 2 {
		t.Errorf("tested: %+v, small: %d, want same alone and 2", c.Functions, c.Small)
	}
}

func TestFewRuns(t *testing.T) {
	rng := generator()
	for n := 1; n <= 2; n++ {
		c, err := Compare(program(rng, n, 0.01, 1, 1), program(rng, 5, 0.01, 2, 1), DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range append(c.Totals, c.Functions[0].Energy) {
			if !math.IsNaN(ch.P) || !math.IsNaN(ch.Low) || ch.Significant || !math.IsInf(ch.Detectable, 1) || !(ch.Ratio > 0) {
				t.Errorf("%d runs: %+v, want a ratio and no more", n, ch)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	good := func() []Run { return program(generator(), 5, 0.01, 1, 1) }
	for _, c := range []struct {
		name   string
		change func(old, new *[]Run, opt *Options)
		is     error
		says   string
	}{
		{"empty", func(old, _ *[]Run, _ *Options) { *old = nil }, ErrNoRuns, "gate: old: no runs"},
		{"one run", func(old, _ *[]Run, _ *Options) { *old = (*old)[:1] }, ErrOneRun, "gate: a baseline of one run"},
		{"NaN", func(_, new *[]Run, _ *Options) { (*new)[1].Total.Joules = math.NaN() }, ErrAmount, "gate: new run 2: total: energy: NaN J"},
		{"no energy", func(_, new *[]Run, _ *Options) { (*new)[1].Total.Joules = 0 }, ErrAmount, "gate: new run 2: total: energy: 0 J"},
		{"negative", func(old, _ *[]Run, _ *Options) { (*old)[0].Functions[Key{"f1", "program"}] = Amount{Seconds: -1} }, ErrAmount, "gate: old run 1: function f1 (program): CPU time: -1 s"},
		{"elapsed", func(old, _ *[]Run, _ *Options) { (*old)[2].Elapsed = math.Inf(1) }, ErrAmount, "gate: old run 3: elapsed time: +Inf s"},
		{"pairs", func(old, _ *[]Run, opt *Options) { *old, opt.Paired = (*old)[:4], true }, ErrOptions, "gate: options: pairs of 4 old and 5 new runs"},
		{"error", func(_, _ *[]Run, opt *Options) { opt.FamilyError = 0 }, ErrOptions, "gate: options: FamilyError of 0"},
		{"no limits", func(_, _ *[]Run, opt *Options) { opt.Limits = nil }, ErrOptions, "gate: options: no limits"},
		{"limit", func(_, _ *[]Run, opt *Options) { opt.Limits[0].Max = math.NaN() }, ErrOptions, "gate: options: a limit of NaN on energy"},
		{"not comparable", func(_, _ *[]Run, opt *Options) { opt.Energy = false }, ErrOptions, "gate: options: a limit on energy, which cannot be compared"},
		{"unknown", func(_, _ *[]Run, opt *Options) { opt.Limits[0].Quantity = Cycles }, ErrOptions, "gate: options: a limit on cycles, which is not known of all runs"},
	} {
		old, new, opt := good(), good(), limit(Energy, "", 0.05)
		c.change(&old, &new, &opt)
		if _, err := Check(old, new, opt); !errors.Is(err, c.is) || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s...", c.name, err, c.says)
		}
	}
}

// Turning the sides around turns the change around, and units do not matter.
func TestSymmetry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(3, 20).Draw(t, "old"), rapid.IntRange(3, 20).Draw(t, "new")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		s := sides{make([]float64, n), make([]float64, m)}
		for _, side := range [][]float64{s.old, s.new} {
			for i := range side {
				side[i] = rng.NormFloat64()
				if rng.IntN(10) == 0 {
					side[i] += 20
				}
			}
		}
		shifted := sides{make([]float64, n), make([]float64, m)}
		for i, v := range s.old {
			shifted.old[i] = v + 5
		}
		for i, v := range s.new {
			shifted.new[i] = v + 5
		}
		a, b, c := s.estimate(false), sides{s.new, s.old}.estimate(false), shifted.estimate(false)
		se, df := a.error(0.01)
		for _, o := range []shift{b, c} {
			se2, df2 := o.error(0.01)
			if math.Abs(math.Abs(o.by)-math.Abs(a.by)) > 1e-9 || math.Abs(se2-se) > 1e-9 || math.Abs(df2-df) > 1e-6 {
				t.Fatalf("%v +- %v (%v) and %v +- %v (%v)", a.by, se, df, o.by, se2, df2)
			}
		}
	})
}

// What is decided has the limit outside of its interval, also where the runs are few and agree closely, and the p-value of
// a change does not depend on what else is compared.
func TestIntervals(t *testing.T) {
	var decided [3]int
	for i := range 1000 {
		rng := rand.New(rand.NewPCG(5, uint64(i)))
		n, change, opt := 3+i%8, 1+0.15*rng.Float64(), limit(Energy, "", 0.05)
		old, new := program(rng, n, 0.002, 1, 1), program(rng, n, 0.002, change, 1)
		for i := range new { // all functions
			new[i].Total.Joules *= change
		}
		opt.MinSeconds, opt.MinJoules = 1e6, 1e6
		r, err := Check(old, new, opt)
		if err != nil {
			t.Fatal(err)
		}
		v := r.Verdicts[0]
		decided[v.Decision]++
		if v.Decision == Fail && v.Change.Low <= 1.05 || v.Decision == Pass && v.Change.High >= 1.05 {
			t.Errorf("%d runs: %v of a limit of +5 %%, and the interval is %v to %v", n, v.Decision, v.Change.Low, v.Change.High)
		}
		opt.MinSeconds, opt.MinJoules = 0, 0
		all, err := Compare(old, new, opt)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := r.Totals[0], all.Totals[0]; a.P != b.P || a.Low != b.Low || a.High != b.High {
			t.Errorf("%d runs: p = %v, %v to %v; among functions p = %v, %v to %v", n, a.P, a.Low, a.High, b.P, b.Low, b.High)
		}
		// P and the interval say the same of no change.
		if a := r.Totals[0]; (a.P <= 1-opt.Confidence) != (a.Low > 1 || a.High < 1) {
			t.Errorf("%d runs: p = %v and the interval is %v to %v", n, a.P, a.Low, a.High)
		}
	}
	if min(decided[Pass], decided[Fail], decided[Undecided]) < 100 {
		t.Errorf("%v are decided: that shows nothing", decided)
	}
}
