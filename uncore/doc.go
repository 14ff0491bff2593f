// Package uncore counts what happens outside the cores of a processor (memory
// controllers, interconnects, CXL links, C-states) and inside them, and says
// what the counts mean.
//
// A [Machine] is where it looks: sysfs says which boxes there are
// ([Machine.Boxes]) and what the kernel calls their events; tables that come
// with the package, and event files of the user ([ReadPerfmon]), give names to
// codes ([Machine.Lookup]); [Machine.Metrics] are the figures that follow from
// counts, each with its formula and the source of it.
//
// [Machine.Events] understands what a user asks to count, and [Events.Open] makes
// counters of it: one for each instance of a PMU, for threads or for CPUs.
//
// Tables are read when a name is first asked for, never at the start of a
// program.
package uncore
