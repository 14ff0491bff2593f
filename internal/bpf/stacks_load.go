package bpf

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/energyprof/energyprof/internal/unwind"
	"golang.org/x/sys/unix"
)

// StackOptions are the limits of walks.
type StackOptions struct {
	MaxFrames int // of one stack, at most 1024; 0: 127, as for the kernel's own chains
	CopyBytes int // of a stack whose walk got stuck, at most 24 KiB; 0: 24 KiB
}

// Stacks is the program that walks user stacks in the kernel, when an event to which it is attached samples. It
// writes one record for each sample into the ring of the CPU, before the sample itself. Its methods are for one goroutine.
type Stacks struct {
	objects stacksObjects
	memory  [2][]byte // of the maps that are shared
	tables  *stacksTables
	rows    []unwind.Row

	rules   int // that the program has
	row     int // that is the next to be written
	mapping int
	serial  uint32
	spaces  map[SpaceKey]list

	forgot    time.Time                    // when all chunks were forgotten last
	forgotten struct{ chunks, spaces int } // how often that was for want of room, and how many processes
}

// The rules and rows of the program are those of package unwind.
const (
	_ = -(unsafe.Sizeof(unwind.Rule{}) ^ unsafe.Sizeof(stacksTables{}.Rule[0]))
	_ = -(unsafe.Sizeof(unwind.Row{}) ^ unsafe.Sizeof(stacksBlock{}.Row[0]))
	_ = -(unsafe.Sizeof(stacksBlock{}.Row)/unsafe.Sizeof(unwind.Row{}) ^ blockRows)
)

// NewStacks loads the program. Errors are those of New; it needs Linux 5.17. The caller closes the Stacks.
func NewStacks(o StackOptions) (*Stacks, error) {
	if o.MaxFrames < 0 || o.MaxFrames > maxFrames || o.CopyBytes < 0 || o.CopyBytes > maxCopy {
		return nil, fmt.Errorf("%d frames of a stack, %d bytes: at most %d and %d", o.MaxFrames, o.CopyBytes, maxFrames, maxCopy)
	}
	if o.MaxFrames == 0 {
		o.MaxFrames = 127
	}
	if o.CopyBytes == 0 {
		o.CopyBytes = maxCopy
	}
	s := &Stacks{spaces: map[SpaceKey]list{}}
	err := withKernelTypes(func(options ebpf.CollectionOptions) error { return s.load(o, &options) })
	if err == nil {
		return s, nil
	}
	s.Close()
	switch {
	case errors.Is(err, ErrNoBTF):
		return nil, err
	case confidential(lockdown):
		return nil, ErrLockdown
	case errors.Is(features.HaveProgramHelper(ebpf.PerfEvent, asm.FnLoop), ebpf.ErrNotSupported):
		return nil, fmt.Errorf("%w (they need Linux 5.17)", ErrTooOld)
	}
	return nil, reason(err)
}

func (s *Stacks) load(o StackOptions, options *ebpf.CollectionOptions) error {
	spec, err := loadStacks()
	if err != nil {
		return err
	}
	possible, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	spec.Maps[stacksMapOutput].MaxEntries = uint32(possible)
	spec.Maps[stacksMapScratches].MaxEntries = uint32(possible)
	if err := spec.Variables[stacksVarMaxFrames].Set(uint32(o.MaxFrames)); err != nil {
		return err
	}
	if err := spec.Variables[stacksVarMaxCopy].Set(uint32(o.CopyBytes)); err != nil {
		return err
	}
	if err := spec.LoadAndAssign(&s.objects, options); err != nil {
		return err
	}
	for i, m := range []*ebpf.Map{s.objects.Tables, s.objects.Rows} {
		size := (int(m.MaxEntries()*m.ValueSize()) + os.Getpagesize() - 1) &^ (os.Getpagesize() - 1)
		if s.memory[i], err = unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			return fmt.Errorf("mapping the tables of stacks: %w", err)
		}
	}
	s.tables = (*stacksTables)(unsafe.Pointer(unsafe.SliceData(s.memory[0])))
	s.rows = unsafe.Slice((*unwind.Row)(unsafe.Pointer(unsafe.SliceData(s.memory[1]))), maxRows)
	// Of mappings without tables it uses the rule that all sessions have.
	if err := s.SetRules(unwind.NewRules().List()); err != nil {
		return err
	}
	if _, err := s.objects.Reader.Run(&ebpf.RunOptions{}); err != nil {
		return fmt.Errorf("finding the PID namespace: %w", err)
	}
	return nil
}

// FD is the file descriptor of the program, for PERF_EVENT_IOC_SET_BPF. An event that has it loses, without a word, the samples
// that come while the CPU is at another BPF program of a kprobe, tracepoint or perf event, or changes a BPF map
// (bpf_prog_active): docs/stacks.md has how many. Those of the Account do not count among them.
func (s *Stacks) FD() int { return s.objects.Sampled.FD() }

// Output says to which event (PERF_COUNT_SW_BPF_OUTPUT, of this CPU, enabled) walks on a CPU are written.
func (s *Stacks) Output(cpu, eventFD int) error {
	if err := s.objects.Output.Put(uint32(cpu), uint32(eventFD)); err != nil {
		return fmt.Errorf("the stacks of CPU %d: %w", cpu, err)
	}
	return nil
}

// Close takes the program out of the kernel as soon as no event has it any more.
func (s *Stacks) Close() error {
	errs := []error{s.objects.Close()}
	for _, m := range s.memory {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	*s = Stacks{}
	return errors.Join(errs...)
}
