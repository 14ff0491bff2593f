package perfdata

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/energyprof/energyprof/perfring"
)

// Writer writes a recording into a file as it happens. It stands between the recording and its
// Sink: all calls go through it in their order, and Tap brings the bytes of the records. Memory
// does not grow with the recording.
//
// perf sees the events that were sampled and the processes, not the energy.
type Writer struct {
	sink    Sink
	machine Machine
	file    *os.File
	data    *bufio.Writer
	size    uint64 // of the data so far
	spill   *os.File
	tokens  tokenWriter

	whole       []perfring.SampleFormat // see Whole
	raw         []byte                  // of the record that Record is about to get
	now         uint64                  // time of the sample that is being delivered, 0 before the first
	cpu         uint32
	first, last uint64 // times of samples
	round       bool   // records were written since the last finished round
	buf         []byte
	err         error
}

// NewWriter begins the file, which must be empty and one in which places can be rewritten. The
// recording's calls go on to sink.
func NewWriter(file *os.File, m Machine, sink Sink) (*Writer, error) {
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("perf.data is written to regular files only, since its header comes last"))
	}
	if _, err := file.Seek(headerSize, io.SeekStart); err != nil {
		return nil, err
	}
	// What came between the records follows the data, which have no end yet.
	spill, err := os.CreateTemp(filepath.Dir(file.Name()), ".energyprof-*")
	if err != nil {
		return nil, err
	}
	os.Remove(spill.Name())
	w := &Writer{sink: sink, machine: m, file: file, spill: spill, data: bufio.NewWriterSize(file, 1<<18)}
	w.tokens.w = bufio.NewWriterSize(spill, 1<<15)
	for _, mapping := range m.kernelMappings() {
		w.write(tokSkip, w.mmap(&mapping))
	}
	return w, nil
}

// Close releases what Finish has not.
func (w *Writer) Close() {
	if w.spill != nil {
		w.spill.Close()
		w.spill = nil
	}
}

// Whole lets the samples of event i be written with the fields formats[i], from what the sink leaves in them, and not as
// the bytes that came: for a sink that completes their callchains. The events of Finish have the same fields. There
// may be none of values of counters, of branches or of registers among them.
func (w *Writer) Whole(formats []perfring.SampleFormat) { w.whole = formats }

// Tap takes the bytes of the record that Record gets next.
func (w *Writer) Tap(record []byte) { w.raw = record }

// Record writes the record and passes it on. A sample of no event of Finish is passed on alone.
func (w *Writer) Record(rec perfring.Record, cpu, event int) {
	raw := w.raw
	w.raw = nil
	s, isSample := rec.(*perfring.Sample)
	if isSample {
		w.now, w.cpu = s.Time, uint32(cpu)
	}
	if isSample && event >= 0 {
		if w.first == 0 {
			w.first = s.Time
		}
		w.last = max(w.last, s.Time)
	}
	if lost, ok := rec.(*perfring.Lost); ok && raw == nil {
		raw = bytes.Clone(w.lost(lost, cpu))
	}
	// What the sink looks up because of this record is told before it.
	w.sink.Record(rec, cpu, event)
	switch {
	case isSample && event < 0:
		return
	case isSample && w.whole != nil:
		w.write(tokRecords, w.sample(s, w.whole[event]))
		return
	}
	if raw == nil && w.err == nil {
		w.err = fmt.Errorf("a record of type %v without its bytes", rec.Head().Type)
		return
	}
	w.write(tokRecords, raw[:rec.Head().Size:rec.Head().Size])
}

// Found writes what the sink read of a process in /proc, in the name of the sample that made it look.
func (w *Writer) Found(rec perfring.Record) {
	switch r := rec.(type) {
	case *perfring.Comm:
		w.write(tokRecords, w.comm(r))
	case *perfring.Mmap2:
		w.write(tokRecords, w.mmap2(r))
	}
}

// ServedBy keeps the answers of f, for which the sink has to ask while it gets the sample, beside the samples:
// f gives a CPU of the node whose memory served a sample of cpu. nil stays nil.
func (w *Writer) ServedBy(f func(s *perfring.Sample, cpu int) int) func(s *perfring.Sample, cpu int) int {
	if f == nil {
		return nil
	}
	return func(s *perfring.Sample, cpu int) int {
		at := f(s, cpu)
		if at != cpu {
			w.tokens.served(at)
		}
		return at
	}
}

// Existing notes that the process is looked up.
func (w *Writer) Existing(pid int) error {
	w.tokens.existing(pid)
	return w.sink.Existing(pid)
}

// Busy keeps the window.
func (w *Writer) Busy(cpu int, from, to, ns int64) {
	w.tokens.window(tokBusy, cpu, from, to, ns)
	w.sink.Busy(cpu, from, to, ns)
}

// Others keeps the window.
func (w *Writer) Others(cpu int, from, to, ns int64) {
	w.tokens.window(tokOthers, cpu, from, to, ns)
	w.sink.Others(cpu, from, to, ns)
}

// Missed keeps the window.
func (w *Writer) Missed(cpu int, from, to, ns int64) {
	w.tokens.window(tokMissed, cpu, from, to, ns)
	w.sink.Missed(cpu, from, to, ns)
}

// Energy keeps the point.
func (w *Writer) Energy(domain int, t int64, joules float64) {
	w.tokens.point(tokEnergy, domain, t, joules)
	w.sink.Energy(domain, t, joules)
}

// Count keeps the point.
func (w *Writer) Count(series int, t int64, counts float64) {
	w.tokens.point(tokCount, series, t, counts)
	w.sink.Count(series, t, counts)
}

// Advance ends a round: a reader need not hold back what came before the round before it.
func (w *Writer) Advance(t int64) {
	if w.round {
		w.append(w.finish(recFinishedRound, 0, w.begin()))
		w.round = false
	}
	w.tokens.advance(t)
	w.sink.Advance(t)
}

// write writes a record of the kernel's kind.
func (w *Writer) write(token byte, record []byte) {
	if len(record) == 0 {
		return
	}
	w.append(record)
	w.tokens.records(token, 1)
	w.round = true
}

func (w *Writer) append(record []byte) {
	w.size += uint64(len(record))
	if _, err := w.data.Write(record); err != nil && w.err == nil {
		w.err = err
	}
}

// Finish completes the file with what is known at the end. Events are in the order of the
// indices that Record got; those beyond own.Events tell about processes and no more.
func (w *Writer) Finish(events []Event, own *Own) error {
	defer w.Close()
	w.tokens.flush()
	if w.err != nil {
		return w.err
	}
	if err := w.data.Flush(); err != nil {
		return err
	}
	if err := w.tokens.w.Flush(); err != nil {
		return err
	}
	if _, err := w.spill.Seek(0, io.SeekStart); err != nil {
		return err
	}
	attrs, ids, err := encodeAttrs(events)
	if err != nil {
		return err
	}
	header := fileHeader{size: headerSize, data: section{headerSize, w.size}}
	features := w.machine.features(events, attrs, own)
	features = append(features, w.recordingFeatures()...)
	sortFeatures(features)
	at := headerSize + w.size + sectionSize*uint64(len(features))
	var table []byte
	for _, f := range features {
		header.features[f.bit/64] |= 1 << (f.bit % 64)
		table = append(table, section{at, uint64(len(f.content))}.encode()...)
		at += uint64(len(f.content))
	}
	out := &countingWriter{w: w.data}
	out.Write(table)
	for _, f := range features {
		out.Write(f.content)
	}
	before := out.n
	header.eventTypes.offset = at
	if err := encodeOwn(out, own, w.spill, w.tokens.size); err != nil {
		return err
	}
	header.eventTypes.size = out.n - before
	at += header.eventTypes.size
	header.attrs = section{at, 0}
	header.attrSize = uint64(len(attrs[0]) + sectionSize)
	header.attrs.size = header.attrSize * uint64(len(attrs))
	idsAt := at + header.attrs.size
	for i, a := range attrs {
		out.Write(a)
		out.Write(section{idsAt, uint64(len(ids[i]))}.encode())
		idsAt += uint64(len(ids[i]))
	}
	for _, list := range ids {
		out.Write(list)
	}
	if err := w.data.Flush(); err != nil {
		return err
	}
	_, err = w.file.WriteAt(header.encode(), 0)
	return err
}

// countingWriter counts; an error stays in w and comes again with its Flush.
type countingWriter struct {
	w *bufio.Writer
	n uint64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}

func (s section) encode() []byte {
	b := binary.NativeEndian.AppendUint64(nil, s.offset)
	return binary.NativeEndian.AppendUint64(b, s.size)
}

func (h *fileHeader) encode() []byte {
	b := append(make([]byte, 0, headerSize), magic2...)
	b = binary.NativeEndian.AppendUint64(b, h.size)
	b = binary.NativeEndian.AppendUint64(b, h.attrSize)
	for _, s := range []section{h.attrs, h.data, h.eventTypes} {
		b = append(b, s.encode()...)
	}
	for _, bits := range h.features {
		b = binary.NativeEndian.AppendUint64(b, bits)
	}
	return b
}
