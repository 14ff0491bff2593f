package rapl

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/energyprof/energyprof/internal/pmu"
)

// userHz is the unit of the times in /proc/stat: USER_HZ, 100 on amd64 and arm64
// whatever the kernel's own tick (proc(5)).
const userHz = 100

// model estimates the energy of each package from the time that its CPUs were
// busy: idle*CPUs*time + (busy-idle)*busy time. It is linear, so the result does not
// depend on how often it is read.
type model struct {
	info   Info
	coeff  coefficients
	stat   string
	clocks func() (reading, error)

	packageOf map[int]int // CPU -> domain
	ticks     []uint64    // busy time of each CPU by number, at the reading before
	joules    []float64   // by domain
	last      reading
	started   bool
}

func openModel(m Machine) (Source, error) {
	cpu, err := m.processor()
	if err != nil {
		return nil, err
	}
	online, err := m.online()
	if err != nil {
		return nil, err
	}
	s := newModel(coefficientsOf(cpu), online, m.proc("stat"))
	s.clocks = readClocks
	if cpu.virtual() {
		s.info.Notes = append(s.info.Notes, "the CPUs are virtual: what they cost on the host is not known here")
	}
	_, err = s.Read(make([]float64, len(s.joules)))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newModel(c coefficients, online []pmu.CPU, stat string) *model {
	s := &model{coeff: c, stat: stat, packageOf: map[int]int{}}
	for _, p := range scopes(online, nil, false) {
		for _, id := range p.cpus {
			s.packageOf[id] = len(s.info.Domains)
		}
		s.info.Domains = append(s.info.Domains, Domain{Name: "package", Package: p.pkg, CPUs: p.cpus, Sum: true,
			ErrorBand: c.band, Unit: (c.busy - c.idle) / userHz, IdleWatts: c.idle * float64(len(p.cpus))})
	}
	s.joules = make([]float64, len(s.info.Domains))
	s.info.Name = "model"
	s.info.Notes = []string{fmt.Sprintf(
		"an estimate, not a measurement: %.2f W for each idle and %.2f W for each busy CPU (%s; %s), give or take %.0f %%",
		c.idle, c.busy, c.arch, c.source, c.band*100)}
	return s
}

// Info says that this is an estimate, and from what.
func (s *model) Info() Info { return s.info }

// Read adds what the model says of the time since the reading before. While the
// machine was suspended CLOCK_MONOTONIC stood still, and so does the model.
func (s *model) Read(joules []float64) (Moment, error) {
	if len(joules) != len(s.joules) {
		return Moment{}, fmt.Errorf("energy source model: room for %d domains, not %d", len(joules), len(s.joules))
	}
	before, err := s.clocks()
	if err != nil {
		return Moment{}, err
	}
	content, err := os.ReadFile(s.stat)
	if err != nil {
		return Moment{}, fmt.Errorf("energy source model: %w", err)
	}
	after, err := s.clocks()
	if err != nil {
		return Moment{}, err
	}
	now, err := busyTicks(content)
	if err != nil {
		return Moment{}, fmt.Errorf("energy source model: %s: %w", s.stat, err)
	}
	if s.started {
		dt := time.Duration(before.mono - s.last.mono).Seconds()
		for i, d := range s.info.Domains {
			s.joules[i] += d.IdleWatts * dt
		}
		for id, ticks := range now {
			d, ok := s.packageOf[id]
			// The sums can step back by a tick, as idle time is corrected.
			if ok && id < len(s.ticks) && ticks > s.ticks[id] {
				s.joules[d] += (s.coeff.busy - s.coeff.idle) * float64(ticks-s.ticks[id]) / userHz
				s.ticks[id] = ticks
			}
		}
	}
	for id, ticks := range now {
		if id >= len(s.ticks) {
			s.ticks = append(s.ticks, ticks)
		}
	}
	s.last, s.started = before, true
	copy(joules, s.joules)
	return Moment{Before: before.mono, After: after.mono}, nil
}

// Close has nothing to release.
func (s *model) Close() error { return nil }

// busyTicks reads the time that each CPU was busy, by CPU number, from /proc/stat:
// user, nice, system, irq and softirq. Guests are part of user; stolen time was
// another machine's. A CPU that is off has no line and 0.
func busyTicks(stat []byte) ([]uint64, error) {
	var ticks []uint64
	for line := range bytes.Lines(stat) {
		rest, ok := strings.CutPrefix(string(line), "cpu")
		if !ok {
			break // the CPUs come first; the interrupts behind them are long
		}
		if strings.HasPrefix(rest, " ") {
			continue // the sum
		}
		fields := strings.Fields(rest)
		if len(fields) < 8 {
			return nil, fmt.Errorf("%q has no 7 times", strings.TrimSpace(string(line)))
		}
		id, err := strconv.ParseUint(fields[0], 10, 16)
		if err != nil {
			return nil, err
		}
		for len(ticks) <= int(id) {
			ticks = append(ticks, 0)
		}
		for _, i := range []int{1, 2, 3, 6, 7} {
			v, err := strconv.ParseUint(fields[i], 10, 64)
			if err != nil {
				return nil, err
			}
			ticks[id] += v
		}
	}
	if len(ticks) == 0 {
		return nil, fmt.Errorf("no CPU in it")
	}
	return ticks, nil
}
