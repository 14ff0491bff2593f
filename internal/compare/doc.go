// Package compare shows what a comparison of two groups of runs found, which package
// gate made: as text for people ([Text]), as the documented JSON ([Result.WriteJSON]),
// as tables for GitHub ([Markdown]), as one page for browsers ([HTML]), and as a pprof
// profile of the difference ([Profile]).
//
// [New] makes a [Result] of a comparison. A result claims nothing that the comparison
// does not: functions that changed are those named under its family-wise error, all
// others are listed apart. What is unknown is unknown everywhere, and never 0.
package compare
