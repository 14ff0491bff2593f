package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/energyprof/energyprof/perfring"
)

// Why a file could not be read, for callers that decide. The errors that wrap
// them name the place in the file, in bytes from its start.
var (
	ErrNotPerfData = errors.New("not a perf.data file")
	ErrDamaged     = errors.New("perf.data is damaged")
	ErrUnsupported = errors.New("this kind of perf.data is not supported")
	ErrNoEvents    = errors.New("perf.data describes no event")
	// ErrClock says that samples and energy readings of other sources have no
	// clock in common.
	ErrClock = errors.New("sample times are not on CLOCK_MONOTONIC")
	// ErrNoSuchEvent says that no group of the file counts the event that was asked for.
	ErrNoSuchEvent = errors.New("no such event")
	// ErrNoScale says that the file does not tell how many joules a count is.
	ErrNoScale = errors.New("the file gives no scale in joules for it")
	// ErrPerThread says that a counter stood still whenever the recorded threads did not
	// run. What the machine used then is not in it.
	ErrPerThread = errors.New("counted only while the recorded threads ran")
)

// Sink takes one ordered stream of what happened; it is that of a live
// recording. All calls come from one goroutine.
type Sink interface {
	// Existing announces a process that ran before the recording began. perf
	// itself writes records of those instead.
	Existing(pid int) error
	// Record takes a record in time order: of cpu, -1 if unknown, and of the event
	// with that index in File.Events, or -1. It is valid during the call only.
	Record(rec perfring.Record, cpu, event int)
	// Busy is the kernel's own account: the CPU was busy for ns nanoseconds of
	// (from, to], whoever used it.
	Busy(cpu int, from, to, ns int64)
	// Others is busy time, ns of (from, to], of tasks other than the target, exact.
	Others(cpu int, from, to, ns int64)
	// Missed is CPU time of the target, ns of (from, to], without samples.
	Missed(cpu int, from, to, ns int64)
	// Energy is one point of the series of File.EnergyDomains[domain]: joules since any origin.
	Energy(domain int, t int64, joules float64)
	// Count is one point of a series of File.Own.Counters: counts since the start.
	Count(series int, t int64, counts float64)
	// Advance says that all that happened before t has been delivered.
	Advance(t int64)
}

// File is a perf.data file, or a pipe that brings one, whose header has been
// read. It is for one goroutine.
type File struct {
	Events []Event // in file order
	Info   Info
	// EnergyDomains are the series of energy that the samples of the file carry;
	// see UseEnergy.
	EnergyDomains []EnergyDomain
	// Own is what energyprof itself left in the file; nil if another program wrote it.
	Own *Own

	name   string // for messages
	closer io.Closer
	at     io.ReaderAt // nil in a pipe
	size   int64       // of the file in bytes, -1 unknown
	order  binary.ByteOrder
	swap   bool // order is not the machine's own
	header fileHeader

	events      eventTable
	named       []bool            // by event: the file has a name of it
	tracepoints map[uint64]string // names by id, where events have none
	cpuOfID     map[uint64]int    // where the event of an id was opened
	ofThread    map[uint64]bool   // by id, where the file tells: it was opened on a thread, not on all of a CPU
	energy      energy
	energyGiven bool // by UseEnergy

	src  *source
	zip  unzip
	hold hold
	read bool // Read was called

	// The state of Read.
	sink     Sink
	result   Result
	notes    notes
	last     uint64 // time of the record that was read last
	youngest uint64 // time of the youngest that was read
	until    uint64 // what is not younger can be delivered at the end of this round
	counts   map[counterKey]uint64
	losses   losses
	chain    []uint64 // scratch of callStack
}

// Open reads the header, attributes and features of a file, or of what
// standard input brings if path is "-". In a pipe these are the records before
// the first that a kernel wrote; more features can come while it is Read.
func Open(path string) (*File, error) {
	if path == "-" {
		return open(os.Stdin, "standard input")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := open(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	if f.closer != nil { // a copy of what it brings
		file.Close()
		return f, nil
	}
	f.closer = file
	return f, nil
}

func open(file *os.File, name string) (*File, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: a directory, as perf record --threads writes: %w", name, ErrUnsupported)
	case info.Mode().IsRegular():
		return NewFile(file, info.Size(), name)
	}
	return fromPipe(file, name)
}

// fromPipe reads what a pipe brings. A file with sections can come through one, too
// (zcat perf.data.gz): it is read from a copy.
func fromPipe(r io.Reader, name string) (*File, error) {
	head := make([]byte, pipeHeaderSize)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	probe := File{name: name}
	pipe, err := probe.magic(head[:n])
	if err != nil {
		return nil, err
	}
	all := io.MultiReader(bytes.NewReader(head), r)
	if pipe {
		return NewReader(all, name)
	}
	spool, err := os.CreateTemp("", ".energyprof-*")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	os.Remove(spool.Name())
	size, err := io.Copy(spool, all)
	if err != nil {
		spool.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f, err := NewFile(spool, size, name)
	if err != nil {
		spool.Close()
		return nil, err
	}
	f.closer = spool
	return f, nil
}

// Close releases the file, unless the caller opened it.
func (f *File) Close() error {
	f.src = nil
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}
