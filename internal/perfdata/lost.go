package perfdata

import (
	"maps"
	"slices"

	"github.com/energyprof/energyprof/perfring"
)

// losses compares what the rings tell of lost records with what the kernel
// counted. A LOST record is written when there is room again, so of what was lost
// last there is none. Since 6.1 perf asks the kernel at the end (PERF_FORMAT_LOST)
// and writes LOST_SAMPLES with the counts: of the same losses, and those untold.
type losses struct {
	told    map[int]uint64 // by CPU
	counted map[int]uint64
}

// tell notes a LOST record.
func (l *losses) tell(cpu int, n uint64) {
	if l.told == nil {
		l.told = make(map[int]uint64)
	}
	l.told[cpu] += n
}

// count notes the losses of an event, and tells whether the record is of that kind:
// it has no time, and belongs to an event that was asked for its losses. Others are
// the kernel's own, of hardware that dropped samples.
func (f *File) count(r *perfring.LostSamples) bool {
	at := f.events.indexOf(r.SampleID.ID)
	if at < 0 || r.SampleID.Time != 0 || f.events.attrs[at].ReadFormat&perfring.ReadLost == 0 {
		return false
	}
	cpu, ok := f.cpuOfID[r.SampleID.ID]
	if !ok {
		cpu = -1
	}
	if f.losses.counted == nil {
		f.losses.counted = make(map[int]uint64)
	}
	f.losses.counted[cpu] += r.Lost
	f.result.Events[at].Lost += r.Lost
	return true
}

// settleLosses hands on what the rings have not told, at the end.
func (f *File) settleLosses() {
	l := &f.losses
	if _, unknown := l.counted[-1]; unknown {
		// One account for all CPUs.
		sum := func(m map[int]uint64) (n uint64) {
			for _, v := range m {
				n += v
			}
			return n
		}
		l.counted, l.told = map[int]uint64{-1: sum(l.counted)}, map[int]uint64{-1: sum(l.told)}
	}
	for _, cpu := range slices.Sorted(maps.Keys(l.counted)) {
		if l.counted[cpu] <= l.told[cpu] {
			continue
		}
		rec := &perfring.Lost{Lost: l.counted[cpu] - l.told[cpu]}
		rec.Type = perfring.RecordLost
		rec.Time = f.youngest
		f.result.Books.Count(rec, cpu)
		f.sink.Record(rec, cpu, -1)
	}
}
