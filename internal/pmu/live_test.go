package pmu

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f on a thread without root's rights; root may search everything.
// The tree below root is opened up for it.
func asNobody(t *testing.T, root string, f func() (Event, error)) (ev Event, err error) {
	t.Helper()
	if os.Geteuid() != 0 {
		return f()
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, and its user with it.
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			err = errno
			return
		}
		ev, err = f()
	}()
	<-done
	return ev, err
}

// The PMUs of the machine at hand.
func TestLive(t *testing.T) {
	machine := NewFS("", "")
	pmus, err := machine.PMUs()
	if len(pmus) == 0 {
		t.Skipf("no PMUs in sysfs: %v", err)
	}
	if err != nil {
		t.Error(err)
	}
	for _, p := range pmus {
		for _, fault := range p.Faults {
			t.Errorf("%s: %v", p.Name, fault)
		}
	}
	cpus, err := machine.Topology()
	if err != nil {
		t.Fatal(err)
	}
	var online []int
	for _, cpu := range cpus {
		if cpu.Online {
			online = append(online, cpu.ID)
		}
		if cpu.Online && (cpu.Package < 0 || cpu.Die < 0 || cpu.Core < 0) {
			t.Errorf("an online CPU without a place: %+v", cpu)
		}
	}
	if want, err := NewFS(t.TempDir(), "").OnlineCPUs(); err != nil || !slices.Equal(online, want) {
		t.Errorf("online: sysfs %v, /proc/stat %v, %v", online, want, err)
	}

	i := slices.IndexFunc(pmus, func(p PMU) bool { return p.Name == "msr" })
	if i < 0 {
		t.Skip("no msr PMU: its events are not checked")
	}
	ev, err := machine.Parse("msr/tsc/")
	if err != nil {
		t.Fatal(err)
	}
	if ev.Type != pmus[i].Type || ev.Type <= unix.PERF_TYPE_BREAKPOINT || ev.Config != 0 {
		t.Errorf("msr/tsc/ is %+v, want the dynamic type %d and config 0", ev, pmus[i].Type)
	}
}
