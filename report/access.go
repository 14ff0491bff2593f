package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// Accesses is the memory accesses of a profile by function, process or thread, and by where the data were. Joules are
// the memory's, which loads from it share; they are not those of the CPU time, so there are no watts.
type Accesses struct {
	By By
	// Energy is the sample type of the joules: energy_dram, or what the profile has in place of it; "" if it has none.
	Energy        string
	Loads, Stores int64
	Joules        float64     // of all rows
	Rows          []AccessRow // by Joules, then all cycles, then loads and stores, all falling, then by name
	Missing       []string
	Comments      []string
}

// AccessRow is what one function (process, thread) got from one place, or one of the synthetic frames.
type AccessRow struct {
	Name       string   `json:"name"`
	Process    string   `json:"process"`
	PID        *int64   `json:"pid,omitempty"` // by process and by thread
	TID        *int64   `json:"tid,omitempty"` // by thread
	Synthetic  bool     `json:"synthetic,omitempty"`
	DataSource string   `json:"data_src,omitempty"`
	Loads      int64    `json:"loads"`
	Stores     int64    `json:"stores"`
	Latency    *float64 `json:"latency_cycles,omitempty"` // mean of the loads, absent without any
	Joules     *float64 `json:"joules,omitempty"`
	Share      *float64 `json:"share,omitempty"` // of all joules, absent if there are none

	uj, cycles, all int64 // all: cycles of stores as well
}

// accessTypes are the indices of the sample types of memory accesses; ok is false if one of them is not there.
func accessTypes(p *profile.Profile) (loads, stores, latency int, ok bool) {
	loads, stores = sampleType(p, pprofile.Loads, "count"), sampleType(p, pprofile.Stores, "count")
	latency = sampleType(p, pprofile.Latency, pprofile.LatencyUnit)
	return loads, stores, latency, loads >= 0 && stores >= 0 && latency >= 0
}

// ReadAccesses sums up the memory accesses of a profile by one of Bys. ok is false if it has no sample types of them, or if
// what has joules is not them but CPU time: the energy of a package, recorded beside accesses.
func ReadAccesses(p *profile.Profile, by By) (a *Accesses, ok bool) {
	loads, stores, latency, ok := accessTypes(p)
	if !ok {
		return nil, false
	}
	a = &Accesses{By: by}
	_, a.Comments = readIntervals(p)
	t := Table{}
	energy := t.chooseEnergy(p)
	if a.Energy = t.Energy; energy < 0 {
		a.Missing = t.Missing
	}
	type id struct {
		name, process, source string
		pid, tid              int64
		synthetic             bool
	}
	rows := map[id]*AccessRow{}
	var order []id
	var uj int64
	for _, s := range p.Sample {
		if energy >= 0 && byTime(s, energy, loads, stores) {
			return nil, false
		}
		key := id{process: labelOf(s, "process"), source: labelOf(s, "data_src")}
		name, synthetic := pprofile.IsSynthetic(s)
		switch {
		case synthetic:
			key = id{name: name, synthetic: true}
		case by == ByFunction:
			key.name = unknown
			if len(s.Location) > 0 {
				key.name = locationNames(s.Location[0])[0]
			}
		default:
			key.pid, key.name = numberOf(s, "pid"), cmp.Or(key.process, unknown)
			if by == ByThread {
				key.tid, key.name = numberOf(s, "tid"), cmp.Or(labelOf(s, "thread"), key.name)
			}
		}
		r := rows[key]
		if r == nil {
			r = &AccessRow{Name: key.name, Process: key.process, Synthetic: synthetic, DataSource: key.source}
			if by != ByFunction && !synthetic {
				r.PID = &key.pid
			}
			if by == ByThread && !synthetic {
				r.TID = &key.tid
			}
			rows[key] = r
			order = append(order, key)
		}
		r.Loads += s.Value[loads]
		r.Stores += s.Value[stores]
		r.all += s.Value[latency]
		if s.Value[loads] > 0 { // loads and stores are samples of their own
			r.cycles += s.Value[latency]
		}
		if energy >= 0 {
			r.uj += s.Value[energy]
		}
	}
	for _, key := range order {
		r := rows[key]
		if r.Loads == 0 && r.Stores == 0 && r.uj == 0 {
			continue // CPU time alone
		}
		a.Loads += r.Loads
		a.Stores += r.Stores
		uj += r.uj
		a.Rows = append(a.Rows, *r)
	}
	a.Joules = float64(uj) / 1e6
	for i := range a.Rows {
		r := &a.Rows[i]
		if r.Loads > 0 {
			mean := float64(r.cycles) / float64(r.Loads)
			r.Latency = &mean
		}
		if energy >= 0 {
			joules := float64(r.uj) / 1e6
			r.Joules = &joules
		}
		if uj > 0 {
			share := float64(r.uj) / float64(uj)
			r.Share = &share
		}
	}
	slices.SortStableFunc(a.Rows, func(x, y AccessRow) int {
		return cmp.Or(cmp.Compare(y.uj, x.uj), cmp.Compare(y.all, x.all), cmp.Compare(y.Loads+y.Stores, x.Loads+x.Stores),
			cmp.Compare(x.Name, y.Name), cmp.Compare(x.Process, y.Process), cmp.Compare(x.DataSource, y.DataSource))
	})
	return a, true
}

// byTime tells whether a sample has joules, and neither accesses nor a synthetic frame that they could be of.
func byTime(s *profile.Sample, energy, loads, stores int) bool {
	_, synthetic := pprofile.IsSynthetic(s)
	return !synthetic && s.Value[energy] > 0 && s.Value[loads] == 0 && s.Value[stores] == 0
}

// Text writes the first rows (0 for all) for a terminal of the given width in characters (0 for any).
func (a *Accesses) Text(w io.Writer, rows, width int) error {
	var b strings.Builder
	for _, c := range a.Comments {
		fmt.Fprintln(&b, "# "+terminal(c))
	}
	for _, m := range a.Missing {
		fmt.Fprintln(&b, "missing: "+terminal(m))
	}
	if b.Len() > 0 {
		fmt.Fprintln(&b)
	}
	if err := writeColumns(&b, a.cells(a.shown(rows)), width); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells are the head, the rows, those that are left out in one line, and the total.
func (a *Accesses) cells(shown int) [][]string {
	energy, estimate := a.Energy != "", a.Energy == pprofile.EnergyModelType
	processes := map[string]bool{}
	for i := range a.Rows {
		if !a.Rows[i].Synthetic {
			processes[a.Rows[i].Process] = true
		}
	}
	names := Table{By: a.By}
	line := func(r *AccessRow, name string) []string {
		var c []string
		if energy {
			c = append(c, joules(float64(r.uj)/1e6))
			if estimate {
				c = append(c, estimated)
			}
			c = append(c, share(float64(r.uj)/1e6, a.Joules))
		}
		number := func(n int64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatInt(n, 10)
		}
		cycles := ""
		if r.Latency != nil {
			cycles = strconv.FormatFloat(*r.Latency, 'f', 0, 64)
		}
		return append(c, number(r.Loads), number(r.Stores), cycles, terminal(r.DataSource), name)
	}
	head := []string{"loads", "stores", "cycles", "data_src", string(a.By)}
	switch {
	case estimate:
		head = append([]string{"joules", "", "share"}, head...)
	case energy:
		head = append([]string{"joules", "share"}, head...)
	}
	out := [][]string{head}
	var rest, total AccessRow
	for i := range a.Rows {
		r := &a.Rows[i]
		for _, sum := range []*AccessRow{&total, &rest} {
			if sum == &total || i >= shown {
				sum.Loads, sum.Stores, sum.uj, sum.cycles = sum.Loads+r.Loads, sum.Stores+r.Stores, sum.uj+r.uj, sum.cycles+r.cycles
			}
		}
		if i < shown {
			row := Row{Name: r.Name, Process: r.Process, Synthetic: r.Synthetic}
			if r.PID != nil {
				row.PID = *r.PID
			}
			if r.TID != nil {
				row.TID = *r.TID
			}
			out = append(out, line(r, names.name(row, len(processes) > 1)))
		}
	}
	for _, sum := range []*AccessRow{&rest, &total} {
		if sum.Loads > 0 {
			mean := float64(sum.cycles) / float64(sum.Loads)
			sum.Latency = &mean
		}
	}
	if more := len(a.Rows) - shown; more > 0 {
		out = append(out, line(&rest, fmt.Sprintf("(%d more)", more)))
	}
	return append(out, line(&total, "total"))
}

func (a *Accesses) shown(rows int) int {
	if rows <= 0 || rows > len(a.Rows) {
		return len(a.Rows)
	}
	return rows
}

// JSON writes the first rows (0 for all) with full names: an object with version (1), by, energy (the sample type of the
// joules), loads, stores and joules of all rows, missing, and rows. What the profile lacks is absent, not 0.
func (a *Accesses) JSON(w io.Writer, rows int) error {
	out := struct {
		Version int         `json:"version"`
		By      By          `json:"by"`
		Energy  string      `json:"energy,omitempty"`
		Loads   int64       `json:"loads"`
		Stores  int64       `json:"stores"`
		Joules  *float64    `json:"joules,omitempty"`
		Missing []string    `json:"missing,omitempty"`
		Rows    []AccessRow `json:"rows"`
	}{1, a.By, a.Energy, a.Loads, a.Stores, nil, a.Missing, append([]AccessRow{}, a.Rows[:a.shown(rows)]...)}
	if a.Energy != "" {
		out.Joules = &a.Joules
	}
	return writeJSON(w, out)
}
