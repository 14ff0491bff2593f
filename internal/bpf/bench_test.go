package bpf

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// BenchmarkSwitch is two processes on one CPU that pass a byte to and fro: two
// context switches and four system calls a round. With the account it says what
// the program takes of a switch, by the kernel's own measurement as well
// (kernel.bpf_stats_enabled, which adds to it).
func BenchmarkSwitch(b *testing.B) {
	for _, with := range []string{"none", "other", "target"} {
		b.Run("account="+with, func(b *testing.B) {
			toAndFro(b, with)
		})
	}
}

func toAndFro(b *testing.B, with string) {
	var there, back [2]int
	if err := unix.Pipe2(there[:], unix.O_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	if err := unix.Pipe2(back[:], unix.O_CLOEXEC); err != nil {
		b.Fatal(err)
	}
	var set unix.CPUSet
	set.Set(0)
	c := exec.Command("cat")
	c.Stdin, c.Stdout = os.NewFile(uintptr(there[0]), "there"), os.NewFile(uintptr(back[1]), "back")
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		unix.Close(there[1])
		c.Wait()
		unix.Close(back[0])
	}()
	if err := unix.SchedSetaffinity(c.Process.Pid, &set); err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	unix.SchedSetaffinity(0, &set)
	if with != "none" {
		a, err := New()
		if err != nil {
			b.Skip(err)
		}
		defer a.Close()
		if with == "target" {
			if err := a.Follow(c.Process.Pid, os.Getpid()); err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Start([]int{0}); err != nil {
			b.Fatal(err)
		}
		defer func() {
			if s, err := a.objects.Switched.Stats(); err == nil && s.RunCount > 0 {
				b.ReportMetric(float64(s.Runtime/time.Nanosecond)/float64(s.RunCount), "ns/run")
			}
		}()
	}
	var buf [1]byte
	for b.Loop() {
		unix.Write(there[1], buf[:])
		if n, err := unix.Read(back[0], buf[:]); n != 1 {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is what an account costs at the start of a recording.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		a, err := New()
		if err != nil {
			b.Skip(err)
		}
		a.Close()
	}
}

// BenchmarkNewStacks is what walks of stacks cost at the start of a recording that has an account as well.
func BenchmarkNewStacks(b *testing.B) {
	a, err := New()
	if err != nil {
		b.Skip(err)
	}
	defer a.Close()
	for b.Loop() {
		s, err := NewStacks(StackOptions{})
		if err != nil {
			b.Skip(err)
		}
		s.Close()
	}
}

// BenchmarkWalk is one walk of a stack of 50 frames of Go and its record, by the kernel's own measurement, of 500 and more.
func BenchmarkWalk(b *testing.B) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		b.Fatal(err)
	}
	cpu := 0
	for !set.IsSet(cpu) {
		cpu++
	}
	s := stacks(b, StackOptions{})
	p, _ := start(b, fmt.Sprintf("deep %d", cpu))
	g := follow(b, s, p.Process.Pid, cpu)
	frames, walks := 0, 0
	take := func(p *pair) {
		frames += len(p.finished)
		walks++
	}
	for walks < 100 { // until all that is needed is loaded
		time.Sleep(10 * time.Millisecond)
		g.drain(take)
	}
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	before, err := s.objects.Sampled.Stats()
	if err != nil {
		b.Fatal(err)
	}
	frames, walks = 0, 0
	for walks < max(b.N, 500) {
		time.Sleep(10 * time.Millisecond)
		g.drain(take)
	}
	after, err := s.objects.Sampled.Stats()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(after.Runtime-before.Runtime)/float64(after.RunCount-before.RunCount), "ns/walk")
	b.ReportMetric(float64(frames)/float64(walks), "frames/walk")
}
