package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "What this machine and user can measure, and the exact fix for the rest",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return examine(pmu.NewFS("/sys", "/proc"), rapl.Machine{}).write(c.OutOrStdout())
		},
	}
}

// diagnosis is the findings of the doctor, in the order in which a recording needs them.
type diagnosis struct {
	machine  string
	findings []finding
}

// examine tries everything a recording would need.
func examine(fs pmu.FS, machine rapl.Machine) diagnosis {
	d := diagnosis{machine: describeMachine()}
	d.sampling("sample this user's own code", 0, -1, perfring.FlagExcludeKernel|perfring.FlagExcludeHV|perfring.FlagExcludeCallchainKernel)
	d.sampling("sample the kernel on its behalf", 0, -1, 0)
	d.sampling("sample all CPUs (record -a)", -1, 0, 0)
	cycles, err := fs.Parse("cycles")
	if err == nil {
		err = tryEvent(cycles)
	}
	d.add("count cycles (hardware PMU)", err)
	d.memory(pebs.Machine{})
	d.stackWalks()
	d.kernelSymbols()
	_, err = fs.Parse("sched:sched_switch")
	d.add("tracepoints", err)
	d.limits()
	for _, s := range rapl.Probe(machine) {
		f := judgeSource("energy from "+s.Kind, s)
		if s.Usable {
			f.Detail = describeSource(s.Info)
		}
		d.findings = append(d.findings, f)
		for _, note := range s.Info.Notes {
			d.findings = append(d.findings, finding{Name: "  note on " + s.Kind, Usable: true, Detail: note})
		}
	}
	d.filtering(machine)
	return d
}

func (d *diagnosis) add(name string, err error) { d.findings = append(d.findings, judge(name, err)) }

func (d *diagnosis) sampling(name string, pid, cpu int, flags perfring.Flags) {
	attr := perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample: defaultFrequency, SampleFormat: perfring.SampleIP | perfring.SampleCallchain,
		Flags: flags | perfring.FlagDisabled | perfring.FlagFreq,
	}
	e, err := perfring.Open(&attr, pid, cpu, nil)
	if err == nil {
		err = e.Close()
	}
	d.add(name, err)
}

// stackWalks tells whether stacks can be walked in the kernel (record -g bpf). Without that they are copied.
func (d *diagnosis) stackWalks() {
	program, err := bpf.NewStacks(bpf.StackOptions{MaxFrames: mostFrames()})
	if err == nil {
		err = program.Close()
	}
	f := finding{Name: "walk stacks in the kernel (record -g bpf)", Usable: err == nil}
	if err != nil {
		f.Reason, f.Fix = reason(err), adviceBPF(err)
	}
	d.findings = append(d.findings, f)
}

// kernelSymbols tells whether addresses in the kernel get names.
func (d *diagnosis) kernelSymbols() {
	f := finding{Name: "names of kernel functions", Usable: true}
	err := symbol.New(symbol.Options{}).KernelVisible()
	if err != nil {
		f.Usable, f.Reason = false, reason(err)
	}
	if errors.Is(err, symbol.ErrHidden) {
		f.Fix = adviceKernelNames()
	}
	d.findings = append(d.findings, f)
}

// limits shows what bounds a recording.
func (d *diagnosis) limits() {
	var files unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &files); err == nil {
		d.fact("open files (threads x CPUs with -p)", fmt.Sprintf("%d, raised to %d when needed", files.Cur, files.Max))
	}
	for _, s := range []struct{ name, file, unit string }{
		{"ring memory of a user per CPU", "kernel/perf_event_mlock_kb", "KiB"},
		{"highest sampling rate", "kernel/perf_event_max_sample_rate", "Hz"},
		{"deepest callchain", "kernel/perf_event_max_stack", "frames"},
	} {
		if v, err := sysctl(s.file); err == nil {
			d.fact(s.name, fmt.Sprintf("%d %s (%s)", v, s.unit, strings.ReplaceAll(s.file, "/", ".")))
		}
	}
}

func (d *diagnosis) fact(name, detail string) {
	d.findings = append(d.findings, finding{Name: name, Usable: true, Detail: detail})
}

// filtering tells whether the processor blurs its energy counters.
func (d *diagnosis) filtering(machine rapl.Machine) {
	f := finding{Name: "energy counters unblurred"}
	state, err := machine.EnergyFiltering()
	switch {
	case err != nil:
		f.Reason = reason(err)
	case state.Enabled:
		f.Reason = "energy filtering is on (IA32_MISC_PACKAGE_CTLS): short intervals may be off by half"
		f.Fix = "turn off SGX and energy filtering in the firmware's settings"
	case state.SGX:
		f.Reason = "SGX is enabled, and the processor may blur its counters while enclaves are in use"
		if state.Err != nil {
			f.Reason += fmt.Sprintf("; the register that would tell cannot be read: %v", state.Err)
			f.Fix = advice(state.Err)
		}
	case state.Err != nil && !errors.Is(state.Err, os.ErrNotExist):
		f.Reason = reason(state.Err)
		f.Fix = advice(state.Err)
	default:
		f.Usable, f.Detail = true, "no SGX, no energy filtering seen"
	}
	d.findings = append(d.findings, f)
}

func describeMachine() string {
	var u unix.Utsname
	unix.Uname(&u)
	text := fmt.Sprintf("Linux %s %s", unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
	if level, err := sysctl("kernel/perf_event_paranoid"); err == nil {
		text += fmt.Sprintf(", perf_event_paranoid %d", level)
	}
	if restrict, err := sysctl("kernel/kptr_restrict"); err == nil {
		text += fmt.Sprintf(", kptr_restrict %d", restrict)
	}
	return fmt.Sprintf("%s, user %d", text, os.Geteuid())
}

func (d diagnosis) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, d.machine)
	for _, f := range d.findings {
		verdict, text := "ok", f.Detail
		if !f.Usable {
			verdict, text = "no", f.Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", verdict, f.Name, text)
		if !f.Usable && f.Fix != "" {
			label := ""
			if strings.Contains(f.Fix, "`") { // a command; else there is only something to know
				label = "fix: "
			}
			fmt.Fprintf(t, "\t\t%s%s\n", label, f.Fix)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
