package guest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/report"
)

const (
	paranoidFile = "/proc/sys/kernel/perf_event_paranoid"
	zoneFiles    = "/sys/class/powercap/*/energy_uj"
)

// recordAsUser is record, as the guest's ordinary user and by this executable.
func recordAsUser(t *testing.T, energyprof string, args ...string) report.Summary {
	t.Helper()
	dir := scratch(t)
	file := filepath.Join(dir, "summary.json")
	args = append([]string{"record", "-o", filepath.Join(dir, "energyprof.pb.gz"), "--summary", file}, args...)
	if _, stderr, code := asUser(t, energyprof, args...); code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return readSummary(t, file)
}

// failsAsUser runs energyprof record as the guest's ordinary user. It must refuse
// in this one line (* stands for anything), and not run the command.
func failsAsUser(t *testing.T, want string, args ...string) {
	t.Helper()
	dir := scratch(t)
	args = append([]string{"record", "-o", filepath.Join(dir, "energyprof.pb.gz")}, args...)
	_, stderr, code := asUser(t, "energyprof", append(args, "--", "touch", filepath.Join(dir, "ran"))...)
	if code != 125 {
		t.Errorf("energyprof %s: exit code %d, want 125", strings.Join(args, " "), code)
	}
	says(t, "record", stderr, "energyprof: "+want)
	if strings.Count(stderr, "\n") != 1 {
		t.Errorf("the message is not one line: %q", stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("a refused recording leaves %v", left)
	}
}

// measured wants a source, and the watts of the steady guest.
func measured(t *testing.T, s report.Summary, source string) {
	t.Helper()
	if s.Source.Name != source || !s.Source.Measured {
		t.Errorf("energy is from %v, want %s, measured", s.Source, source)
	}
	// The first and last reading of energy are a few ms off the recording's ends.
	if watts := domain(s, "package", 0) / s.Seconds; math.Abs(watts-50) > 0.5+0.005*50/s.Seconds {
		t.Errorf("%s reads %.3f W, want 50", source, watts)
	}
	sane(t, s)
}

// estimated wants the model, and joules between those of an idle machine and
// those of one whose CPUs are all busy: 0.767 and 3.758 W for each of the two.
func estimated(t *testing.T, s report.Summary) {
	t.Helper()
	if s.Source.Name != "model" || s.Source.Measured {
		t.Errorf("energy is from %v, want the model, estimated", s.Source)
	}
	// Busy time is known in ticks of 10 ms for each CPU.
	least, most := 2*0.767*(s.Seconds-0.02), 2*3.758*(s.Seconds+0.02)
	if j := domain(s, "package", 0); j < least || j > most {
		t.Errorf("%.3f J are estimated in %.3f s, want %.3f to %.3f", j, s.Seconds, least, most)
	}
	noted(t, s, "an estimate, not a measurement")
	sane(t, s)
}

// readable lets every user read powercap's counters, as the advice says.
func readable(t *testing.T) {
	t.Helper()
	zones, err := filepath.Glob(zoneFiles)
	if err != nil || len(zones) == 0 {
		t.Fatalf("there is no %s: %v", zoneFiles, err)
	}
	mode := func(bits os.FileMode) {
		for _, z := range zones {
			if err := os.Chmod(z, bits); err != nil {
				t.Error(err)
			}
		}
	}
	if info, err := os.Stat(zones[0]); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("%s has mode %v, want 0400: %v", zones[0], info.Mode(), err)
	}
	mode(0o404)
	t.Cleanup(func() { mode(0o400) })
}

// spinning keeps a CPU busy for a second, as any user.
var spinning = []string{"--", "sh", "-c", "timeout 1 sh -c 'while :; do :; done'; true"}

// At level 2 an ordinary user may sample own user code and count nothing else.
// Energy is estimated, and what would change that is said and does.
func TestOrdinaryUser(t *testing.T) {
	only(t, "icx-6.1")
	steadily(t)
	set(t, paranoidFile, "2")
	const (
		perfDenied  = "open perf event type * config 0x2 on pid -1 cpu 0: permission denied"
		perfFix     = "kernel.perf_event_paranoid is 2; `sudo sysctl kernel.perf_event_paranoid=0`, or `sudo setcap cap_perfmon,cap_sys_ptrace,cap_syslog+ep */energyprof`, or run as root"
		zoneDenied  = "open /sys/class/powercap/intel-rapl:0/energy_uj: permission denied"
		zoneFix     = "`sudo chmod o+r /sys/class/powercap/*/energy_uj` (until the next boot), or run as root"
		msrDenied   = "open /dev/cpu/0/msr: permission denied"
		msrFix      = "run as root with `sudo modprobe msr`; a kernel in lockdown refuses it even then"
		sampleFix   = "kernel.perf_event_paranoid is 2; `sudo sysctl kernel.perf_event_paranoid=1` or `sudo setcap cap_perfmon,cap_sys_ptrace,cap_syslog+ep "
		everyoneFix = "`sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog+ep "
	)
	failsAsUser(t, "energy source perf-power: package 0: "+perfDenied+": "+perfFix, "--energy", "perf")
	failsAsUser(t, "energy source powercap: "+zoneDenied+": "+zoneFix, "--energy", "powercap")
	failsAsUser(t, "energy source msr: "+msrDenied+": "+msrFix, "--energy", "msr")
	stdout, _, code := asUser(t, "energyprof", "list")
	if code != 0 {
		t.Errorf("list: exit code %d", code)
	}
	says(t, "list", stdout,
		"perf-power no package 0: "+perfDenied+" (EACCES); "+perfFix,
		"powercap no "+zoneDenied+" (EACCES); "+zoneFix,
		"msr no "+msrDenied+" (EACCES); "+msrFix,
		"model yes ESTIMATED: package 0 CPUs 0-1",
		"cpu-clock yes",
		"power/energy-pkg/ no "+perfDenied+" (EACCES); "+perfFix)
	stdout, _, code = asUser(t, "energyprof", "doctor")
	if code != 0 {
		t.Errorf("doctor: exit code %d", code)
	}
	says(t, "doctor", stdout,
		"Linux * x86_64, perf_event_paranoid 2, kptr_restrict 0, user 1000",
		"ok sample this user's own code",
		"no sample the kernel on its behalf * permission denied (EACCES)",
		"fix: kernel.perf_event_paranoid is 2; `sudo sysctl kernel.perf_event_paranoid=1`, *",
		"no sample all CPUs (record -a) * permission denied (EACCES)",
		"fix: "+perfFix,
		"no energy from powercap "+zoneDenied+" (EACCES)",
		"fix: "+zoneFix,
		"ok energy from model ESTIMATED: package 0 CPUs 0-1")

	plain := []string{"--attribution", "proportional", "-F", "97"}
	s := recordAsUser(t, "energyprof", slices.Concat(plain, spinning)...)
	estimated(t, s)
	noted(t, s, "energy is estimated because it cannot be measured: perf-power: package 0: open perf event", "(EACCES): kernel.perf_event_paranoid is 2; `sudo sysctl kernel.perf_event_paranoid=0`")
	noted(t, s, "only user code is recorded: "+sampleFix)
	noted(t, s, "may not load BPF programs: "+everyoneFix)
	unnoted(t, s, "changes its user")

	readable(t)
	measured(t, recordAsUser(t, "energyprof", slices.Concat(plain, spinning)...), "powercap")
	set(t, paranoidFile, "0")
	s = recordAsUser(t, "energyprof", slices.Concat(plain, spinning)...)
	measured(t, s, "perf-power")
	unnoted(t, s, "polled")
	unnoted(t, s, "only user code")
}

// At level 3, which Debian adds and ships, an ordinary user may open no event at
// all, whatever the executable's capabilities. Those that the message names do
// from level 2 on.
func TestParanoidOfDebian(t *testing.T) {
	only(t, "icx-6.1")
	steadily(t)
	set(t, paranoidFile, "3")
	const fix = "kernel.perf_event_paranoid is 3, where CAP_PERFMON may not be enough; `sudo sysctl kernel.perf_event_paranoid=%d`, or level 2 and `sudo setcap cap_perfmon,cap_sys_ptrace,cap_syslog+ep */energyprof`, or run as root"
	failsAsUser(t, "opening cpu-clock for process * on CPU 0: permission denied (EACCES): "+fmt.Sprintf(fix, 1))
	failsAsUser(t, "opening cpu-clock for process * on CPU 0: permission denied (EACCES): "+fmt.Sprintf(fix, 1), "--energy", "none")
	failsAsUser(t, "energy source perf-power: package 0: open perf event * permission denied: "+fmt.Sprintf(fix, 0), "--energy", "perf")
	stdout, _, _ := asUser(t, "energyprof", "doctor")
	says(t, "doctor", stdout,
		"Linux * x86_64, perf_event_paranoid 3, kptr_restrict 0, user 1000",
		"no sample this user's own code * permission denied (EACCES)",
		"fix: "+fmt.Sprintf(fix, 1),
		"no energy from perf-power * permission denied (EACCES)",
		"fix: "+fmt.Sprintf(fix, 0))
	stdout, _, _ = asUser(t, "energyprof", "list")
	says(t, "list", stdout, "cpu-clock no open perf event * permission denied (EACCES); "+fmt.Sprintf(fix, 1))

	blessed := filepath.Join(scratch(t), "energyprof")
	b, err := os.ReadFile("/bin/energyprof")
	if err == nil {
		err = os.WriteFile(blessed, b, 0o755)
	}
	if err == nil {
		err = unix.Setxattr(blessed, "security.capability", fileCapabilities(unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_SYSLOG), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	stdout, _, _ = asUser(t, blessed, "doctor")
	says(t, "doctor with capabilities", stdout, "no sample this user's own code * permission denied (EACCES)", "fix: "+fmt.Sprintf(fix, 1))
	set(t, paranoidFile, "2")
	s := recordAsUser(t, blessed, slices.Concat([]string{"--attribution", "proportional", "-F", "97"}, spinning)...)
	measured(t, s, "perf-power")
	unnoted(t, s, "polled")
	unnoted(t, s, "only user code")
	unnoted(t, s, "have no names")
	if s.Samples == 0 {
		t.Error("there are no samples")
	}
}

// fileCapabilities is what setcap(8) writes for "...+ep" (struct vfs_cap_data,
// revision 2).
func fileCapabilities(capabilities ...int) []byte {
	const revision2, effective = 0x02000000, 1
	var words [5]uint32 // magic, then permitted and inheritable, for each 32 capabilities
	words[0] = revision2 | effective
	for _, c := range capabilities {
		words[1+2*(c/32)] |= 1 << (c % 32)
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// At level 2 of kptr_restrict not even root sees the addresses of the kernel.
func TestHiddenKernel(t *testing.T) {
	only(t, "icx-6.1")
	steadily(t)
	set(t, "/proc/sys/kernel/kptr_restrict", "2")
	const fix = "kernel.kptr_restrict is 2, which hides them from root, too: `sudo sysctl kernel.kptr_restrict=1`"
	reading := []string{"--", "sh", "-c", "i=0; while [ $i -lt 200 ]; do i=$((i+1)); cat /proc/stat >/dev/null; done"}
	s := record(t, slices.Concat([]string{"--attribution", "proportional", "--kernel", "-F", "197"}, reading)...)
	measured(t, s, "perf-power")
	noted(t, s, "functions of the kernel have no names", fix)
	for _, f := range s.Functions {
		if f.CPUSeconds > 0 && strings.Contains(f.Name, "proc") {
			t.Errorf("a function of the kernel is called %s", f.Name)
		}
	}
	stdout, _, _ := run(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "no names of kernel functions /proc/kallsyms: kernel addresses are hidden", "fix: "+fix)
	stdout, _, _ = asUser(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "fix: `sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1`")
	set(t, "/proc/sys/kernel/kptr_restrict", "1")
	stdout, _, _ = run(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "ok names of kernel functions")
	// At level 1 it is ordinary users that they are hidden from.
	set(t, paranoidFile, "1")
	s = recordAsUser(t, "energyprof", slices.Concat([]string{"--energy", "none", "-F", "197"}, reading)...)
	noted(t, s, "functions of the kernel have no names, this user may not see its addresses: `sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1`")
	kernel := 0.0
	for _, f := range s.Functions {
		if f.Name == "[kernel]" {
			kernel += f.CPUSeconds
		} else if f.CPUSeconds > 0 && !strings.HasPrefix(f.Name, "[") {
			t.Errorf("a function is called %s, and busybox has no names", f.Name)
		}
	}
	if kernel < 0.5 {
		t.Errorf("the kernel has %.3f s of a command that does nothing but reads of /proc/stat", kernel)
	}
}

// Without its module there is no msr source; the others do without.
func TestNoMSRModule(t *testing.T) {
	only(t, "icx-6.1")
	unload(t, "msr")
	fails(t, []string{"energyprof: energy source msr: open /dev/cpu/0/msr: no such file or directory: no driver offers the energy counter: `sudo modprobe msr`\n"}, "--energy", "msr")
	stdout, _, code := run(t, "energyprof", "list")
	if code != 0 {
		t.Errorf("list: exit code %d", code)
	}
	says(t, "list", stdout, "perf-power yes measured: *", "powercap yes measured: *",
		"msr no open /dev/cpu/0/msr: no such file or directory: no driver offers the energy counter (ENOENT); `sudo modprobe msr`")
	stdout, _, _ = run(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "no energy from msr open /dev/cpu/0/msr: no such file or directory: no driver offers the energy counter (ENOENT)", "fix: `sudo modprobe msr`")
}

// A processor that has the counters, and no driver: the model stands in, and
// what would load the drivers is said.
func TestNoSource(t *testing.T) {
	only(t, "icx-6.1")
	unload(t, "rapl", "intel_rapl_common", "msr")
	const fix = "no driver offers the energy counter: `sudo modprobe -a rapl intel_rapl_msr msr`\n"
	fails(t, []string{"energyprof: energy source perf-power: no perf PMU power: " + fix}, "--energy", "perf")
	fails(t, []string{"energyprof: energy source powercap: no RAPL zone in /sys/class/powercap: " + fix}, "--energy", "powercap")
	fails(t, []string{"energyprof: energy source msr: open /dev/cpu/0/msr: no such file or directory: no driver offers the energy counter: `sudo modprobe msr`\n"}, "--energy", "msr")
	s := record(t, slices.Concat(few, busy(0.5))...)
	estimated(t, s)
	noted(t, s, "energy is estimated because it cannot be measured: perf-power: no perf PMU power: "+strings.TrimSpace(fix))
	stdout, _, _ := run(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "no energy from perf-power no perf PMU power: no driver offers the energy counter",
		"fix: `sudo modprobe -a rapl intel_rapl_msr msr`", "ok energy from model ESTIMATED: *")
}
