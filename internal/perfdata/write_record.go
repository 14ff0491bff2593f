package perfdata

import (
	"encoding/binary"

	"github.com/energyprof/energyprof/perfring"
)

// writtenFormat is what the records of a recording have at their end (perf_event_attr.sample_type
// with sample_id_all); those that are made here look the same.
const writtenFormat = perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU | perfring.SampleIdentifier

// trailerFormat are the fields of a sample type that stand at the end of other records.
const trailerFormat = writtenFormat | perfring.FormatID | perfring.SampleStreamID

var native = binary.NativeEndian

func (w *Writer) begin() []byte { return append(w.buf[:0], make([]byte, recordHeader)...) }

// finish writes the header of a record that is complete. It returns nil for one that is too long for any reader.
func (w *Writer) finish(kind perfring.RecordType, misc uint16, b []byte) []byte {
	w.buf = b
	if len(b) >= maxRecordSize {
		return nil
	}
	native.PutUint32(b, uint32(kind))
	native.PutUint16(b[4:], misc)
	native.PutUint16(b[6:], uint16(len(b)))
	return b
}

// sampleID appends the trailer; id 0 is no event's.
func sampleID(b []byte, pid, tid uint32, time uint64, cpu uint32) []byte {
	b = native.AppendUint32(b, pid)
	b = native.AppendUint32(b, tid)
	b = native.AppendUint64(b, time)
	b = native.AppendUint32(b, cpu)
	b = native.AppendUint32(b, 0)
	return native.AppendUint64(b, 0)
}

// text appends a string with its NUL, padded to 8 bytes.
func text(b, s []byte) []byte {
	b = append(b, s...)
	b = append(b, 0)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func numbers32(b []byte, all ...uint32) []byte {
	for _, v := range all {
		b = native.AppendUint32(b, v)
	}
	return b
}

func numbers64(b []byte, all ...uint64) []byte {
	for _, v := range all {
		b = native.AppendUint64(b, v)
	}
	return b
}

func (w *Writer) comm(r *perfring.Comm) []byte {
	b := text(numbers32(w.begin(), r.PID, r.TID), r.Name)
	return w.finish(perfring.RecordComm, r.Misc, sampleID(b, r.PID, r.TID, w.now, w.cpu))
}

func (w *Writer) mmap(r *perfring.Mmap) []byte {
	b := numbers32(w.begin(), r.PID, r.TID)
	b = text(numbers64(b, r.Addr, r.Len, r.PgOff), r.Filename)
	return w.finish(perfring.RecordMmap, r.Misc, sampleID(b, r.PID, r.TID, w.now, w.cpu))
}

func (w *Writer) mmap2(r *perfring.Mmap2) []byte {
	b := numbers32(w.begin(), r.PID, r.TID)
	b = numbers64(b, r.Addr, r.Len, r.PgOff)
	b = numbers32(b, r.Maj, r.Min)
	b = numbers64(b, r.Ino, r.InoGeneration)
	b = numbers32(b, r.Prot, r.Flags)
	b = text(b, r.Filename)
	return w.finish(perfring.RecordMmap2, r.Misc, sampleID(b, r.PID, r.TID, w.now, w.cpu))
}

// lost is what the kernel lost last: it writes no record of it.
func (w *Writer) lost(r *perfring.Lost, cpu int) []byte {
	b := numbers64(w.begin(), r.ID, r.Lost)
	b = w.finish(perfring.RecordLost, 0, sampleID(b, 0, 0, r.Time, uint32(cpu)))
	r.Size = uint16(len(b))
	return b
}

// sample is a sample with the fields of format.
func (w *Writer) sample(s *perfring.Sample, format perfring.SampleFormat) []byte {
	a := perfring.Attr{SampleFormat: format}
	b, err := a.AppendSample(w.buf[:0], s)
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return nil
	}
	w.buf = b
	return b
}
