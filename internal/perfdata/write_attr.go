package perfdata

import (
	"fmt"
)

// leastAttr is what perf itself writes at least since Linux 4.8 (PERF_ATTR_SIZE_VER5): some readers
// expect no less.
const leastAttr = 112

// encodeAttrs returns the attributes of events, all of one size as the header wants it, and their ids.
func encodeAttrs(events []Event) (attrs, ids [][]byte, err error) {
	size := leastAttr
	for i := range events {
		a := &events[i].Attr
		if a.SampleFormat&trailerFormat != writtenFormat {
			return nil, nil, fmt.Errorf("event %s: its records have sample format %#x: those of the file have %#x at their end", events[i].Name, a.SampleFormat, writtenFormat)
		}
		b, err := a.AppendBinary(nil)
		if err != nil {
			return nil, nil, err
		}
		attrs = append(attrs, b)
		size = max(size, len(b))
		ids = append(ids, numbers64(nil, events[i].IDs...))
	}
	if len(attrs) == 0 {
		return nil, nil, ErrNoEvents
	}
	for i, b := range attrs {
		attrs[i] = append(b, make([]byte, size-len(b))...)
		native.PutUint32(attrs[i][4:], uint32(size))
	}
	return attrs, ids, nil
}
