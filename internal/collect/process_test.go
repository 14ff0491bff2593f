package collect

import (
	"math"
	"slices"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// Each case is a sequence of records and the stacks that must come of it.
func TestProcesses(t *testing.T) {
	const app, lib = 0x400000, 0x7f0000000000
	start := func(s *stream) { // a program "app" of pid 10
		s.exec(10, "app")
		s.mmap(10, app, 0x10000, 0x1000, "/bin/app")
	}
	for _, tt := range []struct {
		name string
		run  func(s *stream)
		want []string
	}{
		{"fork copies mappings and name", func(s *stream) {
			start(s)
			s.fork(10, 11)
			s.mmap(11, lib, 0x1000, 0, "/lib/child.so") // the child's alone
			s.sample(11, 11, app, lib+9)
			s.sample(10, 10, app, lib+9)
		}, []string{
			"app/app 10/10 1×1ms /bin/app+0x1000 < [unknown] 0x7f0000000008",
			"app/app 11/11 1×1ms /bin/app+0x1000 < /lib/child.so+0x8",
		}},
		{"a mapping of the parent after the fork is not the child's", func(s *stream) {
			start(s)
			s.fork(10, 11)
			s.mmap(10, lib, 0x1000, 0, "/lib/parent.so")
			s.sample(11, 11, lib)
			s.sample(10, 10, lib)
		}, []string{
			"app/app 10/10 1×1ms /lib/parent.so+0x0",
			"app/app 11/11 1×1ms [unknown] 0x7f0000000000",
		}},
		{"threads share mappings and have names of their own", func(s *stream) {
			start(s)
			s.clone(10, 12)
			s.comm(10, 12, "worker")
			s.mmap(10, lib, 0x1000, 0, "/lib/l.so")
			s.sample(10, 12, lib)
			s.exit(10, 12)
			s.clone(10, 12) // the tid again
			s.sample(10, 12, lib)
		}, []string{
			"app/app 10/12 1×1ms /lib/l.so+0x0",
			"app/worker 10/12 1×1ms /lib/l.so+0x0",
		}},
		{"names change", func(s *stream) {
			start(s)
			s.clone(10, 12)
			s.sample(10, 12, app)
			s.comm(10, 12, "worker")
			s.sample(10, 12, app)
			s.comm(10, 10, "renamed")
			s.sample(10, 12, app)
		}, []string{
			"app/app 10/12 1×1ms /bin/app+0x1000",
			"app/worker 10/12 1×1ms /bin/app+0x1000",
			"renamed/worker 10/12 1×1ms /bin/app+0x1000",
		}},
		{"the leader ends before its threads", func(s *stream) {
			start(s)
			s.clone(10, 12)
			s.exit(10, 10)
			s.now += 2 * keepAfterExit
			s.Advance(int64(s.now))
			s.clone(10, 13)
			s.sample(10, 13, app)
		}, []string{"app/app 10/13 1×1ms /bin/app+0x1000"}},
		{"exec clears mappings", func(s *stream) {
			start(s)
			s.sample(10, 10, app)
			s.exec(10, "next")
			s.sample(10, 10, app)
			s.mmap(10, app, 0x1000, 0, "/bin/next")
			s.sample(10, 10, app)
		}, []string{
			"app/app 10/10 1×1ms /bin/app+0x1000",
			"next/next 10/10 1×1ms /bin/next+0x0",
			"next/next 10/10 1×1ms [unknown] 0x400000",
		}},
		{"a mapping cuts what it covers", func(s *stream) {
			start(s)
			s.mmap(10, app+0x4000, 0x2000, 0, "/lib/mid.so")
			s.sample(10, 10, app+0x3fff)
			s.sample(10, 10, app+0x4000)
			s.sample(10, 10, app+0x6000)
		}, []string{
			"app/app 10/10 1×1ms /bin/app+0x4fff",
			"app/app 10/10 1×1ms /bin/app+0x7000",
			"app/app 10/10 1×1ms /lib/mid.so+0x0",
		}},
		{"what is known already changes nothing", func(s *stream) {
			start(s)
			s.sample(10, 10, app)
			before := s.table.generation
			s.mmap(10, app, 0x10000, 0x1000, "/bin/app")
			s.mmap(10, app+0x1000, 0x1000, 0x2000, "/bin/app")
			if s.table.generation != before {
				s.sample(10, 10, 1) // shows up below
			}
			s.mmap(10, app+0x1000, 0x1000, 0x5000, "/bin/app") // the same file, elsewhere
			s.sample(10, 10, app+0x1000)
		}, []string{
			"app/app 10/10 1×1ms /bin/app+0x1000",
			"app/app 10/10 1×1ms /bin/app+0x5000",
		}},
		{"late samples of an ended process", func(s *stream) {
			start(s)
			s.exit(10, 10)
			s.Advance(int64(s.now))
			s.sample(10, 10, app)
		}, []string{"app/app 10/10 1×1ms /bin/app+0x1000"}},
		{"a pid that is used again", func(s *stream) {
			start(s)
			s.sample(10, 10, app)
			s.exit(10, 10)
			s.exec(20, "other")
			s.mmap(20, app, 0x10000, 0x2000, "/bin/other")
			s.fork(20, 10)
			s.sample(10, 10, app)
		}, []string{
			"app/app 10/10 1×1ms /bin/app+0x1000",
			"other/other 10/10 1×1ms /bin/other+0x2000",
		}},
		{"the end of a process whose pid is used again was lost", func(s *stream) {
			s.exec(20, "other")
			s.mmap(20, app, 0x10000, 0x2000, "/bin/other")
			start(s)
			s.fork(20, 30)
			s.fork(10, 30)
			s.sample(30, 30, app)
		}, []string{"app/app 30/30 1×1ms /bin/app+0x1000"}},
		{"a sample before everything else", func(s *stream) {
			s.sample(10, 10, app)
			s.fork(1, 10)
			start(s)
			s.sample(10, 10, app)
		}, []string{
			":10/:10 10/10 1×1ms [unknown] 0x400000",
			"app/app 10/10 1×1ms /bin/app+0x1000",
		}},
		{"a mapping before the fork", func(s *stream) {
			s.mmap(10, app, 0x10000, 0x1000, "/bin/app")
			s.fork(1, 10)
			s.comm(10, 10, "app")
			s.sample(10, 10, app)
		}, []string{"app/app 10/10 1×1ms /bin/app+0x1000"}},
		{"a task that is being reaped has no id", func(s *stream) {
			s.sample(goneID, goneID, app)
		}, []string{"[exiting]/[exiting] -1/-1 1×1ms [unknown] 0x400000"}},
		{"nonsense", func(s *stream) {
			s.exit(99, 99)
			s.exit(99, 98)
			s.clone(98, 98)
			s.fork(97, 97)
			s.mmap(10, math.MaxUint64-5, 100, 0, "/wraps")
			s.mmap(10, app, 0, 0, "/empty")
			s.exec(10, "")
			s.put(&perfring.Unknown{})
			s.put(&perfring.Lost{})
			s.Record(&perfring.Sample{PID: 10, TID: 10}, -5, 77)
			s.Record(&perfring.Sample{PID: 10, TID: 10, Period: math.MaxUint64}, 1<<30, 0)
			s.Busy(1<<30, 5, 1, 1)
			s.Energy(3, 0, 1)
		}, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(t, Options{})
			tt.run(s)
			s.expect(t, tt.want...)
		})
	}
}

// The two kinds of mmap records, and the variant with a build id.
func TestMappingRecords(t *testing.T) {
	s := newStream(t, Options{})
	s.exec(10, "app")
	s.mmap(10, 0x100, 0x100, 0, "[heap]")
	s.put(&perfring.Mmap{PID: 10, TID: 10, Addr: 0x1000, Len: 0x1000, PgOff: 0x3000, Filename: []byte("/bin/old")})
	s.put(&perfring.Mmap2{PID: 10, TID: 10, Addr: 0x5000, Len: 0x1000, Filename: []byte("/bin/new"), BuildID: []byte{0xab, 0xcd}})
	s.mmap(10, 0x200, 0x100, 0, "/lib/below.so")
	s.put(&perfring.Mmap2{PID: 10, TID: 10, Addr: 0x8000, Len: 0x1000, Filename: nil})
	s.sample(10, 10, 0x1800, 0x5801, 0x8801)
	r := s.expect(t, "app/app 10/10 1×1ms /bin/old+0x3800 < /bin/new+0x800 < //anon+0x800")
	if id := r.Data.Stacks[0].Locations[1].Mapping.BuildID; id != "abcd" {
		t.Errorf("build id %q", id)
	}
	if m := r.Data.Main; m == nil || m.File != "/bin/old" {
		t.Errorf("main mapping %+v, want that of the first file", m)
	}
}

// One part of a file is one mapping of the profile, wherever processes map it.
func TestSegmentsAreShared(t *testing.T) {
	s := newStream(t, Options{})
	for pid := uint32(10); pid < 13; pid++ {
		base := uint64(pid) << 32
		s.exec(pid, "app")
		s.mmap(pid, base, 0x1000, 0x1000, "/bin/app")
		s.sample(pid, pid, base+0x10)
	}
	r := s.expect(t,
		"app/app 10/10 1×1ms /bin/app+0x1010",
		"app/app 11/11 1×1ms /bin/app+0x1010",
		"app/app 12/12 1×1ms /bin/app+0x1010")
	if p, _ := r.Profile(); len(p.Mapping) != 1 || len(p.Location) != 1 {
		t.Errorf("%d mappings and %d locations, want 1 and 1", len(p.Mapping), len(p.Location))
	}
}

func TestEndedProcessesAreForgotten(t *testing.T) {
	s := newStream(t, Options{})
	s.exec(10, "app")
	for i := range uint32(1000) {
		pid := 100 + i
		s.fork(10, pid)
		s.mmap(pid, uint64(pid)<<20, 0x1000, 0, "/lib/l.so")
		s.clone(pid, pid+5000)
		s.exit(pid, pid) // the leader first
		s.exit(pid, pid+5000)
	}
	s.mmap(9999, 0x1000, 0x1000, 0, "/seen/by/its/mapping/alone")
	s.exit(9999, 9999)
	s.Advance(int64(s.now))
	if n := len(s.table.threads); n != 2002 {
		t.Errorf("%d threads known right after their end, want 2002", n)
	}
	s.Advance(int64(s.now) + keepAfterExit + 1)
	var left []uint32
	for pid := range s.table.processes {
		left = append(left, pid)
	}
	slices.Sort(left)
	if want := []uint32{0, 10, goneID}; !slices.Equal(left, want) || len(s.table.threads) != 1 || len(s.table.gone) != 0 {
		t.Errorf("processes %v, %d threads, %d departures; want %v, 1, 0", left, len(s.table.threads), len(s.table.gone), want)
	}
}
