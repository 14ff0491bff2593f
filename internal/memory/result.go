package memory

// Result is what the samples of a recording came to, in the stable form of `energyprof mem --json`:
// docs/mem.md has the meaning of every field, docs/mem.schema.json its type. What is not
// known is null or absent, never 0.
type Result struct {
	Version int      `json:"version"` // 1
	Command *Command `json:"command,omitempty"`
	Seconds float64  `json:"seconds"`
	Source  *Source  `json:"source,omitempty"` // nil: no joules of DRAM

	Events []EventRow `json:"events"` // the books
	Total  Sum        `json:"total"`  // of all samples, and of the synthetic rows

	Functions []FunctionRow `json:"functions"` // by function and level
	Synthetic []Synthetic   `json:"synthetic"` // joules of no function, page, line or node
	Heat      *Heat         `json:"heat,omitempty"`
	Pages     []PageRow     `json:"pages"`
	Nodes     []NodeRow     `json:"nodes"`

	// What is in no row: of pages beyond the limit, and of rows that Keep left out.
	OtherFunctions *Rest `json:"other_functions,omitempty"`
	OtherPages     *Rest `json:"other_pages,omitempty"`

	Notes []string `json:"notes"`
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

// EventRow is what became of an event: nothing of it is scaled up for what was lost.
type EventRow struct {
	Event          string  `json:"event"`
	Memory         bool    `json:"memory"`  // its samples say what served them
	Counted        *uint64 `json:"counted"` // by the kernel; null: not told
	Samples        uint64  `json:"samples"`
	StandsFor      uint64  `json:"stands_for"` // the sum of the periods of the samples
	NoAccess       uint64  `json:"no_access"`  // samples that are of no memory access
	Lost           uint64  `json:"lost"`       // as the kernel counts for the event (PERF_FORMAT_LOST)
	LostSamples    uint64  `json:"lost_samples"`
	Throttles      uint64  `json:"throttles"`
	Unthrottles    uint64  `json:"unthrottles"`
	EnabledSeconds float64 `json:"enabled_seconds"`
	RunningSeconds float64 `json:"running_seconds"`
}

// Sum is what some of the samples come to.
type Sum struct {
	Samples uint64            `json:"samples"`
	Share   float64           `json:"share"` // of all accesses that samples stand for; without any of all counts
	Loads   uint64            `json:"loads"` // that the samples stand for, as all that follows
	Stores  uint64            `json:"stores"`
	Counts  map[string]uint64 `json:"counts,omitempty"` // of page faults and breakpoints, by event
	// In cycles, of the samples that have one, weighted by what they stand for; nil if none has.
	MeanLatency  *float64 `json:"mean_latency"`
	P95Latency   *float64 `json:"p95_latency"`
	LatencyShare float64  `json:"latency_share"` // of the cycles of all accesses
	MemoryBytes  uint64   `json:"memory_bytes"`  // 64 for each load that memory served: the weight of the joules
	Joules       *float64 `json:"dram_joules"`   // nil without a source

	cycles float64 // sum of latency
}

// FunctionRow is what a function of a process got from one level.
type FunctionRow struct {
	Function string `json:"function"`
	Process  string `json:"process"`
	Level    string `json:"level"` // "" if its samples do not say it
	Sum
}

// Synthetic is energy that belongs to no function.
type Synthetic struct {
	Name   string  `json:"name"` // as in the profile: "[baseline]"
	Joules float64 `json:"dram_joules"`
}

// Heat is the time that the slots of pages cover.
type Heat struct {
	StartNanoseconds int64   `json:"start_nanoseconds"` // by the clock of the samples
	SlotSeconds      float64 `json:"slot_seconds"`
	Slots            int     `json:"slots"`
}

// PageRow is a page of a process.
type PageRow struct {
	Address         string            `json:"address"` // hexadecimal: "0x7f3a12345000"
	PhysicalAddress string            `json:"physical_address,omitempty"`
	Bytes           uint64            `json:"bytes"` // its size
	Process         string            `json:"process"`
	PID             int               `json:"pid"` // 0: the kernel's, of all processes
	Node            *int              `json:"node"`
	Moved           uint64            `json:"moved,omitempty"` // how often it was seen on another node than before
	Levels          map[string]uint64 `json:"levels"`          // samples by level
	Functions       []string          `json:"functions"`       // that accessed it most, at most three
	Heat            []uint64          `json:"heat"`            // accesses in each slot of time
	Sum
}

// NodeRow is a NUMA node whose memory was accessed.
type NodeRow struct {
	Node *int   `json:"node"` // nil: not known of these accesses
	CPUs string `json:"cpus"` // kernel's list form; "" for memory without CPUs (CXL, PMEM)
	// Remote is how many of the accesses are from CPUs of other nodes; nil if that is not known.
	Remote *uint64 `json:"remote"`
	Sum
}

// Rest is what rows that are not shown come to.
type Rest struct {
	Rows uint64 `json:"rows"` // 0: not told apart
	Sum
}
