// Package stat makes results of what package counting counted: rates, joules of
// each count, joules times time, metrics, and what several repeats say about all of
// them. A [Builder] makes a [Result], whose fields are the documented JSON; it is written
// as that, as text for people ([Text]), as comma-separated values ([CSV]) or in Go's
// benchmark format ([Result.WriteBench]).
//
// What was not counted is unknown everywhere, and never 0.
package stat
