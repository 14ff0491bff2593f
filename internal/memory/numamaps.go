package memory

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// vma is a mapping of a process and the node that its pages are on.
type vma struct {
	start, limit uint64
	node         int  // of all its pages; unknownNode without pages or with several
	several      bool // its pages are on several nodes, so that nothing is known of one of them
}

// parseNumaMaps reads /proc/PID/numa_maps (Documentation/filesystems/proc.rst): a line for each mapping,
// its start in hexadecimal, the memory policy, and what is mapped, of which N<node>=<pages> are of interest.
// Where mappings end is not in there: limit is 0.
func parseNumaMaps(text string) ([]vma, error) {
	var all []vma
	number := 0
	for line := range strings.Lines(text) {
		number++
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %d: %q has no policy", number, strings.TrimSpace(line))
		}
		start, err := strconv.ParseUint(fields[0], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is no address", number, fields[0])
		}
		if n := len(all); n > 0 && start <= all[n-1].start {
			return nil, fmt.Errorf("line %d: %s is not behind the mapping before it", number, fields[0])
		}
		m := vma{start: start, node: unknownNode}
		for _, field := range fields[2:] {
			node, pages, ok, err := pagesOn(field)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
			switch {
			case !ok || pages == 0:
			case m.node == unknownNode && !m.several:
				m.node = node
			case m.node != node:
				m.node, m.several = unknownNode, true
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// pagesOn reads a field N<node>=<pages>; ok is false for any other.
func pagesOn(field string) (node int, pages uint64, ok bool, err error) {
	name, value, has := strings.Cut(field, "=")
	number, isNode := strings.CutPrefix(name, "N")
	if !has || !isNode || number == "" || strings.Trim(number, "0123456789") != "" {
		return 0, 0, false, nil
	}
	if node, err = strconv.Atoi(number); err != nil || node > maxNode {
		return 0, 0, false, fmt.Errorf("node %s is beyond the largest, %d", number, maxNode)
	}
	if pages, err = strconv.ParseUint(value, 10, 64); err != nil {
		return 0, 0, false, fmt.Errorf("%q is no number of pages", field)
	}
	return node, pages, true, nil
}

// maxNode is the largest node of any kernel (MAX_NUMNODES with CONFIG_NODES_SHIFT=10).
const maxNode = 1023

// parseLimits reads where the mappings of /proc/PID/maps end, by their start (proc(5)).
func parseLimits(text string) (map[uint64]uint64, error) {
	limits := map[uint64]uint64{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		from, rest, _ := strings.Cut(line, "-")
		to, _, _ := strings.Cut(rest, " ")
		start, err := strconv.ParseUint(from, 16, 64)
		limit, err2 := strconv.ParseUint(to, 16, 64)
		if err != nil || err2 != nil || limit <= start {
			return nil, fmt.Errorf("line %d: %q has no range of addresses", number, strings.TrimSpace(line))
		}
		limits[start] = limit
	}
	return limits, nil
}

// bound gives mappings their ends, at the next one at the latest. What has none has gone meanwhile.
func bound(all []vma, limits map[uint64]uint64) []vma {
	var out []vma
	for _, m := range all {
		if m.limit = limits[m.start]; m.limit == 0 {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].limit = min(out[n-1].limit, m.start)
		}
		out = append(out, m)
	}
	return out
}

// find is the mapping of an address; nil if there is none.
func find(all []vma, address uint64) *vma {
	i := sort.Search(len(all), func(i int) bool { return all[i].limit > address })
	if i < len(all) && all[i].start <= address {
		return &all[i]
	}
	return nil
}
