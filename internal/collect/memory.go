package collect

import (
	"fmt"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/attribution"
)

// Memory says what is made of memory accesses. A load that memory served moved a line of 64 bytes; that is the
// proxy for what code cost its memory.
type Memory struct {
	// Addresses gives each address a stack of its own, with the address as a label.
	Addresses bool
	// Weigh shares the domains of energy out by bytes that sampled loads got from memory (DRAM, persistent, CXL), per
	// function and level, in place of CPU time or the counts of an event. A store's line comes and goes unseen. Without Memory
	// events nothing weighs, and all is nobody's.
	Weigh bool
	// ServedBy tells the CPU whose domain pays for a load that memory served: one of the node whose memory it was.
	// nil or below 0: the CPU of the sample.
	ServedBy func(s *perfring.Sample, cpu int) int
	// Traffic are the indices of Options.Counters that count lines of 64 bytes at controllers of DRAM. With Weigh what they
	// count beyond the sampled loads from DRAM weighs for a stack of its own, pprofile.Prefetch. They are shared out to
	// nobody, and are in no column.
	Traffic []int
}

// lineBytes is what a load moves that memory serves: a line of the caches, and what controllers count.
const lineBytes = 64

// The columns of memory accesses, the first of the further events.
const (
	columnLoads = iota
	columnStores
	columnLatency
	accessColumns
)

// memory is what is known of the memory accesses of a recording.
type memory struct {
	all      loads   // of all Memory events
	byEvent  []loads // none of other events
	lostDRAM float64 // what lost samples are taken to stand for, of loads.dram
	gaps     []gaps  // by event
	draws    []bool  // by event: loads are among what it samples
	owner    []int   // by CPU: the series of energy that pays for it, of the first domain; none without
	rest     attribution.Key
	levels   map[functionLevel]int32
}

// loads is what the samples of an event stand for.
type loads struct {
	samples uint64  // those of no access included
	served  uint64  // of those, what memory served
	bytes   float64 // of loads that memory served
	dram    float64 // of those, what controllers of DRAM count
}

func (l *loads) add(bytes, dram float64) {
	l.served++
	l.bytes, l.dram = l.bytes+bytes, l.dram+dram
}

// functionLevel is a function in a level: what has a price of its own for each byte.
type functionLevel struct {
	function int32
	level    pebs.Level
}

// openMemory checks what is asked about memory accesses.
func (c *Collector) openMemory() error {
	opt := &c.opt
	m := &c.memory
	m.rest, m.levels, m.gaps = attribution.KeyOther, map[functionLevel]int32{}, make([]gaps, len(opt.Events))
	m.draws, m.byEvent = make([]bool, len(opt.Events)), make([]loads, len(opt.Events))
	for i, d := range opt.Energy.Domains {
		if d.Name != opt.Energy.Domains[0].Name {
			continue
		}
		for _, cpu := range d.CPUs {
			if cpu < 0 || cpu >= maxCPU {
				continue // attribution says so
			}
			for cpu >= len(m.owner) {
				m.owner = append(m.owner, none)
			}
			m.owner[cpu] = i
		}
	}
	return c.openTraffic()
}

// byLoads is how energy is shared out by what loads got from memory: a byte costs the same on any kind of core.
func (c *Collector) byLoads(how attribution.Options) attribution.Options {
	how.CoreType, how.Core, how.Function = nil, nil, c.functionAndLevel
	how.Sampled = &attribution.Sampled{What: "the traffic of sampled loads", Rest: c.memory.rest}
	return how
}

// functionAndLevel is what attribution asks for a stack of memory accesses: the function, and the level that served it,
// both as what has a price and, where that is too rare, as what it is pooled with.
func (c *Collector) functionAndLevel(key attribution.Key) (function, pool int32) {
	const ofRest = pebs.Level(pebs.Levels) // counted, and served by no level in particular
	f, _ := c.function(key)
	in := functionLevel{f, ofRest}
	if a := c.stacks.list[key].access; a != none {
		in.level = c.accesses.list[a].level
	}
	function, ok := c.memory.levels[in]
	if !ok {
		function = int32(len(c.memory.levels))
		c.memory.levels[in] = function
	}
	return function, int32(in.level)
}

// accessed counts a memory access at its stack.
func (c *Collector) accessed(s *perfring.Sample, cpu, event int, id int32, period uint64) {
	d := pebs.DataSource(s.DataSrc)
	columns := c.stacks.events[int(id)*c.extras:]
	if d.Loads() {
		columns[columnLoads] += int64(period)
	}
	if d.Stores() {
		columns[columnStores] += int64(period)
	}
	if s.Weight > maxPeriod/max(1, period) {
		c.energy.refuse(fmt.Errorf("collect: a sample of %s stands for %d accesses of %d cycles", c.opt.Events[event].Name, period, s.Weight))
	} else {
		columns[columnLatency] += int64(period * s.Weight)
	}
	if !d.Loads() || !d.Level().Memory() {
		c.memory.draws[event] = c.memory.draws[event] || d.Loads()
		c.loadedNothing(s, cpu, event)
		return
	}
	c.memory.draws[event] = true
	from, to := c.memory.gaps[event].since(cpu, int64(s.Time)), int64(s.Time)
	c.energy.longest = max(c.energy.longest, longestCount)
	bytes, dram := lineBytes*float64(period), 0.0
	if l := d.Level(); l == pebs.RAM || l == pebs.RemoteRAM { // persistent memory and CXL have controllers of their own
		dram = bytes
	}
	c.memory.all.add(bytes, dram)
	c.memory.byEvent[event].add(bytes, dram)
	payer := c.payer(s, cpu)
	if payer != cpu {
		c.loaded(c.memory.rest, cpu, from, to, 0)
	}
	c.loaded(attribution.Key(id), payer, from, to, bytes)
	c.traffic.loaded(payer, from, to, dram)
}

// loadedNothing tells of a sample that saw no load from memory, though it could have: of an event that samples loads.
func (c *Collector) loadedNothing(s *perfring.Sample, cpu, event int) {
	if !c.memory.draws[event] {
		return // stores alone
	}
	to := int64(s.Time)
	c.loaded(c.memory.rest, cpu, c.memory.gaps[event].since(cpu, to), to, 0)
}

// loaded gives bytes that loads got from memory in [from, to) to what goes by them. Loads that got none tell how
// rare the others are.
func (c *Collector) loaded(key attribution.Key, cpu int, from, to int64, bytes float64) {
	if c.opt.Memory.Weigh {
		c.weighing.counts += bytes
		c.energy.busy(c.energy.weighed, key, cpu, from, to, bytes)
	}
}

// payer is the CPU that a load is credited to: its own if the memory that served it is of the same domain of energy, else
// one of the other domain's. Those of one CPU stay together there.
func (c *Collector) payer(s *perfring.Sample, cpu int) int {
	if c.opt.Memory.ServedBy == nil {
		return cpu
	}
	at := c.opt.Memory.ServedBy(s, cpu)
	owner := func(cpu int) int {
		if cpu < 0 || cpu >= len(c.memory.owner) {
			return none
		}
		return c.memory.owner[cpu]
	}
	series := owner(at)
	if series == none || series == owner(cpu) {
		return cpu
	}
	cpus := c.opt.Energy.Domains[series].CPUs
	return cpus[max(0, cpu)%len(cpus)]
}

// lostLoads gives lost samples the mean weight of those that came: of their event, since those of stores stand for no
// loads, or of all samples if the event is -1 and not known.
func (c *Collector) lostLoads(cpu int, from, to int64, n uint64, event int) {
	of, among := &c.memory.all, c.allSamples
	if event >= 0 {
		of = &c.memory.byEvent[event]
		among = of.samples
	}
	if of.bytes == 0 {
		return
	}
	part := float64(n) / float64(among)
	dram := part * of.dram
	c.memory.lostDRAM += dram
	c.energy.busy(c.energy.weighed, attribution.KeyLost, cpu, from, to, part*of.bytes)
	c.traffic.loaded(cpu, from, to, dram)
}
