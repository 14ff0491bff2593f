package perfdata

import (
	"encoding/binary"
	"errors"

	"github.com/energyprof/energyprof/report/pprofile"
)

// The part of places: strings, mappings, the number of the program's mapping, locations with
// their frames. Counts, numbers and lengths are varints; mappings are numbered from 1, with 0 for none.

// placesWriter gives numbers to strings and mappings.
type placesWriter struct {
	strings  []byte
	count    uint64
	numberOf map[string]uint64
	mappings []byte
	mapped   map[pprofile.Mapping]uint64
}

func (w *placesWriter) text(s string) uint64 {
	n, ok := w.numberOf[s]
	if !ok {
		n = w.count
		w.count++
		w.numberOf[s] = n
		w.strings = binary.AppendUvarint(w.strings, uint64(len(s)))
		w.strings = append(w.strings, s...)
	}
	return n
}

func (w *placesWriter) mapping(m *pprofile.Mapping) uint64 {
	if m == nil {
		return 0
	}
	n, ok := w.mapped[*m]
	if !ok {
		n = uint64(len(w.mapped)) + 1
		w.mapped[*m] = n
		for _, v := range []uint64{m.Start, m.Limit, m.Offset, w.text(m.File), w.text(m.BuildID)} {
			w.mappings = binary.AppendUvarint(w.mappings, v)
		}
	}
	return n
}

func encodePlaces(o *Own) []byte {
	w := placesWriter{numberOf: map[string]uint64{}, mapped: map[pprofile.Mapping]uint64{}}
	main := w.mapping(o.Main)
	var locations []byte
	for _, l := range o.Locations {
		locations = binary.AppendUvarint(locations, w.mapping(l.Mapping))
		base := uint64(0)
		if l.Mapping != nil {
			base = l.Mapping.Start
		}
		locations = binary.AppendUvarint(locations, l.Address-base)
		locations = binary.AppendUvarint(locations, uint64(len(l.Lines)))
		for _, f := range l.Lines {
			for _, s := range []string{f.Function, f.SystemName, f.File} {
				locations = binary.AppendUvarint(locations, w.text(s))
			}
			locations = binary.AppendVarint(locations, f.Line)
			locations = binary.AppendVarint(locations, f.StartLine)
		}
	}
	out := binary.AppendUvarint(nil, w.count)
	out = append(out, w.strings...)
	out = binary.AppendUvarint(out, uint64(len(w.mapped)))
	out = append(out, w.mappings...)
	out = binary.AppendUvarint(out, main)
	out = binary.AppendUvarint(out, uint64(len(o.Locations)))
	return append(out, locations...)
}

var errPlaces = errors.New("the names make no sense")

// placesReader reads varints; after the first that is not there it gives zeros.
type placesReader struct {
	b      []byte
	failed bool
}

func (r *placesReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *placesReader) signed() int64 {
	v := r.number()
	return int64(v>>1) ^ -int64(v&1)
}

// below reads an index into something of n elements.
func (r *placesReader) below(n int) int {
	v := r.number()
	if v >= uint64(n) {
		r.failed, r.b = true, nil
		return 0
	}
	return int(v)
}

// count reads how many things of at least so many bytes follow.
func (r *placesReader) count(bytes int) int {
	return r.below(len(r.b)/bytes + 1)
}

func (o *Own) decodePlaces(b []byte) error {
	r := &placesReader{b: b}
	texts := make([]string, r.count(1))
	for i := range texts {
		n := r.below(len(r.b) + 1)
		texts[i] = string(r.b[:n])
		r.b = r.b[n:]
	}
	text := func() string {
		if i := r.below(len(texts)); !r.failed {
			return texts[i]
		}
		return ""
	}
	mappings := make([]*pprofile.Mapping, 1+r.count(5))
	for i := range mappings[1:] {
		mappings[1+i] = &pprofile.Mapping{Start: r.number(), Limit: r.number(), Offset: r.number(), File: text(), BuildID: text()}
	}
	o.Main = mappings[r.below(len(mappings))]
	o.Locations = make([]*pprofile.Location, r.count(3))
	for i := range o.Locations {
		l := &pprofile.Location{Mapping: mappings[r.below(len(mappings))], Address: r.number()}
		if l.Mapping != nil {
			l.Address += l.Mapping.Start
		}
		if n := r.count(5); n > 0 {
			l.Lines = make([]pprofile.Frame, n)
		}
		for k := range l.Lines {
			l.Lines[k] = pprofile.Frame{Function: text(), SystemName: text(), File: text(), Line: r.signed(), StartLine: r.signed()}
		}
		o.Locations[i] = l
		if r.failed {
			break
		}
	}
	if r.failed || len(r.b) > 0 {
		return errPlaces
	}
	return nil
}
