package perfdata

import "github.com/energyprof/energyprof/perfring"

// counterKey names a count that goes on from sample to sample: that of an
// event's copy, or of a thread's part of it when threads are counted one by one.
type counterKey struct {
	id  uint64
	tid uint32
}

// readSample hands on a sample that carries the values of the counters of its
// group (perf record -e '{...}:S'). As in perf (deliver_sample_group in
// tools/perf/util/session.c) it stands for one sample of each, whose period is what
// was counted since the sample before; of a counter that stood still there is none.
func (f *File) readSample(s *perfring.Sample, cpu int, perThread bool) {
	id, period := s.ID, s.Period
	for _, v := range s.Read {
		event := f.events.indexOf(v.ID)
		if event < 0 {
			f.result.Foreign++
			continue
		}
		if f.energy.take(s, cpu, event, v) {
			continue
		}
		key := counterKey{id: v.ID}
		if perThread {
			key.tid = s.TID
		}
		before, known := f.counts[key]
		if known || len(f.counts) < maxCounters {
			f.counts[key] = v.Value
		}
		counted := v.Value - before
		if counted == 0 {
			continue
		}
		s.ID, s.Period = v.ID, counted
		f.book(s, event)
		f.sink.Record(s, cpu, event)
	}
	s.ID, s.Period = id, period
}

// maxCounters bounds the counts of threads that are remembered.
const maxCounters = 1 << 20
