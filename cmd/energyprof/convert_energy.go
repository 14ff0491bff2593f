package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/rapl"
)

// errNoTimes is a file whose samples cannot be joined with energy.
var errNoTimes = errors.New("the samples have no times, and energy nobody to be shared out to")

// traceFeed is an energy trace that is handed on as the samples go by.
type traceFeed struct {
	points []rapl.TracePoint
	next   int
	first  int64
	last   int64
}

// findEnergy finds the source of energy and those of its domains that are wanted.
func (c *conversion) findEnergy() error {
	if err := c.findSource(); err != nil || c.choose == nil {
		return err
	}
	var domains []rapl.Domain
	c.domain = []int{}
	for _, d := range c.info.Domains {
		as, wanted := c.choose(d)
		c.domain = append(c.domain, -1)
		if wanted {
			c.domain[len(c.domain)-1] = len(domains)
			domains = append(domains, as)
		}
	}
	if reflect.DeepEqual(c.info.Domains, domains) {
		c.domain = nil
	}
	c.info.Domains = domains
	return nil
}

// findSource finds the trace, the event that was named, or what the file has of its own.
func (c *conversion) findSource() error {
	f := c.flags
	switch {
	case f.energy != "":
		return c.openTrace(f.energy)
	case f.event != "":
		err := c.file.UseEnergy(f.event, f.scale)
		if errors.Is(err, perfdata.ErrNoScale) {
			return usagef("%v: --energy-scale says how many joules a count is", err)
		}
		if err != nil {
			return err
		}
	case c.file.Own != nil:
		c.info = c.file.Own.Energy
		return nil
	}
	domains := c.file.EnergyDomains
	if len(domains) == 0 {
		return nil
	}
	c.info.Measured = true
	var names []string
	for _, d := range domains {
		c.info.Domains = append(c.info.Domains, rapl.Domain{Name: d.Name, Package: d.Package, CPUs: d.CPUs, Sum: d.Sum})
		if name := c.file.Events[d.Event].Name; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	c.info.Name = strings.Join(names, " ")
	return nil
}

// openTrace reads the energy trace.
func (c *conversion) openTrace(path string) error {
	// perf's own clock is read by nobody else: what looks like the same time is seconds off, and nothing would show it.
	if !c.flags.sameClock {
		if err := c.file.CheckClock(); err != nil {
			return err
		}
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	trace, err := rapl.ReadTrace(in, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.info = rapl.Info{Name: "trace " + filepath.Base(path), Measured: !c.flags.estimate, Domains: trace.Domains}
	c.trace = &traceFeed{points: trace.Points, first: trace.Points[0].Time}
	for _, p := range trace.Points {
		c.trace.first, c.trace.last = min(c.trace.first, p.Time), max(c.trace.last, p.Time)
	}
	return nil
}

// Advance hands on the readings of the trace that lie before t, then the time itself.
func (c *conversion) Advance(t int64) {
	if c.trace != nil {
		for c.trace.next < len(c.trace.points) && c.trace.points[c.trace.next].Time <= t {
			p := c.trace.points[c.trace.next]
			c.Collector.Energy(p.Domain, p.Time, p.Joules)
			c.trace.next++
		}
	}
	c.Collector.Advance(t)
}

// Energy passes on a reading of the file, unless a trace takes its place.
func (c *conversion) Energy(domain int, t int64, joules float64) {
	if c.trace != nil {
		return
	}
	if c.domain != nil {
		if domain = c.domain[domain]; domain < 0 {
			return
		}
	}
	c.Collector.Energy(domain, t, joules)
}

// checkTimes refuses a trace of another time than the samples.
func (c *conversion) checkTimes(result *perfdata.Result, samples uint64) error {
	if len(c.info.Domains) > 0 && samples > 0 && result.Last == 0 && c.file.Own == nil {
		return fmt.Errorf("%s: %w", c.path, errNoTimes)
	}
	if c.trace == nil || samples == 0 {
		return nil
	}
	if result.Last < c.trace.first || result.First > c.trace.last {
		return fmt.Errorf("%s: samples from %.3f to %.3f s on %v, but energy of %s from %.3f to %.3f s: it is of another time, boot or clock", c.path,
			float64(result.First)/1e9, float64(result.Last)/1e9, c.file.Info.Clock, c.flags.energy,
			float64(c.trace.first)/1e9, float64(c.trace.last)/1e9)
	}
	return nil
}
