package perfdata

import "github.com/energyprof/energyprof/perfring"

// book enters a record in the books of an event; -1 is none.
func (f *File) book(rec perfring.Record, event int) {
	if event < 0 {
		return
	}
	f.result.Events[event].Count(rec)
	if _, ok := rec.(*perfring.Sample); ok {
		f.result.Samples[event]++
	}
}

// knowEvents makes room for all events that are known by now.
func (f *File) knowEvents() {
	for i := len(f.result.Events); i < len(f.Events); i++ {
		f.result.Samples = append(f.result.Samples, 0)
		f.result.Events = append(f.result.Events, perfring.EventBooks{})
	}
}

// settleBooks completes the books at the end.
func (f *File) settleBooks() {
	f.knowEvents()
	whole := f.Own == nil && f.result.Truncated < 0
	for i := range f.Events {
		b := &f.result.Events[i]
		b.Name = f.Events[i].Name
		b.HasLost = whole && f.Events[i].Attr.ReadFormat&perfring.ReadLost != 0
		if !b.HasLost {
			b.Lost = 0
		}
	}
	if f.Own != nil {
		copy(f.result.Events, f.Own.Books)
	}
}
