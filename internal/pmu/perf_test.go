package pmu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// oracleVersion is of the perf whose attributes the table holds. Others have
// other defaults: since 6.13 perf counts guests unless asked not to.
const oracleVersion = "perf version 6.1."

// findPerf is the perf to compare with. Tests skip without it.
func findPerf(t *testing.T) string {
	t.Helper()
	perf, err := exec.LookPath("perf")
	if err != nil {
		t.Skipf("no perf to compare with: %v", err)
	}
	version, err := exec.Command(perf, "--version").Output()
	if err != nil {
		t.Skipf("perf is of no use here: %v", err)
	}
	if !strings.HasPrefix(string(version), oracleVersion) {
		t.Skipf("the table is that of %sx, and this is %s", oracleVersion, bytes.TrimSpace(version))
	}
	return perf
}

// runPerf is runPerfHere on a thread for itself.
func runPerf(perf, sysfs string, args ...string) (output string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, and its filter with it.
		runtime.LockOSThread()
		output, err = runPerfHere(perf, sysfs, args...)
	}()
	<-done
	return output, err
}

// runPerfHere runs perf in such a way that each perf_event_open succeeds, whatever
// this machine has: a filter, which this thread keeps, answers 0, and perf takes
// that for a descriptor. perf -vv has printed the attribute by then. It fails
// later, at reading.
func runPerfHere(perf, sysfs string, args ...string) (output string, err error) {
	if err := answerOpen(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, perf, args...)
	// A CPU without tables of events: names are then the tree's alone.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSFS_PATH="+sysfs, "PERF_CPUID=GenuineTest-0-0-0")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	return string(out), err
}

// answerOpen makes perf_event_open return 0 to this thread and what it starts.
func answerOpen() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_PERF_EVENT_OPEN},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// marker is the address of breakpoints that say in perf's output which of many
// specs follows: no spec has it, and it counts up.
const marker = 0xdead_0000_0000_0000

// attrsOfPerf asks perf for the attributes of many specs at once; args are its
// subcommand and flags. The result is the text of each spec's groups, or all of
// perf's words where it refuses one of them.
func attrsOfPerf(run func(args ...string) (string, error), specs []string, describe func(Event) string, args ...string) (texts []string, refusal string, err error) {
	for i, spec := range specs {
		args = append(args, "-e", fmt.Sprintf("mem:%#x/1:w", marker+uint64(i)), "-e", spec)
	}
	output, err := run(append(args, "true")...)
	if err != nil {
		return nil, "", fmt.Errorf("perf: %w: %s", err, output)
	}
	// perf opens CPU by CPU; an event may be on some of them only.
	seen := make([][]string, len(specs))
	var pass [][]string
	flush := func() {
		for i := range pass {
			for _, text := range pass[i] {
				if !slices.Contains(seen[i], text) {
					seen[i] = append(seen[i], text)
				}
			}
		}
		pass = make([][]string, len(specs))
	}
	flush()
	at := -1
	dumps := strings.Split(output, "perf_event_attr:\n")
	for _, dump := range dumps[1:] {
		if strings.Contains(dump, "sys_perf_event_open: pid 0 ") {
			continue // perf tries what the kernel can do
		}
		ev, member, err := parseDump(dump)
		if err != nil {
			return nil, "", err
		}
		switch {
		case ev.Config1 >= marker && ev.BPType == BreakWrite:
			index := int(ev.Config1 - marker)
			if index <= at {
				flush()
			}
			at = index
		case at < 0:
			return nil, "", fmt.Errorf("perf opens an event before the marker: %s", dump)
		case member:
			last := len(pass[at]) - 1
			pass[at][last] += " & " + describe(ev)
		default:
			pass[at] = append(pass[at], describe(ev))
		}
	}
	flush()
	if at < 0 {
		return nil, output, nil
	}
	for _, groups := range seen {
		texts = append(texts, strings.Join(groups, "; "))
	}
	return texts, "", nil
}

// parseDump reads an attribute as perf -vv prints it. Fields that are zero are
// left out there. member is whether it was opened into a group.
func parseDump(dump string) (ev Event, member bool, err error) {
	attr, after, ok := strings.Cut(dump, "\n----")
	if !ok {
		return Event{}, false, fmt.Errorf("perf prints half an attribute: %q", dump)
	}
	_, open, ok := strings.Cut(after, "sys_perf_event_open: ")
	if !ok {
		return Event{}, false, fmt.Errorf("perf does not open %q", dump)
	}
	member = !strings.Contains(open, "group_fd -1 ")
	numbers := map[string]*uint64{
		"config": &ev.Config, "{ bp_addr, config1 }": &ev.Config1, "{ bp_len, config2 }": &ev.Config2, "config3": &ev.Config3,
		"{ sample_period, sample_freq }": &ev.Period,
	}
	flags := map[string]*bool{
		"exclude_user": &ev.ExcludeUser, "exclude_kernel": &ev.ExcludeKernel, "exclude_hv": &ev.ExcludeHV, "exclude_idle": &ev.ExcludeIdle,
		"exclude_host": &ev.ExcludeHost, "exclude_guest": &ev.ExcludeGuest, "pinned": &ev.Pinned, "exclusive": &ev.Exclusive,
	}
	ev.NoInherit = true
	for line := range strings.Lines(attr) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return Event{}, false, fmt.Errorf("perf prints %q", line)
		}
		name, text := strings.Join(fields[:len(fields)-1], " "), fields[len(fields)-1]
		switch name {
		case "size", "sample_type", "read_format", "disabled", "enable_on_exec", "sample_id_all", "mmap", "comm", "task", "mmap2", "comm_exec", "ksymbol", "bpf_event":
			continue // what is not of the event, but of what perf does with it
		}
		n, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return Event{}, false, fmt.Errorf("perf prints %q", line)
		}
		switch word, flag := numbers[name], flags[name]; {
		case word != nil:
			*word = n
		case flag != nil:
			*flag = n != 0
		case name == "inherit":
			ev.NoInherit = false
		case name == "freq":
			ev.Period, ev.Frequency = 0, ev.Period
		case name == "type":
			ev.Type = uint32(n)
		case name == "bp_type":
			ev.BPType = uint32(n)
		case name == "precise_ip":
			ev.Precise = uint8(n)
		default:
			return Event{}, false, fmt.Errorf("perf prints the unknown field %q", line)
		}
	}
	return ev, member, nil
}

// describeAttr is what of an event is in the attribute of a counter.
func (ev Event) describeAttr() string {
	text := fmt.Sprintf("%d:%#x", ev.Type, ev.Config)
	for i, word := range []uint64{ev.Config1, ev.Config2, ev.Config3, ev.Config4} {
		if word != 0 {
			text += fmt.Sprintf(" config%d=%#x", i+1, word)
		}
	}
	if ev.BPType != 0 {
		text += fmt.Sprintf(" bp_type=%d", ev.BPType)
	}
	if ev.Precise != 0 {
		text += fmt.Sprintf(" precise_ip=%d", ev.Precise)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"user", ev.ExcludeUser}, {"kernel", ev.ExcludeKernel}, {"hv", ev.ExcludeHV}, {"idle", ev.ExcludeIdle},
		{"host", ev.ExcludeHost}, {"guest", ev.ExcludeGuest},
	} {
		if flag.set {
			text += " -" + flag.name
		}
	}
	if ev.Pinned {
		text += " pinned"
	}
	if ev.Exclusive {
		text += " exclusive"
	}
	return text
}

// describeGroups joins the events of a group with &, groups with a semicolon.
func describeGroups(groups []Group) string {
	var texts []string
	for _, g := range groups {
		var events []string
		for _, ev := range g.Events {
			events = append(events, ev.describeAttr())
		}
		texts = append(texts, strings.Join(events, " & "))
	}
	return strings.Join(texts, "; ")
}
