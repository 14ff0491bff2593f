package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/gate"
	"github.com/energyprof/energyprof/report/pprofile"
)

// maxSummary bounds what is read of a summary or a manifest: a hundred thousand functions are 30 MB.
const maxSummary = 256 << 20

// summaryVersion is the last version of summaries that is read.
const summaryVersion = 1

// readJSON reads one object of a file.
func readJSON(in io.Reader, v any) error {
	d := json.NewDecoder(io.LimitReader(in, maxSummary))
	err := d.Decode(v)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the file is cut off: it ends within JSON")
	case err != nil:
		return fmt.Errorf("not JSON: %w", err)
	}
	if d.More() {
		return errors.New("more than one JSON object")
	}
	return nil
}

// readSummary reads what record --summary wrote.
func readSummary(in io.Reader) (*report.Summary, error) {
	var head struct {
		Version   *int             `json:"version"`
		Functions *json.RawMessage `json:"functions"`
		Runs      *json.RawMessage `json:"runs"`
	}
	var all json.RawMessage
	if err := readJSON(in, &all); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(all, &head); err != nil {
		return nil, fmt.Errorf("not a summary of a recording: %w", err)
	}
	switch {
	case head.Runs != nil && head.Functions == nil:
		return nil, errors.New("a manifest of runs: name its directory")
	case head.Version == nil || head.Functions == nil:
		return nil, errors.New("not a summary of a recording: it has no version and functions")
	case *head.Version > summaryVersion:
		return nil, fmt.Errorf("a summary of version %d: this energyprof reads %d at most", *head.Version, summaryVersion)
	}
	s := new(report.Summary)
	if err := json.Unmarshal(all, s); err != nil {
		return nil, fmt.Errorf("not a summary of a recording: %w", err)
	}
	return s, nil
}

// fromSummary is the amounts of a summary. Functions of several processes are one.
func fromSummary(s *report.Summary) (*amounts, error) {
	if s.Event != "" {
		return nil, fmt.Errorf("it has no CPU time but counts of %s", s.Event)
	}
	a := &amounts{elapsed: s.Seconds, functions: map[gate.Key]gate.Amount{}}
	known := func(joules *float64) float64 {
		if joules == nil {
			return 0
		}
		return *joules
	}
	a.describe(s)
	none := gate.Amount{Cycles: notKnown}
	if a.energy == "" {
		none.Joules = notKnown
	}
	a.total = none
	for _, f := range s.Functions {
		if f.CPUSeconds == 0 && known(f.Joules) == 0 {
			continue // it only called others
		}
		key := gate.Key{Name: withoutCopies(f.Name)}
		sum, seen := a.functions[key]
		if !seen {
			sum = none
		}
		sum.Seconds += f.CPUSeconds
		sum.Joules += known(f.Joules)
		a.functions[key] = sum
		a.total.Seconds += f.CPUSeconds
		a.total.Joules += known(f.Joules)
	}
	a.total.Seconds += s.LostSeconds
	a.total.Joules += known(s.LostJoules) + known(s.ActiveJoules) + known(s.PrefetchWriteBackJoules)
	a.static = known(s.BaselineJoules) + known(s.IdleJoules) + known(s.UnattributedJoules)
	return a, nil
}

// describe takes from a summary what a profile does not tell.
func (a *amounts) describe(s *report.Summary) {
	a.source = s.Source.Name
	if s.Command != nil {
		a.command = s.Command.Args
	}
	if s.Error != "" {
		a.notes = append(a.notes, a.file+": "+s.Error)
	}
	if s.BaselineJoules == nil {
		return // no energy
	}
	if a.energy == "" {
		a.energy = pprofile.EnergyType
		if !s.Source.Measured {
			a.energy = modelType
		}
	}
	a.method = string(s.Attribution.Method)
	a.staticFrom = staticOf(s.Attribution)
}

// staticOf says where the static power is from that functions are not charged for.
func staticOf(a report.Attribution) string {
	for _, fitted := range a.BaselineFitted {
		if fitted {
			return "fitted"
		}
	}
	for _, watts := range a.BaselineWatts {
		if watts > 0 {
			return "given"
		}
	}
	if a.Method == attribution.Share {
		return "idle CPUs'"
	}
	return "none"
}
