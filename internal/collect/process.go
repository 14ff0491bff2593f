package collect

import (
	"strconv"
	"unique"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// keepAfterExit is how long, in nanoseconds, a process is known after its end, for records that are late.
const keepAfterExit = 10e9

const (
	// goneID is the pid and tid of a sample of a task that is being reaped: the kernel writes -1
	// when the task has no id any more (perf_event_pid_type, kernel/events/core.c).
	goneID   = 1<<32 - 1
	goneName = "[exiting]"
	// idleName is what the kernel calls the idle task of each CPU, pid 0.
	idleName = "swapper"
)

// process is one program in one process: execve(2) makes a new one of the same pid.
type process struct {
	pid   uint32
	name  string // of the thread group leader
	names int    // how many names it has had
	space *space
	// known is set when the mappings are: by fork from a known process, by exec, or from /proc.
	known  bool
	forked bool // its fork record has been seen
	// executing is set from exec to the first sample in user code: until then the kernel's execve may still be at work, and the
	// registers of user code are those of the program before.
	executing bool
	exited    bool
	threads   int                  // known threads that run
	main      unique.Handle[image] // the first file that was mapped: the program itself
	jit       jitCode
}

// thread is a thread as long as its tid is not used again.
type thread struct {
	tid     uint32
	process *process
	name    string
	label   int32 // index of its labels in stacks, none until a stack is interned
	names   int   // process.names that the label was made with
	exited  bool
}

// none is no index.
const none = -1

var noImage unique.Handle[image]

// table is all processes and threads that are known.
type table struct {
	proc       string // root of procfs, "" to look nothing up
	found      func(perfring.Record)
	processes  map[uint32]*process
	threads    map[uint32]*thread
	gone       []departure
	generation uint64
	dropped    uint64   // mappings that found no room
	first      *process // the first program of the recording
}

// departure is a thread that has ended and is to be forgotten.
type departure struct {
	time   int64
	thread *thread
}

func newTable(proc string) table {
	t := table{proc: proc, processes: map[uint32]*process{}, threads: map[uint32]*thread{}}
	t.add(0, idleName).known = true
	t.add(goneID, goneName).known = true
	return t
}

// add enters a process without mappings under its pid.
func (t *table) add(pid uint32, name string) *process {
	p := &process{pid: pid, name: name, space: &space{}}
	t.touch(p.space)
	t.processes[pid] = p
	return p
}

func (t *table) touch(s *space) {
	t.generation++
	s.generation = t.generation
}

// process returns the process of pid, made up of what little is known if no record told of it.
func (t *table) process(pid uint32) *process {
	if p := t.processes[pid]; p != nil {
		return p
	}
	return t.add(pid, ":"+strconv.FormatUint(uint64(pid), 10))
}

// thread returns the thread that a record of (pid, tid) is about.
func (t *table) thread(pid, tid uint32) *thread {
	if th := t.threads[tid]; th != nil && th.process.pid == pid {
		return th
	}
	p := t.process(pid)
	t.load(p)
	if th := t.threads[tid]; th != nil && th.process == p {
		return th
	}
	if tid != pid && t.proc != "" && pid != 0 && pid != goneID {
		if s, err := readComm(t.proc, pid, tid); err == nil {
			t.named(pid, tid, s)
			return t.threads[tid]
		}
	}
	return t.addThread(p, tid, p.name)
}

func (t *table) addThread(p *process, tid uint32, name string) *thread {
	th := &thread{tid: tid, process: p, name: name, label: none}
	t.threads[tid] = th
	p.threads++
	return th
}

// mmap enters a mapping.
func (t *table) mmap(pid uint32, m *mapping) {
	if pid == goneID {
		return // the kernel's own mappings, as perf writes them into its files
	}
	p := t.process(pid)
	if t.first == nil && t.proc == "" {
		t.first = p // a capture of running processes begins with the mappings of the first
	}
	t.insert(p, m)
}

func (t *table) insert(p *process, m *mapping) {
	m.owner = p
	if i := m.image.Value(); symbol.IsJITDump(i.file) && (p.jit.journal.mapping == nil || p.jit.journal.mapping.image != m.image) {
		p.jit.journal.close()
		p.jit.journal = journal{mapping: m}
	}
	if p.main == noImage {
		if i := m.image.Value(); i.hasFile() {
			p.main = m.image
		}
	}
	changed, dropped := p.space.insert(m)
	if changed {
		t.touch(p.space)
	}
	if dropped {
		t.dropped++
	}
}

// comm gives a thread a name; with exec a process begins a new program.
func (t *table) comm(pid, tid uint32, name string, exec bool) {
	if exec {
		// All other threads are gone, and the one that called execve has the pid as its tid. Their records
		// may still come: they keep the old program.
		old := t.processes[pid]
		p := t.add(pid, name)
		p.known, p.executing = true, true
		p.forked = old != nil && old.forked
		if t.first == nil || t.first == old {
			t.first = p
		}
		t.addThread(p, tid, name)
		return
	}
	p := t.process(pid)
	if tid == pid && p.name != name {
		p.name = name
		p.names++
	}
	if th := t.threads[tid]; th != nil && th.process == p {
		if th.name != name {
			th.name, th.label = name, none
		}
		return
	}
	t.addThread(p, tid, name)
}

// fork enters a new thread, or a new process as a copy of its parent.
func (t *table) fork(pid, tid, ppid, ptid uint32) {
	parent := t.process(ppid)
	name := parent.name
	if th := t.threads[ptid]; th != nil && th.process.pid == ppid {
		name = th.name
	}
	if pid == ppid {
		if th := t.threads[tid]; th == nil || th.exited || th.process != parent {
			t.addThread(parent, tid, name)
		}
		return
	}
	if p := t.processes[pid]; p != nil && !p.exited && !p.forked {
		// Records of the child, or /proc, came first and know it better.
		p.forked = true
		if len(p.space.mappings) > 0 || p.known {
			return
		}
	}
	p := t.add(pid, name)
	p.space = parent.space.fork()
	t.touch(p.space)
	p.known, p.main, p.forked = parent.known, parent.main, true
	t.addThread(p, tid, name)
}

// exit marks a thread as ended; it reports whether its process has. What is known of both is
// kept for a while, since time order is not perfect.
func (t *table) exit(pid, tid uint32, time int64) (ended *process) {
	th := t.threads[tid]
	if p := t.processes[pid]; th == nil && p != nil && tid == pid {
		th = t.addThread(p, tid, p.name) // known by its mappings alone
	}
	if th == nil || th.process.pid != pid || th.exited {
		return nil
	}
	th.exited = true
	t.gone = append(t.gone, departure{time, th})
	p := th.process
	p.threads--
	if tid == pid || p.threads == 0 {
		p.exited = true
		return p
	}
	return nil
}

// forget drops what ended long before t.
func (t *table) forget(now int64) {
	n := 0
	for n < len(t.gone) && t.gone[n].time < now-keepAfterExit {
		th := t.gone[n].thread
		if t.threads[th.tid] == th {
			delete(t.threads, th.tid)
		}
		if p := th.process; p.exited && p.threads <= 0 && t.processes[p.pid] == p {
			delete(t.processes, p.pid)
		}
		n++
	}
	if n > 0 {
		t.gone = t.gone[:copy(t.gone, t.gone[n:])]
	}
}
