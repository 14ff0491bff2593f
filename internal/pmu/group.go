package pmu

// Group is events that are counted at the same times or not at all.
type Group struct {
	Events []Event // the leader first
	Braces bool    // written as {a,b}
	Sample bool    // :S, read the members when the leader is sampled
	Weak   bool    // :W, may be split where it does not fit
}

// ParseGroups reads a list of events and groups of events, {a,b}:modifiers. An
// event outside braces is a group of one. Where a PMU of a group stands for
// several, there is one group for each.
func (f FS) ParseGroups(spec string) ([]Group, error) {
	var groups []Group
	term := 0
	for rest, more := spec, true; more; {
		var one string
		one, rest, more = cutEvent(rest)
		events, err := f.parse(one)
		if err != nil {
			return nil, err
		}
		for _, ev := range events {
			ev.Term = term
			groups = append(groups, Group{Events: []Event{ev}})
		}
		term++
	}
	return groups, nil
}
