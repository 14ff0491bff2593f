package guest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// choose returns what package pebs takes on this machine.
func choose(t *testing.T, opt pebs.Options) []pebs.Sampler {
	t.Helper()
	choice, err := pebs.Machine{}.Choose(opt)
	must(t, err)
	return choice.Samplers
}

// fields are those of a sample that these kernels have and root is granted.
const fields = perfring.SampleAddr | perfring.SampleDataSrc | perfring.SampleWeightStruct |
	perfring.SamplePhysAddr | perfring.SampleDataPageSize | perfring.SampleCodePageSize

// Loads and stores are chosen from what sysfs says, at the highest precise level that
// opens; each level that the kernel refused is told with its answer.
func TestMemChosen(t *testing.T) {
	only(t, "spr-6.12")
	for highest := uint8(3); highest >= 1; highest-- {
		t.Run(fmt.Sprintf("precise %d", highest), func(t *testing.T) {
			param(t, "simpmu", "max_precise", fmt.Sprint(highest))
			samplers := choose(t, pebs.Options{Physical: true, PageSizes: true})
			if len(samplers) != 2 {
				t.Fatalf("%+v, want loads and stores", samplers)
			}
			for i, event := range []string{"cpu/mem-loads,ldlat=30/", "cpu/mem-stores/"} {
				s := samplers[i]
				if want := event + strings.Repeat("p", int(highest)); s.Spec != want || s.Precise != highest || s.AuxSpec != "" || s.Format != fields {
					t.Errorf("chosen is %+v, want %s with the fields %#x", s, want, fields)
				}
				var refused []string
				for _, r := range s.Refused {
					refused = append(refused, r.What)
					if !errors.Is(r.Err, unix.EOPNOTSUPP) {
						t.Errorf("%s: %v, want %v", r.What, r.Err, unix.EOPNOTSUPP)
					}
				}
				want := strings.Join([]string{"precise_ip 3", "precise_ip 2"}[:3-highest], ", ")
				if got := strings.Join(refused, ", "); got != want {
					t.Errorf("%s: refused were %q, want %q", s.Spec, got, want)
				}
			}
		})
	}

	param(t, "simpmu", "open_errno", fmt.Sprint(int(unix.EBUSY)))
	_, err := pebs.Machine{}.Choose(pebs.Options{})
	if !errors.Is(err, pebs.ErrNone) || !errors.Is(err, unix.EBUSY) {
		t.Errorf("with a PMU that refuses: %v, want %v and %v", err, pebs.ErrNone, unix.EBUSY)
	}
}

// What is chosen for a latency samples the loads above it and no other, all of them; at
// each precise level, with the level's place as the module has it.
func TestMemLatencies(t *testing.T) {
	only(t, "spr-6.12")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const size = 4096
	base := buffer(t, size)
	for i, latency := range []uint{3, 5, 30, 45, 250, 512} {
		precise := uint8(1 + i%3)
		param(t, "simpmu", "max_precise", fmt.Sprint(precise))
		s := choose(t, pebs.Options{Loads: true, Latency: latency})[0]
		t.Run(s.Spec, func(t *testing.T) {
			runtime.LockOSThread() // a goroutine of its own
			defer runtime.UnlockOSThread()
			a := memAttr(parse(t, s.Spec))
			if a.PreciseIP != precise || a.Config1 != uint64(latency) {
				t.Fatalf("precise_ip %d and ldlat %d, want %d and %d", a.PreciseIP, a.Config1, precise, latency)
			}
			wanted := map[uint64]bool{}
			for offset := uint64(0); offset < size; offset += 64 {
				if load := loadAt(base + offset); load.latency > uint32(latency) {
					wanted[load.addr] = true
				}
			}
			e := open(t, a, 0, -1, nil)
			seen := map[uint64]bool{}
			for _, s := range samplesOf(t, e, e) {
				want := loadAt(s.Addr)
				if got := (access{s.Addr, s.DataSrc, s.WeightVar1}); got != want || !wanted[s.Addr] {
					t.Fatalf("%#x, want %#x of more than %d cycles", got, want, latency)
				}
				if level := pebs.DataSource(s.DataSrc).Level(); level.String() != levels[s.Addr/64%16].level {
					t.Fatalf("%#x is of %s, want %s", s.DataSrc, level, levels[s.Addr/64%16].level)
				}
				seen[s.Addr] = true
			}
			if len(seen) != len(wanted) {
				t.Errorf("%d lines seen, want all %d of more than %d cycles", len(seen), len(wanted), latency)
			}
		})
	}
}
