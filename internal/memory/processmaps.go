package memory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// processMaps asks processes on which nodes their mappings are, while they live. The kernel walks the page
// tables of a whole process for that, so it is not asked often.
type processMaps struct {
	proc string
	now  func() time.Time
	of   map[uint32]*mapsOf
	next time.Time // no process is asked before

	several uint64 // answers that a mapping is on several nodes
	refused error  // the first reason why one could not be asked
}

type mapsOf struct {
	vmas []vma
	next time.Time // not asked before
	old  time.Time // when what is known may not be so any more
	gone bool
}

const (
	// askAgain is how long an answer holds for addresses that it does not know.
	askAgain = time.Second
	// holds is how long an answer is believed: pages come and move.
	holds = 10 * time.Second
	// askShare is how much of the time asking takes at most, as 1 of so many.
	askShare = 50
	// maxAsked is how many processes are remembered.
	maxAsked = 4096
	// maxMaps is how much is read of a file of mappings: 65530 of them (vm.max_map_count) with long names.
	maxMaps = 16 << 20
)

func newProcessMaps(proc string) *processMaps {
	return &processMaps{proc: proc, now: time.Now, of: map[uint32]*mapsOf{}}
}

// node is the node of an address of a process, or unknownNode.
func (p *processMaps) node(pid uint32, address uint64) int {
	m := p.of[pid]
	if m == nil {
		if len(p.of) >= maxAsked {
			clear(p.of)
		}
		m = &mapsOf{}
		p.of[pid] = m
	}
	found := find(m.vmas, address)
	if found == nil || found.node == unknownNode && !found.several || p.now().After(m.old) {
		if p.ask(pid, m) {
			found = find(m.vmas, address)
		}
	}
	switch {
	case found == nil:
		return unknownNode
	case found.several:
		p.several++
	}
	return found.node
}

// ask reads the mappings of a process anew, if it is time.
func (p *processMaps) ask(pid uint32, m *mapsOf) bool {
	began := p.now()
	if m.gone || began.Before(m.next) || began.Before(p.next) {
		return false
	}
	vmas, err := p.read(pid)
	took := p.now().Sub(began)
	m.next, m.old = began.Add(max(askAgain, askShare*took)), began.Add(holds)
	p.next = began.Add(askShare * took)
	if err != nil {
		m.gone = true // or of another user: it will not change
		if p.refused == nil && !errors.Is(err, fs.ErrNotExist) {
			p.refused = err
		}
		return false
	}
	m.vmas = vmas
	return true
}

// read reads the mappings of a process.
func (p *processMaps) read(pid uint32) ([]vma, error) {
	dir := filepath.Join(p.proc, strconv.FormatUint(uint64(pid), 10))
	nodes, err := readFile(filepath.Join(dir, "numa_maps"))
	if err != nil {
		return nil, fmt.Errorf("nodes of a process's memory: %w", err)
	}
	all, err := parseNumaMaps(nodes)
	if err != nil {
		return nil, fmt.Errorf("nodes of a process's memory: %s/numa_maps: %w", dir, err)
	}
	text, err := readFile(filepath.Join(dir, "maps"))
	if err != nil {
		return nil, fmt.Errorf("nodes of a process's memory: %w", err)
	}
	limits, err := parseLimits(text)
	if err != nil {
		return nil, fmt.Errorf("nodes of a process's memory: %s/maps: %w", dir, err)
	}
	return bound(all, limits), nil
}

// readFile reads a file of procfs, which is refused if it is not as small as it should be.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMaps+1))
	if err == nil && len(text) > maxMaps {
		err = fmt.Errorf("more than %d bytes", maxMaps)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(text), nil
}
