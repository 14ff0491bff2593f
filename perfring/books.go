package perfring

// Counts are numbers of records, and of what they say was lost.
type Counts struct {
	Samples     uint64
	Lost        uint64 // records of any kind, as Lost records say
	LostSamples uint64 // samples, as LostSamples records say
	Throttles   uint64
	Unthrottles uint64
	Unknown     uint64 // records of a type that the decoder does not know
	Bad         uint64 // records that could not be decoded
}

// Books keeps counts for each CPU. The zero value is ready to use.
type Books struct {
	CPUs []Counts // by CPU number, as far as one was counted
	// Elsewhere is what was counted for no CPU in particular.
	Elsewhere Counts
}

// maxBookCPU is far above what a kernel supports: a larger number comes from
// damaged data and must not size an allocation.
const maxBookCPU = 1 << 16

// Count adds a record that came from the ring of cpu; -1 if it came from none.
func (b *Books) Count(rec Record, cpu int) {
	c := b.of(cpu)
	switch r := rec.(type) {
	case *Sample:
		c.Samples++
	case *Lost:
		c.Lost += r.Lost
	case *LostSamples:
		c.LostSamples += r.Lost
	case *Throttle:
		c.Throttles++
	case *Unthrottle:
		c.Unthrottles++
	case *Unknown:
		c.Unknown++
	}
}

// CountBad adds n records of cpu, or stretches of its ring, that could not be
// decoded.
func (b *Books) CountBad(cpu int, n uint64) { b.of(cpu).Bad += n }

func (b *Books) of(cpu int) *Counts {
	if cpu < 0 || cpu >= maxBookCPU {
		return &b.Elsewhere
	}
	for len(b.CPUs) <= cpu {
		b.CPUs = append(b.CPUs, Counts{})
	}
	return &b.CPUs[cpu]
}

// Total is the sum over all CPUs and Elsewhere.
func (b *Books) Total() Counts {
	t := b.Elsewhere
	for _, c := range b.CPUs {
		t.Samples += c.Samples
		t.Lost += c.Lost
		t.LostSamples += c.LostSamples
		t.Throttles += c.Throttles
		t.Unthrottles += c.Unthrottles
		t.Unknown += c.Unknown
		t.Bad += c.Bad
	}
	return t
}
