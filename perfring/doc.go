// Package perfring is the boundary to the kernel's perf events: it opens
// them, maps their rings, drains the records and decodes them.
//
// [Attr] mirrors struct perf_event_attr and [Open] is perf_event_open(2).
// [Ring] reads the memory that the kernel and a reader share: [Ring.Drain]
// hands over every record that is present, in place, and frees the space
// once. [Decoder] turns the bytes of a record into a struct without
// allocating. [Books] counts what was lost, throttled or not understood.
//
// A ring works on plain memory as well, and a decoder takes bytes from
// anywhere, so records that were written to a file are read by the same code
// as those of a live kernel.
//
// The layout of everything here is that of include/uapi/linux/perf_event.h
// in the machine's own byte order. Times are nanoseconds of the clock that
// the event's attributes name.
package perfring
