package perfdata

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
)

// writesEnv makes the test binary a program that writes watched a few times.
const writesEnv = "ENERGYPROF_TEST_WRITES"

const writes = 20

var watched atomic.Uint64

func TestMain(m *testing.M) {
	if os.Getenv(writesEnv) != "" {
		for range writes {
			watched.Add(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestMemoryLive keeps recordings of page faults and of a breakpoint with their addresses: Read gives what the
// session gave, call by call, with the kernel's own books, and perf script the same addresses.
func TestMemoryLive(t *testing.T) {
	needPerf(t)
	if os.Geteuid() != 0 {
		t.Skip("wants root")
	}
	exe, err := os.Executable()
	must(t, err)
	binary, err := elf.Open(exe)
	must(t, err)
	defer binary.Close()
	if binary.Type != elf.ET_EXEC {
		t.Skip("this program is loaded at another address each time")
	}
	at := uint64(uintptr(unsafe.Pointer(&watched)))
	fs := pmu.NewFS("/sys", "/proc")
	for _, spec := range []string{"page-faults:u", fmt.Sprintf("mem:%#x/8:w:u", at)} {
		t.Run(spec, func(t *testing.T) {
			opt := session.Options{Command: []string{exe}, Pages: session.DefaultPages, FS: fs, Proc: "/proc"}
			for i, name := range []string{"cpu-clock", spec} {
				e, err := fs.Parse(name)
				must(t, err)
				// All have the field, or perf script would print it of none.
				opt.Events = append(opt.Events, session.Event{Event: e, Period: []uint64{1e6, 1}[i], SampleFormat: perfring.SampleAddr})
			}
			t.Setenv(writesEnv, "1")
			file, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
			must(t, err)
			defer file.Close()
			recorded := &calls{}
			w, err := NewWriter(file, Machine{Sys: "/sys", Proc: "/proc"}, recorded)
			must(t, err)
			opt.Tap = w.Tap
			r, err := session.Run(opt, w)
			must(t, err)
			r.Close()
			var events []Event
			for _, e := range r.Opened {
				events = append(events, Event{Name: e.Name, Attr: e.Attr, IDs: e.IDs})
			}
			must(t, w.Finish(events, &Own{Events: []OwnEvent{{Name: "cpu-clock", Clock: true}, {Name: spec, Address: true}}, Books: r.Events}))

			f, err := Open(file.Name())
			must(t, err)
			defer f.Close()
			replayed := &calls{}
			got, err := f.Read(replayed)
			must(t, err)
			if diff := cmp.Diff(recorded.list, replayed.list); diff != "" {
				t.Errorf("(-recorded +replayed):\n%s", diff)
			}
			b := got.Events[1]
			if !slices.Equal(got.Events, r.Events) || b.Samples == 0 || b.Counted != b.Samples || got.Samples[1] != b.Samples {
				t.Errorf("books %+v, recorded %+v; %d samples", got.Events, r.Events, got.Samples[1])
			}

			var want []string
			plain, err := Open(file.Name())
			must(t, err)
			defer plain.Close()
			_, err = plain.Read(&addresses{event: 1, add: func(addr uint64) { want = append(want, fmt.Sprintf("%s: %x", spec, addr)) }})
			must(t, err)
			out, err := runPerf("script", "-i", file.Name(), "-G", "-F", "event,addr")
			must(t, err)
			var said []string
			for line := range strings.Lines(out) {
				if line = strings.Join(strings.Fields(line), " "); strings.HasPrefix(line, spec) {
					said = append(said, line)
				}
			}
			if diff := cmp.Diff(want, said); diff != "" {
				t.Errorf("(-read +perf script):\n%s", diff)
			}
			if strings.HasPrefix(spec, "mem:") && (b.Samples != writes || !bytes.Contains([]byte(out), fmt.Appendf(nil, "%x", at))) {
				t.Errorf("%d samples of %d writes to %#x:\n%s", b.Samples, writes, at, out)
			}
		})
	}
}

// addresses gives the addresses of one event's samples.
type addresses struct {
	nothing
	event int
	add   func(addr uint64)
}

func (a *addresses) Record(rec perfring.Record, _, event int) {
	if s, ok := rec.(*perfring.Sample); ok && event == a.event {
		a.add(s.Addr)
	}
}
