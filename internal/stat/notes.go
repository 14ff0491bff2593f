package stat

import (
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/counting"
)

// wholeRuns leaves out the repeat that a signal cut short, if there are others: it
// would pass for a fast one.
func wholeRuns(result *counting.Result) []counting.Run {
	if n := len(result.Runs); n > 1 && result.Signal != 0 {
		return result.Runs[:n-1]
	}
	return result.Runs
}

// nameHolders says which processes may hold the PMUs that were busy.
func (b *Builder) nameHolders(r *Result) {
	for i := range r.Counts {
		if r.Counts[i].State != stateName(counting.Busy) {
			continue
		}
		if b.holders == nil {
			b.holders = []string{}
			for _, h := range counting.Holders(b.Options.Proc) {
				b.holders = append(b.holders, fmt.Sprintf("%s (%d)", h.Comm, h.PID))
			}
		}
		r.Counts[i].Holders = b.holders
	}
}

// notes are what a reader of the numbers must know.
func (b *Builder) notes(result *counting.Result, r *Result) []string {
	notes := slices.Clone(b.remarks)
	for _, n := range result.Notes {
		text := n.Text
		if hint := b.AdviceOnNote(n); hint != "" {
			text += ": " + hint
		}
		notes = append(notes, text)
	}
	switch asked := b.Options.Repeats; {
	case r.Repeats == asked:
	case len(result.Runs) == 1:
		notes = append(notes, fmt.Sprintf("%v ended the first of %d repeats", result.Signal, asked))
	default:
		notes = append(notes, fmt.Sprintf("%d of %d repeats: %v ended the next one, which is left out", r.Repeats, asked, result.Signal))
	}
	if c := r.Command; c != nil && r.Repeats > 1 && c.Failed > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d repeats failed", c.Failed, r.Repeats))
	}
	told := map[string]bool{}
	for _, c := range r.Counts {
		if c.err == nil || c.State == stateName(counting.NotSupported) {
			continue
		}
		if hint := b.Advice(c.err); hint != "" && !told[hint] {
			told[hint] = true
			notes = append(notes, c.Event+": "+c.Reason+": "+hint)
		}
	}
	if b.Options.Energy == nil {
		return notes
	}
	notes = append(notes, b.SourceRemarks...)
	notes = append(notes, b.Options.Energy.Info().Notes...)
	if text := b.shortRun(b.shortest(result.Runs)); text != "" {
		notes = append(notes, text)
	}
	return notes
}
