package stat

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

var update = flag.Bool("update", false, "write the golden files anew")

// counted is one kernel counter of a made-up reading.
type counted struct {
	term, cpu        int // cpu -1: of a thread
	pmu              string
	value            uint64
	enabled, running time.Duration
	err              error
}

// reading makes a Reading of counters, from start for so long.
func reading(start, long time.Duration, joules []float64, counters ...counted) counting.Reading {
	r := counting.Reading{From: int64(start), To: int64(start + long), Joules: joules}
	for _, c := range counters {
		thread := -1
		if c.cpu < 0 {
			thread = 100
		}
		r.Counters = append(r.Counters, uncore.Counter{Term: c.term, CPU: c.cpu, Thread: thread, PMU: c.pmu, Err: c.err})
		r.Counts = append(r.Counts, perfring.Count{Value: c.value, Enabled: uint64(c.enabled), Running: uint64(c.running)})
	}
	return r
}

func run(r counting.Reading, exit launch.Exit, user, system time.Duration) counting.Run {
	return counting.Run{Reading: r, Exit: &exit, Usage: launch.Usage{User: user, System: system}, Elapsed: time.Duration(r.To - r.From)}
}

// twoSockets are domains as of a server with two packages, whose psys overlaps the rest.
var twoSockets = rapl.Info{Name: "perf-power", Measured: true, Domains: []rapl.Domain{
	{Name: "package", Package: 0, CPUs: []int{0, 1}, Sum: true},
	{Name: "package", Package: 1, CPUs: []int{2, 3}, Sum: true},
	{Name: "dram", Package: 0, CPUs: []int{0, 1}, Sum: true},
	{Name: "psys", Package: 0, CPUs: []int{0, 1, 2, 3}},
}}

var oneModel = rapl.Info{Name: "model", Domains: []rapl.Domain{{Name: "package", CPUs: []int{0, 1}, Sum: true, ErrorBand: 0.5}}}

var someTerms = []uncore.Term{
	{Name: "task-clock", Clock: true, Group: -1},
	{Name: "page-faults", Group: -1},
	{Name: "cycles", Group: 0},
	{Name: "instructions", Group: 0},
	{Name: "cache-misses", Group: -1},
}

const ms = time.Millisecond

// ofCommand is a run of someTerms on a thread: the group had a counter half of the time.
func ofCommand(start time.Duration, factor uint64, joules ...float64) counting.Reading {
	return reading(start, 100*ms, joules,
		counted{term: 0, cpu: -1, value: 80e6 * factor, enabled: 80 * ms, running: 80 * ms},
		counted{term: 1, cpu: -1, value: 123 * factor, enabled: 80 * ms, running: 80 * ms},
		counted{term: 2, cpu: -1, value: 100e6 * factor, enabled: 80 * ms, running: 40 * ms},
		counted{term: 3, cpu: -1, value: 250e6 * factor, enabled: 80 * ms, running: 40 * ms},
		counted{term: 4, cpu: -1, err: fmt.Errorf("cache-misses: %w", uncore.ErrNotSupported)})
}

// ofMachine is a reading of boxes on two sockets, of which one is in use and one event had no turn.
func ofMachine(start time.Duration) counting.Reading {
	return reading(start, time.Second, []float64{50, 30, 5, 120},
		counted{term: 0, cpu: 0, pmu: "uncore_imc_0", value: 1 << 20, enabled: time.Second, running: time.Second},
		counted{term: 0, cpu: 0, pmu: "uncore_imc_1", value: 1 << 20, enabled: time.Second, running: time.Second},
		counted{term: 0, cpu: 2, pmu: "uncore_imc_0", value: 1 << 19, enabled: time.Second, running: time.Second},
		counted{term: 1, cpu: 0, pmu: "uncore_upi_0", err: fmt.Errorf("uncore_upi_0: %w", uncore.ErrBusy)},
		counted{term: 1, cpu: 2, pmu: "uncore_upi_0", value: 77, enabled: time.Second, running: time.Second},
		counted{term: 2, cpu: 0, value: 5, enabled: time.Second},
		counted{term: 2, cpu: 2, value: 5e9, enabled: time.Second, running: time.Second / 4},
		counted{term: 3, cpu: 0, pmu: "power", value: 50 << 32, enabled: time.Second, running: time.Second},
		counted{term: 3, cpu: 2, pmu: "power", value: 30 << 32, enabled: time.Second, running: time.Second})
}

var machineTerms = []uncore.Term{
	{Name: "uncore_imc/cas_count_read/", PMUs: []string{"uncore_imc_0", "uncore_imc_1"}, Uncore: true, Scale: 64.0 / (1 << 20), Unit: "MiB", Group: -1},
	{Name: "uncore_upi/event=1/", PMUs: []string{"uncore_upi_0"}, Uncore: true, Group: -1},
	{Name: "cycles:u", Group: -1},
	{Name: "power/energy-pkg/", PMUs: []string{"power"}, Uncore: true, Scale: 1.0 / (1 << 32), Unit: "Joules", Group: -1},
}

var fourCPUs = []pmu.CPU{{ID: 0, Online: true}, {ID: 1, Core: 1, Online: true}, {ID: 2, Package: 1, Online: true}, {ID: 3, Package: 1, Core: 1, Online: true}}

// printable stands in for the command's own.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// cases are results of all kinds, by the name of their golden files.
func cases() map[string][]*Result {
	command := counting.Options{Command: []string{"./app", "-n", "1\x1b"}, Repeats: 1}
	machine := counting.Options{All: true, CPUs: []int{0, 1, 2, 3}, Repeats: 1}
	ok := launch.Exit{}
	once := &Builder{Options: command, Terms: someTerms, Source: twoSockets, Reason: error.Error}
	single := once.result([]counting.Run{run(ofCommand(0, 1, 5, 3, 1, 10), launch.Exit{Code: 3}, 70*ms, 9*ms)})
	single.Notes = []string{"a note"}

	thrice := *once
	thrice.Options.Repeats = 3
	lost := ofCommand(0, 3, 7, 3, 1, 10)
	lost.Failed = []error{errors.New("the package's last CPU is offline"), nil, nil, nil}
	repeats := thrice.result([]counting.Run{
		run(ofCommand(0, 1, 5, 3, 1, 10), ok, 70*ms, 9*ms),
		run(ofCommand(0, 2, 6, 3, 1, 10), launch.Exit{Signal: syscall.SIGKILL}, 71*ms, 9*ms),
		run(lost, ok, 72*ms, 9*ms)})

	estimate := &Builder{Options: command, Terms: someTerms, Source: oneModel, Reason: error.Error}
	sockets := &Builder{Options: machine, Terms: machineTerms, Source: twoSockets, By: counting.Socket, CPUs: fourCPUs, Reason: error.Error}
	whole := *sockets
	whole.By = counting.Total
	whole.Options = counting.Options{PIDs: []int{4711, 4712}}
	bySocket := sockets.result([]counting.Run{{Reading: ofMachine(0), Elapsed: time.Second}})
	bySocket.Counts[1].Holders = nil
	for i := range bySocket.Counts {
		if bySocket.Counts[i].State == "busy" {
			bySocket.Counts[i].Holders = []string{"perf (4711)"}
		}
	}
	stream := *once
	stream.Options.Interval = 100 * ms
	return map[string][]*Result{
		"command":  {single},
		"repeats":  {repeats},
		"estimate": {estimate.result([]counting.Run{run(ofCommand(0, 1, 5), ok, 70*ms, 9*ms)})},
		"sockets":  {bySocket},
		"total":    {whole.result([]counting.Run{{Reading: ofMachine(0), Elapsed: time.Second}})},
		"stream":   {stream.interval(ofCommand(7*time.Second, 1, 5, 3, 1, 10)), stream.interval(ofCommand(7*time.Second+100*ms, 2, 6, 3, 1, 10))},
	}
}

// TestFormats holds every format to its golden file.
func TestFormats(t *testing.T) {
	for name, results := range cases() {
		formats := map[string]func(*bytes.Buffer) error{
			"txt": func(b *bytes.Buffer) error {
				text := NewText(printable)
				return each(results, func(r *Result) error { return text.Write(b, r) })
			},
			"csv": func(b *bytes.Buffer) error {
				csv := new(CSV)
				return each(results, func(r *Result) error { return csv.Write(b, r) })
			},
			"json": func(b *bytes.Buffer) error {
				return each(results, func(r *Result) error { return r.WriteJSON(b) })
			},
		}
		if name != "stream" {
			formats["bench"] = func(b *bytes.Buffer) error {
				var all bytes.Buffer
				err := results[0].WriteBench(&all, "testdata/proc", printable)
				b.Write(bytes.Replace(all.Bytes(), []byte("goarch: "+runtime.GOARCH), []byte("goarch: amd64"), 1))
				return err
			}
		}
		for suffix, write := range formats {
			t.Run(name+"."+suffix, func(t *testing.T) {
				var got bytes.Buffer
				if err := write(&got); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join("testdata", name+"."+suffix)
				if *update {
					if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got.String()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			})
		}
	}
}

func each(results []*Result, f func(*Result) error) error {
	for _, r := range results {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{si(0, "J"), "0 J"}, {si(999.94, "J"), "999.9 J"}, {si(999.96, "J"), "1.000 kJ"}, {si(2.1e-9, "J"), "2.100 nJ"},
		{si(0.9999, "W"), "999.9 mW"}, {si(0.99996, "W"), "1.000 W"}, {si(1234, ""), "1.234 k"}, {si(-0.25, "J"), "-250.0 mJ"},
		{seconds(0.0007276), "727.6 us"}, {seconds(3600), "3600 s"}, {seconds(0), "0 s"},
		{whole(0), "0"}, {whole(999), "999"}, {whole(1000), "1,000"}, {whole(1234567.4), "1,234,567"}, {whole(1.5), "1.500"}, {whole(-1234), "-1,234"},
		{percent(0.0001), "<0.1 %"}, {percent(0.5), "50.0 %"}, {percent(0), "0.0 %"},
		{digits(9.9996), "10.00"}, {digits(99999), "99999"},
	} {
		if c.got != c.want {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
}

func TestBenchNames(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"true"}, "True"},
		{[]string{"/usr/bin/sort", "-n", "a/b.txt"}, "Sort/_n_a_b.txt"},
		{[]string{"./app-2"}, "App_2"}, // not a benchmark with GOMAXPROCS=2
		{[]string{"éa", "x=1", "-8"}, "Éa/x=1__8"},
		{[]string{"a b"}, "A_b"},
	} {
		if got := benchName(&Result{Command: &Command{Args: c.args}}); got != c.want {
			t.Errorf("benchmark of %q is %q, want %q", c.args, got, c.want)
		}
	}
	for event, want := range map[string]string{"msr/tsc/": "msr-tsc", "cycles:u": "cycles:u", "uncore_imc/cas_count_read/-S0": "uncore_imc-cas_count_read-S0"} {
		if got := benchUnit(event); got != want {
			t.Errorf("unit of %q is %q, want %q", event, got, want)
		}
	}
}
