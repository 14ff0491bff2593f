// Package counting is one run of counters: on a command, on processes or on whole
// CPUs, once or repeatedly, as one sum or interval by interval, with the joules of the same
// time beside. [Count] does it; [Aggregate] sums the counters of an event up by
// place, and [Summarize] the repeats.
package counting
