package guest

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/uncore"
)

// exact is what a count outside the cores may be off the module's formula by.
const exact = 0.001

// statOf counts once and gives what counting and its user know of it.
func statOf(t *testing.T, spec string, opt counting.Options) (*uncore.Events, counting.Run) {
	t.Helper()
	events, err := uncore.Machine{}.Events(spec)
	must(t, err)
	opt.Events = events
	result, err := counting.Count(opt, nil)
	must(t, err)
	t.Cleanup(result.Close)
	return events, result.Runs[0]
}

func rowsOf(t *testing.T, events *uncore.Events, run counting.Run, by counting.By) []counting.Row {
	t.Helper()
	cpus, err := pmu.NewFS("", "").Topology()
	must(t, err)
	return counting.Aggregate(len(events.Terms()), run.Counters, run.Counts, by, cpus)
}

// Every box of every package counts what the module says, and a name that stands for all
// boxes is their sum, of the machine and of each package: for a command, for whole CPUs, and for some of them.
func TestStatOfUncore(t *testing.T) {
	only(t, "icx2s-6.12", "icx-6.1")
	const read, inserts = 0xcf05, 0x1041
	const spec = "uncore_imc/cas_count_read/,{uncore_cxlcm/event=0x41,umask=0x10/,uncore_cxlcm/event=0x2,umask=0x1/}"
	last := allPackages()[len(allPackages())-1]
	lastCPU, err := pmu.NewFS("", "").OnlineCPUs()
	must(t, err)
	for name, test := range map[string]struct {
		opt      counting.Options
		packages []int
	}{
		"command": {counting.Options{Command: []string{"sleep", "0.4"}}, allPackages()},
		"all":     {counting.Options{All: true, Duration: 400 * time.Millisecond}, allPackages()},
		"a CPU":   {counting.Options{All: true, CPUs: lastCPU[len(lastCPU)-1:], Duration: 400 * time.Millisecond}, []int{last}},
	} {
		events, run := statOf(t, spec, test.opt)
		want := map[int]float64{} // by event and package, per ms
		for _, pkg := range test.packages {
			for box := range 4 {
				want[pkg] += boxRate(read, box, pkg)
			}
			for box := range 2 {
				want[10+pkg] += boxRate(inserts, box, pkg)
				want[20+pkg] += boxRate(0x0102, box, pkg)
			}
		}
		for i, c := range run.Counters {
			if got := run.Counts[i]; c.Err != nil || got.Running != got.Enabled || math.Abs(float64(got.Enabled)/float64(run.To-run.From)-1) > 0.05 {
				t.Errorf("%s: counter %+v: %+v in %d ns", name, c, got, run.To-run.From)
			}
		}
		sockets := rowsOf(t, events, run, counting.Socket)
		if len(sockets) != len(want) {
			t.Errorf("%s: rows %+v, want %d", name, sockets, len(want))
		}
		totals := make([]float64, len(events.Terms()))
		for _, row := range sockets {
			// Each box has times of its own; all of them differ by less than a count's share.
			i := slices.IndexFunc(run.Counters, func(c uncore.Counter) bool { return c.Term == row.Term })
			countedWithin(t, fmt.Sprintf("%s: event %d of package %d", name, row.Term, row.Where.Socket), row.Value, want[10*row.Term+row.Where.Socket], run.Counts[i].Enabled, 0.01)
			totals[row.Term] += row.Value
		}
		for _, row := range rowsOf(t, events, run, counting.Total) {
			if row.State != counting.Counted || math.Abs(row.Value-totals[row.Term]) > 1e-9*row.Value {
				t.Errorf("%s: event %d in all: %+v, want the packages' %g", name, row.Term, row, totals[row.Term])
			}
		}
		for i, c := range run.Counters {
			config := map[int]uint64{0: read, 1: inserts, 2: 0x0102}[c.Term]
			box, err := strconv.Atoi(c.PMU[strings.LastIndexByte(c.PMU, '_')+1:])
			must(t, err)
			pkg := packagesOf(t, []int{c.CPU})[0]
			countedWithin(t, fmt.Sprintf("%s: %s on CPU %d", name, c.PMU, c.CPU), float64(run.Counts[i].Value), boxRate(config, box, pkg), run.Counts[i].Running, exact)
		}
	}
}

// More events than counters take turns: each is scaled by its own share of the time, of which
// there is as much as there are counters.
func TestStatScales(t *testing.T) {
	only(t, "icx-6.1")
	var specs []string
	for event := 1; event <= 6; event++ {
		specs = append(specs, fmt.Sprintf("uncore_imc_0/event=%d/", event))
	}
	events, run := statOf(t, strings.Join(specs, ","), counting.Options{All: true, Duration: time.Second})
	shares := 0.0
	for _, row := range rowsOf(t, events, run, counting.Total) {
		countedWithin(t, specs[row.Term], row.Value, boxRate(uint64(row.Term+1), 0, 0), run.Counts[row.Term].Enabled, turns)
		if row.State != counting.Counted || row.Share >= 1 {
			t.Errorf("%s: %+v, want a share of less than all of the time", specs[row.Term], row)
		}
		shares += row.Share
	}
	if math.Abs(shares-4) > 0.2 {
		t.Errorf("the events had counters for %.2f times the time, want four", shares)
	}
}

// A group counts all of its events at the same times or is refused, with the member that
// is too many.
func TestStatGroups(t *testing.T) {
	only(t, "icx-6.1")
	events, run := statOf(t, "{cycles,instructions},cycles", counting.Options{Command: []string{"sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done"}})
	rows := rowsOf(t, events, run, counting.Total)
	if c := run.Counts; rows[0].Share != 1 || c[0].Enabled != c[1].Enabled || math.Abs(rows[1].Value/rows[0].Value-1.5) > exact {
		t.Errorf("%+v of %+v, want one and a half instructions a cycle", rows, c)
	}
	for spec, want := range map[string][]string{
		"{uncore_imc_0/event=1/,uncore_imc_0/event=2/,uncore_imc_0/event=3/,uncore_imc_0/event=4/,uncore_imc_0/event=5/}": {"event=5/ does not fit", "EINVAL"},
		"{uncore_cxlcm_0/event=0x40/,uncore_cxlcm_0/event=0x41/,uncore_cxlcm_0/event=0x42/,uncore_cxlcm_0/event=0x43/,uncore_cxlcm_0/event=0x4b/}": {
			"event=0x4b/ does not fit", "EINVAL"},
	} {
		e, err := uncore.Machine{}.Events(spec)
		must(t, err)
		c, err := e.Open(uncore.Target{})
		var misfit *uncore.MisfitError
		if !errors.As(err, &misfit) {
			t.Errorf("%s: %v, %v; want that it does not fit", spec, c, err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q in it", spec, err, part)
			}
		}
		weak, err := uncore.Machine{}.Events(spec + ":W")
		must(t, err)
		c, err = weak.Open(uncore.Target{})
		must(t, err)
		if n := len(c.List()); n != 5 {
			t.Errorf("%s:W: %d counters, want each event alone", spec, n)
		}
		c.Close()
	}
}

// A PMU that somebody else holds is busy, not unsupported, and the others are counted.
func TestStatOfABusyPMU(t *testing.T) {
	only(t, "icx-6.1")
	holder := exec.Command("energyprof", "stat", "--energy", "none", "-e", "uncore_imc_0/cas_count_read/", "--", "sleep", "1000")
	must(t, holder.Start())
	defer func() { holder.Process.Signal(syscall.SIGTERM); holder.Wait() }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if h := counting.Holders(""); slices.ContainsFunc(h, func(h counting.Holder) bool { return h.PID == holder.Process.Pid }) {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%+v have perf events open, want process %d among them", h, holder.Process.Pid)
		}
	}
	param(t, "simpmu", "open_pmu", "uncore")
	param(t, "simpmu", "open_errno", strconv.Itoa(int(unix.EBUSY)))
	events, run := statOf(t, "uncore_imc_0/cas_count_read/,page-faults", counting.Options{Command: []string{"true"}})
	rows := rowsOf(t, events, run, counting.Total)
	if rows[0].State != counting.Busy || !errors.Is(rows[0].Err, uncore.ErrBusy) || rows[1].State != counting.Counted || rows[1].Value == 0 {
		t.Errorf("%+v, want the PMU to be busy and faults to be counted", rows)
	}
	want := counting.Holder{PID: holder.Process.Pid, Comm: "energyprof", Events: 1}
	if h := counting.Holders(""); !slices.Contains(h, want) || slices.ContainsFunc(h, func(h counting.Holder) bool { return h.PID == os.Getpid() }) {
		t.Errorf("holders %+v, want %+v", h, want)
	}
}

// A CPU that goes offline takes its counts along, which is said, and the others go on.
func TestStatWhileACPUGoesOffline(t *testing.T) {
	only(t, "icx-6.1")
	set(t, "/sys/devices/system/cpu/cpu1/online", "1")
	events, err := uncore.Machine{}.Events("cpu-clock,uncore_imc_0/cas_count_read/")
	must(t, err)
	result, err := counting.Count(counting.Options{Events: events, All: true, Command: []string{"sh", "-c", "sleep 0.5; " + hotplug(1, 0) + "; sleep 0.5"}}, nil)
	must(t, err)
	t.Cleanup(result.Close)
	run := result.Runs[0]
	if len(result.Notes) != 1 || result.Notes[0].Kind != counting.NoteCounters || !strings.Contains(result.Notes[0].Text, "(0-1, and 0 at the end)") {
		t.Errorf("notes %q, want that a CPU went offline", result.Notes)
	}
	took := float64(run.To - run.From)
	for i, c := range run.Counters {
		got := run.Counts[i]
		switch {
		case c.Term == 1: // read on CPU 0
			countedWithin(t, c.PMU, float64(got.Value), boxRate(0xcf05, 0, 0), got.Running, exact)
		case c.CPU == 0 && math.Abs(float64(got.Enabled)/took-1) > 0.05, c.CPU == 1 && (float64(got.Enabled) > 0.7*took || float64(got.Enabled) < 0.4*took):
			t.Errorf("CPU %d: %+v in %.0f ns", c.CPU, got, took)
		}
		if math.Abs(float64(got.Value)/float64(got.Running)-1) > 0.01 && c.Term == 0 {
			t.Errorf("CPU %d: %+v, want its clock to count time", c.CPU, got)
		}
	}
}

// The kernel stops to follow a command that gains rights which its user does not have. What that
// used is not in the counts, and that is said.
func TestStatOfSetuid(t *testing.T) {
	only(t, "icx-6.1")
	set(t, paranoidFile, "2")
	dir := scratch(t)
	shell := dir + "/busybox"
	text, err := os.ReadFile("/bin/busybox")
	must(t, err)
	must(t, os.WriteFile(shell, text, 0o755))
	must(t, os.Chmod(shell, 0o755|os.ModeSetuid))
	burn := "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done"
	_, stderr, code := asUser(t, "energyprof", "stat", "--energy", "none", "-e", "task-clock", "--", shell, "sh", "-c", burn)
	if code != 0 || !strings.Contains(stderr, "changes its user") {
		t.Errorf("exit code %d, want 0 and that the kernel did not follow the command:\n%s", code, stderr)
	}
	must(t, os.Chmod(shell, 0o755))
	_, stderr, code = asUser(t, "energyprof", "stat", "--energy", "none", "-e", "task-clock", "--", shell, "sh", "-c", burn)
	if code != 0 || strings.Contains(stderr, "changes its user") {
		t.Errorf("exit code %d, want 0 and that the kernel followed the command:\n%s", code, stderr)
	}
}

// A command's events are counted on a PMU that QEMU makes: with it from its execve, in the children, and
// none of what the launcher did.
func TestARM64Stat(t *testing.T) {
	only(t, armGuest)
	count := func(loops int) []counting.Row {
		events, run := statOf(t, "{cycles,instructions},task-clock", counting.Options{Command: []string{"sh", "-c", fmt.Sprintf("(i=0; while [ $i -lt %d ]; do i=$((i+1)); done)", loops)}})
		rows := rowsOf(t, events, run, counting.Total)
		for _, row := range rows {
			if row.State != counting.Counted || row.Share != 1 {
				t.Fatalf("%d loops: %+v, want all of it counted", loops, row)
			}
		}
		return rows
	}
	few, many := count(1000), count(5000)
	// What the loops take is in proportion to their number.
	more := count(9000)
	for i, what := range []string{"cycles", "instructions", "ns of task-clock"} {
		a, b := many[i].Value-few[i].Value, more[i].Value-many[i].Value
		if a <= 0 || math.Abs(b/a-1) > 0.2 {
			t.Errorf("4000 loops take %.0f %s, and 4000 more %.0f", a, what, b)
		}
	}
}
