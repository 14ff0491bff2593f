// Package memory says what samples of memory accesses come to: per function and
// level of the memory hierarchy, per page with its heat over time, per cache line
// and per NUMA node. A [Table] takes the samples in bounded memory while they come;
// [Table.Result] puts the names, the joules and the books of the recording to them,
// and a [Result] is written as text for people or as the documented JSON.
//
// Samples of page faults and of hardware breakpoints, which have an address but do
// not tell what served it, go the same way: they are counted by event in place of
// loads and stores, and have no latency.
//
// What was not kept because there was too much of it is counted and said, and
// nothing is scaled up for what was lost.
package memory
