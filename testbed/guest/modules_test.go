package guest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// above lists the modules that read a module's hardware once, when they load,
// in the order in which they load. They go before it goes and come back after it.
var above = map[string][]string{
	"simrapl":           {"rapl", "intel_rapl_common", "intel_rapl_msr"},
	"intel_rapl_common": {"intel_rapl_msr"},
}

// reload loads a module anew with these parameters ("name=value") in addition to
// those it has, and what reads its hardware with it. When the test ends it is
// loaded as it was.
func reload(t *testing.T, module string, params ...string) {
	t.Helper()
	was := parameters(t, module)
	replace(t, module, was+" "+strings.Join(params, " "))
	t.Cleanup(func() { replace(t, module, was) })
}

// unload takes modules away for the rest of the test, with what needs them.
func unload(t *testing.T, modules ...string) {
	t.Helper()
	for _, module := range modules {
		was := parameters(t, module)
		gone := append([]string{module}, loaded(above[module])...)
		remove(t, gone)
		t.Cleanup(func() {
			insert(t, module, was)
			for _, m := range gone[1:] {
				insert(t, m, "")
			}
		})
	}
}

func replace(t *testing.T, module, params string) {
	t.Helper()
	upper := loaded(above[module])
	remove(t, append([]string{module}, upper...))
	insert(t, module, params)
	for _, m := range upper {
		insert(t, m, "")
	}
}

// loaded returns those of the modules that are.
func loaded(modules []string) []string {
	return slices.DeleteFunc(slices.Clone(modules), func(m string) bool {
		_, err := os.Stat(filepath.Join("/sys/module", m))
		return err != nil
	})
}

// parameters returns the values that a module's parameters have, as insmod takes
// them.
func parameters(t *testing.T, module string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("/sys/module", module, "parameters", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var params []string
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode()&0o400 == 0 {
			continue // an order, not a state
		}
		// A string that was never set reads (null).
		if v := read(t, f); v != "" && v != "(null)" {
			params = append(params, filepath.Base(f)+"="+v)
		}
	}
	return strings.Join(params, " ")
}

// insert loads a module of the guest.
func insert(t *testing.T, module, params string) {
	t.Helper()
	f, err := os.Open(filepath.Join("/mod", module+".ko"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), params, 0); err != nil {
		t.Fatalf("insmod %s %s: %v", module, params, err)
	}
}

// remove unloads modules, the last one first. The kernel lets go of a closed
// event's module a moment later.
func remove(t *testing.T, modules []string) {
	t.Helper()
	for _, module := range slices.Backward(modules) {
		deadline := time.Now().Add(2 * time.Second)
		for {
			err := unix.DeleteModule(module, unix.O_NONBLOCK)
			if err == nil {
				break
			}
			busy := errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EBUSY)
			if !busy || time.Now().After(deadline) {
				t.Fatalf("rmmod %s: %v", module, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
