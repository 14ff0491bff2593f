package verdict

import (
	"encoding/json"
	"fmt"
	"io"
)

// badge is what the endpoint badge of shields.io reads (shields.io/badges/endpoint-badge).
type badge struct {
	SchemaVersion int    `json:"schemaVersion"`
	Label         string `json:"label"`
	Message       string `json:"message"`
	Color         string `json:"color"`
}

// Badge writes the JSON of a badge: the change of the total that decided, or else of the first limit on a total.
func (r *Report) Badge(w io.Writer) error {
	b := badge{SchemaVersion: 1, Label: "energyprof", Message: r.Decision,
		Color: map[string]string{Pass: "brightgreen", Fail: "red", Undecided: "yellow", Refused: "lightgrey"}[r.Decision]}
	if v := r.shown(); v != nil {
		b.Label = v.Limit.label()
		if v.Change != nil {
			b.Message = signed(v.Change) + ", " + r.Decision
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(b); err != nil {
		return fmt.Errorf("writing the badge: %w", err)
	}
	return nil
}

// shown is the verdict that a badge is about: on a total, with the decision of the whole if there is one.
func (r *Report) shown() *Verdict {
	var first *Verdict
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		if v.Limit.Pattern != "" {
			continue
		}
		if v.Decision == r.Decision {
			return v
		}
		if first == nil {
			first = v
		}
	}
	return first
}
