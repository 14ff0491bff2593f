package memory

// Result is what the samples of a recording came to, in the stable form of `energyprof mem --json`:
// docs/mem.md has the meaning of every field, docs/mem.schema.json its type. What is not
// known is null or absent, never 0.
type Result struct {
	Version int      `json:"version"` // 1
	Command *Command `json:"command,omitempty"`
	Seconds float64  `json:"seconds"`
	Source  *Source  `json:"source,omitempty"` // of the joules of DRAM; nil: there are none

	Events []EventRow `json:"events"` // the books
	Total  Sum        `json:"total"`  // of all samples, its joules with those of Synthetic

	Functions []FunctionRow `json:"functions"` // by function and level
	Heat      *Heat         `json:"heat,omitempty"`
	Pages     []PageRow     `json:"pages"`
	Lines     []LineRow     `json:"lines"` // cache lines, those that are fought for first
	Nodes     []NodeRow     `json:"nodes"`
	Synthetic []Synthetic   `json:"synthetic"` // joules of no function, page, line or node

	// What is in no row: of pages beyond the limit or without address, and what Keep took away.
	OtherFunctions *Rest `json:"other_functions,omitempty"`
	OtherPages     *Rest `json:"other_pages,omitempty"`
	OtherLines     *Rest `json:"other_lines,omitempty"`

	Notes []string `json:"notes"`

	counted []string // the events of Sum.Counts
}

// Command is the command that was recorded and how it ended: by exit code or by
// signal ("SIGTERM"); neither if it was not seen to end.
type Command struct {
	Args     []string `json:"args"`
	ExitCode *int     `json:"exit_code,omitempty"`
	Signal   string   `json:"signal,omitempty"`
}

// Source says where the joules come from.
type Source struct {
	Name     string `json:"name"`
	Measured bool   `json:"measured"`
}

// EventRow is what became of an event. Nothing is scaled up for what was lost.
type EventRow struct {
	Event     string  `json:"event"`
	Memory    bool    `json:"memory"`     // its samples say what served them
	Samples   uint64  `json:"samples"`    // that were delivered
	Used      *uint64 `json:"used"`       // that are in the tables: of an access that is in the profile; null of the clock
	StandsFor uint64  `json:"stands_for"` // sum of the periods of all samples
	// As the kernel read at the end; null where nobody asked it.
	Counted        *uint64  `json:"counted"`
	EnabledSeconds *float64 `json:"enabled_seconds"`
	RunningSeconds *float64 `json:"running_seconds"`
	// Lost is records that found no room (PERF_FORMAT_LOST); null before Linux 6.0, which does not tell them by event.
	Lost        *uint64 `json:"lost"`
	LostSamples uint64  `json:"lost_samples"` // that the hardware dropped
	Throttles   uint64  `json:"throttles"`
	Unthrottles uint64  `json:"unthrottles"`
}

// Sum is what some of the samples come to. Loads, Stores, Counts and what is weighted are of what the
// samples stand for (their periods).
type Sum struct {
	Samples uint64            `json:"samples"`
	Share   float64           `json:"share"` // of all accesses; without any, of all counts
	Loads   uint64            `json:"loads"`
	Stores  uint64            `json:"stores"`
	Counts  map[string]uint64 `json:"counts,omitempty"` // of page faults and breakpoints, by event
	// MeanLatency is in cycles, of the accesses that have a latency; nil if none has.
	MeanLatency  *float64 `json:"mean_latency"`
	P95Latency   *float64 `json:"p95_latency,omitempty"` // not of pages and rests
	LatencyShare float64  `json:"latency_share"`         // of the cycles of all accesses
	MemoryBytes  uint64   `json:"memory_bytes"`          // 64 for each load that memory served: the weight of the joules
	Joules       *float64 `json:"dram_joules"`           // nil without a source

	accesses      uint64
	cycles, timed float64 // of MeanLatency: all latencies, and how many
}

// FunctionRow is what a function of a process had from one level.
type FunctionRow struct {
	Function string `json:"function"`
	Process  string `json:"process"`
	Level    string `json:"level"` // "" of page faults, breakpoints, and joules of stacks without samples of memory
	Sum
}

// Synthetic is energy that belongs to no function.
type Synthetic struct {
	Name   string  `json:"name"` // as in the profile: "[baseline]"
	Joules float64 `json:"dram_joules"`
}

// Heat is the time that the slots of pages cover.
type Heat struct {
	StartNanoseconds uint64  `json:"start_nanoseconds"` // by the clock of the samples
	SlotSeconds      float64 `json:"slot_seconds"`
	Slots            int     `json:"slots"`
}

// PageRow is a page of a process.
type PageRow struct {
	Address         string            `json:"address"`                    // hexadecimal: "0x7f3a12345000"
	PhysicalAddress string            `json:"physical_address,omitempty"` // as of its last sample that had one
	Bytes           uint64            `json:"bytes"`                      // its size
	Process         string            `json:"process"`
	PID             int               `json:"pid"`             // 0: the kernel's, in all processes; -1: of one that had ended
	Node            *int              `json:"node"`            // as of its last sample
	Moved           uint64            `json:"moved,omitempty"` // how often it was on another node than before
	Levels          map[string]uint64 `json:"levels"`          // samples by level
	Functions       []string          `json:"functions"`       // that accessed it most, at most three
	Heat            []uint64          `json:"heat"`            // accesses or counts in each slot of time
	Sum
}

// NodeRow is a NUMA node.
type NodeRow struct {
	Node *int   `json:"node"` // nil: of accesses whose node is not known
	CPUs string `json:"cpus"` // kernel's list form; "" of memory without CPUs (CXL, PMEM)
	// Remote is how many accesses or counts are from CPUs of other nodes; nil if the nodes are not known.
	Remote *uint64 `json:"remote"`
	Sum
}

// Rest is what is in no row of a table.
type Rest struct {
	Rows uint64 `json:"rows"` // that were left out; what was never told apart is none
	Sum
}

// merge adds what another part of the samples comes to.
func (s *Sum) merge(o *Sum) {
	s.Samples += o.Samples
	s.Share += o.Share
	s.Loads, s.Stores = plus(s.Loads, o.Loads), plus(s.Stores, o.Stores)
	for event, n := range o.Counts {
		if s.Counts == nil {
			s.Counts = map[string]uint64{}
		}
		s.Counts[event] = plus(s.Counts[event], n)
	}
	s.accesses, s.cycles, s.timed = plus(s.accesses, o.accesses), s.cycles+o.cycles, s.timed+o.timed
	s.MeanLatency, s.P95Latency = s.mean(), nil
	s.LatencyShare += o.LatencyShare
	s.MemoryBytes = plus(s.MemoryBytes, o.MemoryBytes)
	if o.Joules != nil {
		j := *o.Joules
		if s.Joules != nil {
			j += *s.Joules
		}
		s.Joules = &j
	}
}

func (s *Sum) mean() *float64 {
	if s.timed == 0 {
		return nil
	}
	mean := s.cycles / s.timed
	return &mean
}

// activity is what heat is made of: accesses, and counts of page faults and breakpoints.
func (s *Sum) activity() uint64 {
	all := s.accesses
	for _, n := range s.Counts {
		all = plus(all, n)
	}
	return all
}

// Keep leaves at most n rows of functions, pages and lines (0: all); the others are summed up.
func (r *Result) Keep(n int) {
	if n <= 0 {
		return
	}
	r.Functions, r.OtherFunctions = keep(r.Functions, n, r.OtherFunctions, func(row *FunctionRow) *Sum { return &row.Sum })
	r.Pages, r.OtherPages = keep(r.Pages, n, r.OtherPages, func(row *PageRow) *Sum { return &row.Sum })
	r.Lines, r.OtherLines = keep(r.Lines, n, r.OtherLines, func(row *LineRow) *Sum { return &row.Sum })
}

// keep sums up the rows from n on in the rest of a table.
func keep[Row any](rows []Row, n int, rest *Rest, sum func(*Row) *Sum) ([]Row, *Rest) {
	if len(rows) <= n {
		return rows, rest
	}
	var all Rest
	if rest != nil {
		all = *rest
	}
	for i := n; i < len(rows); i++ {
		all.Rows++
		all.merge(sum(&rows[i]))
	}
	return rows[:n], &all
}
