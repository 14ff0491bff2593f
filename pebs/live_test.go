package pebs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// mayOpen skips a test where this user may open no perf event, which CI may.
func mayOpen(t *testing.T) {
	t.Helper()
	_, err := Machine{}.Try("page-faults", Options{UserOnly: true})
	if denied(err) || errors.Is(err, unix.ENOSYS) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("with CI=true perf events have to open: %v", err)
		}
		t.Skipf("this user or container may open no perf events: %v", err)
	}
}

// This machine: what is chosen opens as it says, and where nothing is, each PMU has its reason.
func TestChooseLive(t *testing.T) {
	mayOpen(t)
	opt := Options{Physical: true, PageSizes: true}
	choice, err := Machine{}.Choose(opt)
	none := (*NoneError)(nil)
	switch {
	case errors.As(err, &none):
		if len(none.Reasons) == 0 || !errors.Is(err, ErrNone) {
			t.Errorf("%v without a reason", err)
		}
		pmus, _ := pmu.NewFS("", "").PMUs()
		for _, p := range pmus {
			// With mem-loads or IBS there is something to ask, and an answer to show.
			if p.Name != ibsOp && !(p.Core && hasEvent(p, loadsAlias)) {
				continue
			}
			if open := (*perfring.OpenError)(nil); !errors.As(err, &open) {
				t.Errorf("%s is not among what was tried: %v", p.Name, err)
			}
		}
	case err != nil:
		t.Fatal(err)
	case len(choice.Samplers) == 0:
		t.Error("no sampler and no error")
	}
	for _, s := range choice.Samplers {
		again, err := Machine{}.Try(s.Spec, opt)
		if err != nil || len(again) != 1 || again[0].Precise != s.Precise || again[0].Format != s.Format || again[0].AuxSpec != s.AuxSpec {
			t.Errorf("%+v was chosen; tried by hand: %+v, %v", s, again, err)
		}
	}
}

var touched [64]byte

// Page faults and breakpoints are there without any PMU, and their samples have the addresses.
func TestTryLive(t *testing.T) {
	mayOpen(t)
	at := uintptr(unsafe.Pointer(&touched[8]))
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	for _, test := range []struct {
		spec    string
		kind    Kind
		address uintptr
		touch   func()
	}{
		{"page-faults:u", Faults, uintptr(unsafe.Pointer(&page[0])), func() { page[0] = 1 }},
		{fmt.Sprintf("mem:%#x/8:w", at), Breakpoints, at, func() { touched[8]++ }},
	} {
		samplers, err := Machine{}.Try(test.spec, Options{Period: 1, UserOnly: true})
		if test.kind == Breakpoints && (errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)) {
			t.Logf("no debug register to be had: %v", err)
			continue
		}
		if err != nil || len(samplers) != 1 || samplers[0].Kind != test.kind || samplers[0].Format != perfring.SampleAddr {
			t.Errorf("%s: %+v, %v", test.spec, samplers, err)
			continue
		}
		s := samplers[0]
		if addresses := sampled(t, s, test.touch); len(addresses) != 1 || addresses[0] != uint64(test.address) {
			t.Errorf("%s: samples at %#x; want one at %#x", s.Spec, addresses, test.address)
		}
	}
}

// sampled is the addresses of the samples of s while this thread does something.
func sampled(t *testing.T, s Sampler, do func()) (addresses []uint64) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ev, err := pmu.NewFS("", "").Parse(s.Spec)
	if err != nil {
		t.Fatal(err)
	}
	attr := perfring.Attr{
		Type: ev.Type, Config: ev.Config, Config1: ev.Config1, Config2: ev.Config2, BPType: ev.BPType, PreciseIP: s.Precise,
		Sample: 1, SampleFormat: s.Format | perfring.SampleIdentifier,
		Flags: perfring.Flags(ev.Flags()) | perfring.FlagDisabled | perfring.FlagExcludeKernel | perfring.FlagExcludeHV,
	}
	e, err := perfring.Open(&attr, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ring, err := perfring.MapRing(e, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	decoder := perfring.NewDecoder()
	if err := decoder.Add(&attr, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Enable(), func() error { do(); return e.Disable() }()); err != nil {
		t.Fatal(err)
	}
	ring.Drain(func(raw []byte) {
		rec, err := decoder.Decode(raw)
		if err != nil {
			t.Error(err)
		}
		if sample, ok := rec.(*perfring.Sample); ok {
			addresses = append(addresses, sample.Addr)
		}
	})
	return addresses
}

// The kernel's answers of a machine without a PMU, in words.
func TestReasonsLive(t *testing.T) {
	mayOpen(t)
	if pmus, _ := pmu.NewFS("", "").PMUs(); len(pmus) == 0 {
		t.Skip("sysfs shows no PMUs")
	}
	for _, test := range []struct {
		spec, amd64 string
		errno       unix.Errno
	}{
		{"mem:0x1001/4:w", "mem:0x1001/4:w: the processor has no breakpoint like this: 1, 2, 4 or 8 bytes, aligned to that, and x86 has none on reads alone (EINVAL)", unix.EINVAL},
		{"mem:0xffffffff81000000:w", "mem:0xffffffff81000000:w: the address is the kernel's, which is left out (EINVAL)", unix.EINVAL},
	} {
		_, err := Machine{}.Try(test.spec, Options{UserOnly: true})
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
			t.Logf("no breakpoints here: %v", err)
			continue
		}
		if runtime.GOARCH == "amd64" && (!errors.Is(err, test.errno) || err.Error() != test.amd64) {
			t.Errorf("%s: %v; want %s", test.spec, err, test.amd64)
		}
	}
	_, err := Machine{}.Try("page-faults:u", Options{Frequency: 1 << 40})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "(kernel.perf_event_max_sample_rate), and 1099511627776 are wanted") {
		t.Errorf("at 2^40 Hz: %v; want the limit to be named", err)
	}
}
