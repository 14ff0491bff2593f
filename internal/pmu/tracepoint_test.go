package pmu

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestParseWithoutTracefs(t *testing.T) {
	arm, _ := openTree(t, "arm64")
	if _, err := arm.Parse("sched:sched_switch"); !errors.Is(err, ErrNoTracefs) {
		t.Errorf("sched:sched_switch: %v, want ErrNoTracefs", err)
	}
	if _, err := arm.Parse("cycels:u"); !errors.Is(err, ErrNoEvent) || errors.Is(err, ErrNoTracefs) {
		t.Errorf("cycels:u: %v, want ErrNoEvent", err)
	}
	bare, _ := openTree(t, "bare")
	if _, err := bare.Parse("msr/tsc/"); !errors.Is(err, ErrNoPMU) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("msr/tsc/ without sysfs: %v, want ErrNoPMU and ErrNotExist", err)
	}
}

// A directory that may not be searched is not the same as one that is not there.
func TestParseTracefsDenied(t *testing.T) {
	server, root := openTree(t, "server")
	tracing := filepath.Join(root, "sys/kernel/tracing")
	if err := os.Chmod(tracing, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(tracing, 0o755) })
	_, err := asNobody(t, root, func() (Event, error) { return server.Parse("sched:sched_switch") })
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrNoTracefs) {
		t.Errorf("%v, want ErrPermission", err)
	}
}
