// Package bpf has what is done inside the kernel, by BPF programs: an account of who runs (Account), and walks of
// user stacks at each sample (Stacks).
//
// For the account a program at every context switch adds up, for each CPU, the nanoseconds of a target (processes
// with all that descends from them) and of all other tasks. The account is that
// of the scheduler, on CLOCK_MONOTONIC and to the nanosecond; what the samples
// of the target say is not part of it.
//
//	task_newtask ------> members <------ Follow (a BPF task iterator)
//	sched_process_free --> |
//	sched_switch --------> slots of 4.2 ms per CPU --mmap--> Others
//
// An interrupt counts for the task that it interrupts, and for nobody on an idle
// CPU. Time that a hypervisor takes away (steal) counts for who was running, as
// it does in the samples of a cpu-clock.
//
// Stacks walks by the tables of package unwind, as far as it has been told them, so that only addresses leave the kernel:
//
//	tables --SetSpace, Load--> memory shared with the program
//	an event's overflow -----> walk --record in the CPU's ring--> DecodeWalk
//
// What it lacks it says, with a copy of the stack, from which the walk is finished by whoever reads it.
//
// Needed are Linux 5.10 (for Stacks 5.17), the kernel's own BTF, and CAP_BPF with CAP_PERFMON (or
// CAP_SYS_ADMIN).
package bpf

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// The layout of sched.bpf.c.
const (
	slotShift = 22 // a slot is 2^22 ns
	slotNS    = 1 << slotShift
	nsBits    = 23 // of a slot's word; its number is above
	slots     = 512

	kindBits = 2
	kindMask = 1<<kindBits - 1
	idle     = 0
	other    = 1
	target   = 2
	unknown  = 3
)

// cpuAccount is struct cpu of sched.bpf.c. The kernel writes to it at any time.
type cpuAccount struct {
	state    atomic.Uint64
	other    atomic.Uint64
	target   atomic.Uint64
	overflow atomic.Uint64
	_        [4]uint64
	slot     [slots]slotAccount
}

type slotAccount struct {
	word    atomic.Uint64
	through atomic.Uint64
}

// Account is an account of who runs. Its methods are for one goroutine.
type Account struct {
	objects struct {
		Switched *ebpf.Program `ebpf:"switched"`
		Settle   *ebpf.Program `ebpf:"settle"`
		Born     *ebpf.Program `ebpf:"born"`
		Freed    *ebpf.Program `ebpf:"freed"`
		Find     *ebpf.Program `ebpf:"find"`
		CPUs     *ebpf.Map     `ebpf:"cpus"`
		Members  *ebpf.Map     `ebpf:"members"`
		Wanted   *ebpf.Map     `ebpf:"wanted"`
	}
	links    []link.Link // of the programs that follow the target
	switched link.Link   // nil before Start and after Stop
	memory   []byte      // of the map of CPUs
	cpus     []cpuAccount

	began  int64
	slot   int64   // the first slot that has not been given
	from   int64   // its begin, or that of the account
	given  []int64 // by CPU: ns of others in all slots before
	full   []int64 // by CPU: slots before this one are full of others
	ended  int64   // by Stop
	active bool    // between Start and Close
}

// monotonic is the clock of the account, bpf_ktime_get_ns.
func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// Follow makes all threads of the processes members of the target. What they
// create from now on is followed by itself; threads that are born meanwhile are
// found by looking until nobody new is there. A process that does not exist is
// passed over.
func (a *Account) Follow(pids ...int) error {
	yes := uint8(1)
	for _, pid := range pids {
		if err := a.objects.Wanted.Put(uint32(pid), yes); err != nil {
			return fmt.Errorf("following process %d: %w", pid, err)
		}
	}
	iter, err := link.AttachIter(link.IterOptions{Program: a.objects.Find})
	if err != nil {
		return fmt.Errorf("looking for threads: %w", err)
	}
	defer iter.Close()
	for {
		seq, err := iter.Open()
		if err != nil {
			return fmt.Errorf("looking for threads: %w", err)
		}
		found, err := io.Copy(io.Discard, seq)
		seq.Close()
		if err != nil {
			return fmt.Errorf("looking for threads: %w", err)
		}
		if found == 0 {
			return nil
		}
	}
}

// Start begins the account, on all CPUs. online are those whose running tasks
// are looked at, by an interrupt each.
func (a *Account) Start(online []int) error {
	a.began = monotonic()
	a.slot, a.from = a.began>>slotShift, a.began
	for i := range a.cpus {
		a.cpus[i].state.Store(uint64(a.began)<<kindBits | unknown)
	}
	var err error
	if a.switched, err = link.AttachTracing(link.TracingOptions{Program: a.objects.Switched}); err != nil {
		return fmt.Errorf("attaching to sched_switch: %w", err)
	}
	a.active = true
	for _, cpu := range online {
		if err := a.settle(cpu); err != nil {
			return err
		}
	}
	return nil
}

// settle closes the slice of what runs on a CPU. A CPU that is offline has none.
func (a *Account) settle(cpu int) error {
	const onCPU = 1 // BPF_F_TEST_RUN_ON_CPU
	_, err := a.objects.Settle.Run(&ebpf.RunOptions{Flags: onCPU, CPU: uint32(cpu)})
	if err != nil && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("looking at CPU %d: %w", cpu, err)
	}
	return nil
}

// Settle accounts for tasks that have run without a switch since before t: only
// they are interrupted for it. Call it some time before Others, which is then
// exact up to t.
func (a *Account) Settle(t int64) error {
	if !a.active {
		return nil
	}
	for cpu := range a.cpus {
		state := a.cpus[cpu].state.Load()
		kind, since := state&kindMask, int64(state>>kindBits)
		if (kind == other || kind == unknown) && since < t {
			if err := a.settle(cpu); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop ends the account, with what is running then, of whomever it is.
func (a *Account) Stop() error {
	if a.switched == nil {
		return nil
	}
	var errs []error
	for cpu := range a.cpus {
		if a.cpus[cpu].state.Load()&kindMask != idle {
			errs = append(errs, a.settle(cpu))
		}
	}
	errs = append(errs, a.switched.Close())
	a.switched = nil
	a.ended = monotonic()
	return errors.Join(errs...)
}

// Ran is what the target ran on all CPUs, in ns; exact after Stop.
func (a *Account) Ran() int64 {
	var ns uint64
	for i := range a.cpus {
		ns += a.cpus[i].target.Load()
	}
	return int64(min(ns, math.MaxInt64))
}

// RanOn is what the target has run on each CPU, in ns. A CPU that the target is on
// is interrupted for it, so that it is exact up to now, or after Stop up to that.
func (a *Account) RanOn() ([]int64, error) {
	ns := make([]int64, len(a.cpus))
	for cpu := range a.cpus {
		c := &a.cpus[cpu]
		if a.switched != nil && c.state.Load()&kindMask == target {
			if err := a.settle(cpu); err != nil {
				return nil, err
			}
		}
		ns[cpu] = int64(min(c.target.Load(), math.MaxInt64))
	}
	return ns, nil
}

// Overflow is how many tasks of the target found no room in the table of
// members: they count as others.
func (a *Account) Overflow() uint64 {
	var n uint64
	for i := range a.cpus {
		n += a.cpus[i].overflow.Load()
	}
	return n
}

// Close takes the programs out of the kernel.
func (a *Account) Close() error {
	var errs []error
	closed := func(c io.Closer, there bool) {
		if there {
			errs = append(errs, c.Close())
		}
	}
	closed(a.switched, a.switched != nil)
	for _, l := range a.links {
		closed(l, true)
	}
	o := &a.objects
	for _, p := range []*ebpf.Program{o.Switched, o.Settle, o.Born, o.Freed, o.Find} {
		closed(p, p != nil)
	}
	for _, m := range []*ebpf.Map{o.CPUs, o.Members, o.Wanted} {
		closed(m, m != nil)
	}
	if a.memory != nil {
		errs = append(errs, unix.Munmap(a.memory))
	}
	*a = Account{}
	return errors.Join(errs...)
}

// view lets the entries of the map of CPUs be read as they are.
func view(memory []byte, n int) []cpuAccount {
	return unsafe.Slice((*cpuAccount)(unsafe.Pointer(unsafe.SliceData(memory))), n)
}
