package compare

// Result is what `energyprof diff --json` prints: docs/diff.md has the meaning of the
// fields, docs/diff.schema.json their types. Numbers are those of one run: the centres of
// the runs of a side (gate.Change).
type Result struct {
	Version     int          `json:"version"` // 1
	Old         Side         `json:"old"`
	New         Side         `json:"new"`
	Differences []Difference `json:"differences"` // of what the sides ran on and how they were measured

	FamilyError float64 `json:"family_error"` // that any function or total is called significant which did not change
	Confidence  float64 `json:"confidence"`   // of the intervals
	Tests       int     `json:"tests"`        // that share FamilyError
	Paired      bool    `json:"paired"`       // the runs were made in turn, and each is compared with its other

	Totals []Change `json:"totals"`
	// What moved the total energy, as of a Function, but by elapsed time.
	Because     string   `json:"because,omitempty"`
	TimeJoules  *float64 `json:"time_joules,omitempty"`
	PowerJoules *float64 `json:"power_joules,omitempty"`

	Changed []Function `json:"changed"` // named under FamilyError, the largest first
	Others  []Function `json:"others"`  // on both sides and not named, the largest first
	Added   []Single   `json:"added"`   // in no run of the old side
	Removed []Single   `json:"removed"` // in no run of the new side
	Renamed []Renaming `json:"renamed"` // pairs of the two, which are in neither of them
	// Small are functions that are not tested: they take less on average than MinJoules, which is null without joules,
	// and than MinSeconds of CPU time, or are missing in runs of both sides.
	Small      int      `json:"small"`
	MinJoules  *float64 `json:"min_joules"`
	MinSeconds float64  `json:"min_seconds"`
	Notes      []string `json:"notes"`
}

// Side is one of the two groups of runs.
type Side struct {
	Name    string   `json:"name"` // of the file or directory
	Runs    int      `json:"runs"`
	Command []string `json:"command,omitempty"`
	Source  *Source  `json:"source,omitempty"` // of the joules; nil: there are none
}

// Source says where joules come from.
type Source struct {
	Name     string `json:"name"`
	Measured bool   `json:"measured"`
}

// Difference is what the sides do not have in common, or what nobody knows whether they do.
type Difference struct {
	Kind string `json:"kind"` // machine, source, ...
	What string `json:"what"` // "CPU", "kernel"
	Old  string `json:"old"`
	New  string `json:"new"`
	Text string `json:"text"` // a sentence of all that
}

// The quantities of a Change. Joules and watts of a model have names of their own.
const (
	Energy      = "energy"       // J
	EnergyModel = "energy_model" // J, estimated
	Time        = "time"         // s of CPU time
	Elapsed     = "elapsed"      // s of wall time
	Power       = "power"        // W: of all by elapsed time, of a function by its CPU time
	PowerModel  = "power_model"  // W, estimated
	Cycles      = "cycles"       // a count
)

// Their units.
const (
	unitJoules   = "J"
	unitSeconds  = "s"
	unitWatts    = "W"
	unitOfCounts = "count"
)

// Change is a quantity on both sides. All that one run of a side cannot say is null.
type Change struct {
	Quantity   string   `json:"quantity"`
	Unit       string   `json:"unit"`
	Old        *float64 `json:"old"`
	New        *float64 `json:"new"`
	Difference *float64 `json:"difference"` // New - Old
	Change     *float64 `json:"change"`     // relative to Old, as are all that follow
	Low        *float64 `json:"low"`        // the interval of Change
	High       *float64 `json:"high"`
	P          *float64 `json:"p"`
	Adjusted   *float64 `json:"adjusted"` // P after Holm: what is compared with the family's error
	// Significant says that Adjusted is below it.
	Significant bool     `json:"significant"`
	Noise       *float64 `json:"noise"`      // standard deviation of a run
	Detectable  *float64 `json:"detectable"` // the smallest change that so many runs show in 95 of 100 cases
}

// Function is a function of both sides.
type Function struct {
	Name       string   `json:"name"`
	Library    string   `json:"library,omitempty"`
	Quantities []Change `json:"quantities"`
	// Of a function that is named: time, power or both.
	Because string `json:"because,omitempty"`
	// TimeJoules and PowerJoules add up to the difference of the energy: seconds
	// that came or went, and watts that did.
	TimeJoules  *float64 `json:"time_joules,omitempty"`
	PowerJoules *float64 `json:"power_joules,omitempty"`
}

// Single is a function of one side.
type Single struct {
	Name    string   `json:"name"`
	Library string   `json:"library,omitempty"`
	Joules  *float64 `json:"joules,omitempty"`       // measured
	Model   *float64 `json:"joules_model,omitempty"` // estimated
	Seconds *float64 `json:"seconds,omitempty"`      // of CPU time
}

// Renaming is a function that went and one that came, which look alike.
type Renaming struct {
	Old Single `json:"old"`
	New Single `json:"new"`
}

// quantity finds one of changes by name.
func quantity(changes []Change, names ...string) *Change {
	for i := range changes {
		for _, name := range names {
			if changes[i].Quantity == name {
				return &changes[i]
			}
		}
	}
	return nil
}

// estimated tells whether a change is of joules or watts of a model.
func (c *Change) estimated() bool { return c.Quantity == EnergyModel || c.Quantity == PowerModel }

// joules are the joules of a function, measured or estimated.
func (s *Single) joules() *float64 {
	if s.Model != nil {
		return s.Model
	}
	return s.Joules
}
