// Package perfdata reads and writes perf.data, the file of Linux perf: what
// perf record wrote is read as the same ordered stream of records that a live
// recording is, and a recording can be written so that perf reads it.
//
// The format is that of tools/perf/Documentation/perf.data-file-format.txt,
// tools/perf/util/header.c and tools/lib/perf/include/perf/event.h of the
// kernel's sources. A file is
//
//	header: magic, sizes, places of the sections, bits of the features
//	attributes: struct perf_event_attr and the place of its ids, for each event
//	data: records of the kernel, and of perf itself (types from 64 on)
//	places of the features, in the order of their bits; the features
//
// In a pipe there is no seeking back, so only a magic and a size precede the
// records, and attributes and features are records themselves.
package perfdata
