package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// targets decides which records belong to the processes that were attached to.
// Without any (nil) all records do.
type targets struct {
	// everyone is set when the events are those of whole CPUs, because one per
	// thread and CPU would take more file descriptors than there are.
	everyone  bool
	processes map[uint32]bool

	// A thread that is born while we attach may have inherited its creator's
	// events, on some CPUs or on all, and then be opened once more: it and its
	// children would count twice. The id in a sample is that of the thread the
	// event was opened on, the sample's root. Whoever is sampled under two roots
	// on one CPU proves that the one opened later had inherited from the other
	// there: its events on that CPU are closed and ignored from then on.
	opened    map[uint32]int // threads with events of their own, in order of opening
	redundant map[onCPU]bool
	root      map[onCPU]uint32 // by sampled thread: the root of its last sample
	close     func(tid uint32, cpu int)
}

// onCPU is a thread, sampled or opened, on one CPU.
type onCPU struct {
	tid uint32
	cpu int
}

// maxRoots bounds what is remembered of sampled threads; forgetting costs a
// second look.
const maxRoots = 1 << 16

// sample tells whether a sample of a CPU counts.
func (t *targets) sample(s *perfring.Sample, id identity, cpu int) bool {
	if t == nil {
		return true
	}
	if t.everyone {
		return t.processes[s.PID]
	}
	root := uint32(id.pid)
	if t.redundant[onCPU{root, cpu}] {
		return false
	}
	if len(t.opened) == 1 {
		return true // nobody to share with
	}
	if _, own := t.opened[s.TID]; own && root != s.TID {
		t.drop(s.TID, cpu)
	}
	who := onCPU{s.TID, cpu}
	before, seen := t.root[who]
	if seen && before != root && !t.redundant[onCPU{before, cpu}] {
		if t.opened[before] < t.opened[root] {
			t.drop(root, cpu)
			return false
		}
		t.drop(before, cpu)
	}
	if len(t.root) >= maxRoots {
		clear(t.root)
	}
	t.root[who] = root
	return true
}

// drop ends the events that were opened on a thread for one CPU.
func (t *targets) drop(tid uint32, cpu int) {
	key := onCPU{tid, cpu}
	if !t.redundant[key] {
		t.redundant[key] = true
		t.close(tid, cpu)
	}
}

// fork follows the children of the processes.
func (t *targets) fork(f *perfring.Fork) bool {
	if t != nil && t.everyone && t.processes[f.PPID] {
		t.processes[f.PID] = true
	}
	return t.process(f.PID)
}

// process tells whether a record about a process counts.
func (t *targets) process(pid uint32) bool { return t == nil || !t.everyone || t.processes[pid] }

// attach opens events on every thread of the processes, those included that
// are born meanwhile, for every CPU that is present.
func (r *recording) attach(pids, present, online []int) error {
	r.targets = &targets{
		processes: make(map[uint32]bool),
		opened:    make(map[uint32]int),
		redundant: make(map[onCPU]bool),
		root:      make(map[onCPU]uint32),
		close:     r.closeThread,
	}
	threads := 0
	for _, pid := range pids {
		r.targets.processes[uint32(pid)] = true
		tids, err := r.threads(pid)
		if err != nil {
			return err
		}
		threads += len(tids)
	}
	want := threads * r.descriptors(present)
	if r.opt.Stacks.BPF != nil {
		want += len(present) // for walks, on each CPU
	}
	if !enoughDescriptors(want + spareDescriptors) {
		err := r.attachByFilter(threads, want, online)
		if !errors.Is(err, ErrTooManyFD) || !enoughDescriptors(want+leastDescriptors) {
			return err
		}
		r.targets.everyone = false
	}
	for _, pid := range pids {
		if err := r.attachThreads(pid, present); err != nil {
			return err
		}
	}
	if len(r.events) == 0 {
		return fmt.Errorf("process %s: %w", listed(pids), ErrNoTarget)
	}
	return nil
}

// attachThreads lists the threads of pid and opens them until a listing brings
// no new one.
func (r *recording) attachThreads(pid int, cpus []int) error {
	for {
		tids, err := r.threads(pid)
		if err != nil {
			return err
		}
		added := false
		for _, tid := range tids {
			if _, ok := r.targets.opened[uint32(tid)]; ok {
				continue
			}
			added = true
			r.targets.opened[uint32(tid)] = len(r.targets.opened)
			err := r.openEverywhere(tid, cpus)
			if errors.Is(err, unix.ESRCH) {
				continue // it ended meanwhile
			}
			if err != nil {
				return err
			}
		}
		if !added {
			return nil
		}
	}
}

// attachByFilter records whole CPUs and keeps what belongs to the processes.
func (r *recording) attachByFilter(threads, want int, cpus []int) error {
	r.targets.everyone = true
	err := r.openEverywhere(-1, cpus)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%d threads on %d CPUs need %d files open at once: %w", threads, len(cpus), want+spareDescriptors, ErrTooManyFD)
	}
	if err != nil {
		return err
	}
	r.note(NoteFiltered, "%d threads on %d CPUs would need %d files open at once: whole CPUs are sampled and the samples of the processes kept", threads, len(cpus), want+spareDescriptors)
	return nil
}

// listed names processes as the command line does.
func listed(pids []int) string {
	var names []string
	for _, pid := range pids {
		names = append(names, strconv.Itoa(pid))
	}
	return strings.Join(names, ",")
}

// threads lists the threads of a process.
func (r *recording) threads(pid int) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(r.opt.Proc, strconv.Itoa(pid), "task"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	}
	if err != nil {
		return nil, fmt.Errorf("threads of process %d: %w", pid, err)
	}
	var tids []int
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids, nil
}

// closeThread closes the events that were opened on one thread for one CPU,
// except those whose mapping a ring lives on: they are turned off.
func (r *recording) closeThread(tid uint32, cpu int) {
	kept := r.events[:0]
	for _, e := range r.events {
		switch {
		case e.PID != int(tid) || e.CPU != cpu:
			kept = append(kept, e)
		case r.rings[e.CPU].owner == e.Event:
			e.Disable()
			kept = append(kept, e)
		default:
			r.settleClosing(e)
			e.Close()
		}
	}
	r.events = kept
}

// spareDescriptors is what the program needs beside its events: rings' epoll,
// binaries that are being symbolised, output files.
const spareDescriptors = 512

// leastDescriptors is with how few it still records; binaries for which none is
// left have no names.
const leastDescriptors = 20

// enoughDescriptors raises the limit of open files to want if it may, and tells
// whether that many can be open.
func enoughDescriptors(want int) bool {
	need := uint64(want)
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		return true // the kernel will tell
	}
	if limit.Cur >= need {
		return true
	}
	raised := unix.Rlimit{Cur: need, Max: max(need, limit.Max)}
	return unix.Prlimit(0, unix.RLIMIT_NOFILE, &raised, nil) == nil
}
