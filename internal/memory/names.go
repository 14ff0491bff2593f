package memory

import (
	"cmp"
	"path"

	"github.com/energyprof/energyprof/report/pprofile"
)

// names gives the stacks of a profile their names, as the tables of package report do.
type names struct{ stacks []pprofile.Stack }

const unknownName = "[unknown]"

// function is the innermost function of a stack. Code without a name goes under the file that it is in.
func (n *names) function(stack int32) string {
	if stack < 0 || int(stack) >= len(n.stacks) || len(n.stacks[stack].Locations) == 0 {
		return unknownName
	}
	leaf := n.stacks[stack].Locations[0]
	for _, line := range leaf.Lines {
		if name := cmp.Or(line.Function, line.SystemName); name != "" {
			return name
		}
	}
	if leaf.Mapping == nil || leaf.Mapping.File == "" {
		return unknownName
	}
	return "[unknown in " + path.Base(leaf.Mapping.File) + "]"
}

// process is the process of a stack.
func (n *names) process(stack int32) (name string, pid int) {
	if stack < 0 || int(stack) >= len(n.stacks) {
		return "", 0
	}
	return n.stacks[stack].Process, n.stacks[stack].PID
}

// synthetic tells whether a stack is what memory controllers counted beyond the samples, which no function caused.
func (n *names) synthetic(stack int32) bool {
	l := n.stacks[stack].Locations
	return len(l) == 1 && l[0].Mapping == nil && l[0].Address == 0 && n.function(stack) == pprofile.Prefetch
}
