package memory

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/tabular"
)

// lineTable has a row for each cache line, and below a shared one a row for each of its offsets.
func (t Text) lineTable(r *Result) tabular.Table {
	out := tabular.Table{Columns: append([]tabular.Column{{Head: "HITM"}, {Head: "remote HITM"}, {Head: "peer"}, {Head: "L1 store misses"}, {Head: "locked"}},
		append(r.sumColumns(false), tabular.Column{Head: "level", Left: true}, tabular.Column{Head: "node"}, tabular.Column{Head: "line", Left: true})...)}
	count := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return whole(n)
	}
	cells := func(c *Coherence, s *Sum) []string {
		return append([]string{count(c.LocalHitM + c.RemoteHitM), count(c.RemoteHitM), count(c.LocalPeer + c.RemotePeer),
			count(c.StoreMisses), count(c.Locked)}, r.sumCells(s, false)...)
	}
	for i := range r.Lines {
		row := &r.Lines[i]
		node := "?"
		if row.Node != nil {
			node = strconv.Itoa(*row.Node)
		}
		out.Rows = append(out.Rows, append(cells(&row.Coherence, &row.Sum), mostly(row.Levels), node, t.Printable(row.text())))
		if row.Sharing == NotShared {
			continue
		}
		for j := range row.Offsets {
			o := &row.Offsets[j]
			out.Rows = append(out.Rows, append(cells(&o.Coherence, &o.Sum), "", "", t.Printable(o.text())))
		}
	}
	// The columns of coherence stand before those that the closing rows have.
	closing := tabular.Table{Columns: out.Columns[5:]}
	r.close(&closing, r.OtherLines, "lines", false)
	for _, row := range closing.Rows {
		out.Rows = append(out.Rows, append([]string{"", "", "", "", ""}, row...))
	}
	return out
}

// mostAddresses is how many other addresses of a line the text has: a library's is in every process.
const mostAddresses = 3

// text is the name of a line and how it is shared.
func (row *LineRow) text() string {
	text := row.Address + " "
	if row.PID == 0 {
		text += "kernel"
	} else {
		text += fmt.Sprintf("%s (%d)", cmp.Or(row.Process, "?"), row.PID)
	}
	for _, also := range row.Also[:min(len(row.Also), mostAddresses)] {
		text += fmt.Sprintf(", %s of %d", also.Address, also.PID)
	}
	if more := len(row.Also) - mostAddresses; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	switch row.Sharing {
	case FalselyShared:
		text += ": false sharing"
	case TrulyShared:
		text += ": shared"
	case SharedBoth:
		text += ": shared, and false sharing"
	default:
		return text + ": " + strings.Join(row.Functions, ", ")
	}
	return text + ": " + onCPUs(row.WrittenOn, row.ReadOn, row.CPUs)
}

// text is the place, who uses it and from where.
func (o *OffsetRow) text() string {
	text := fmt.Sprintf("  +%d %s by ", o.Offset, onCPUs(o.WrittenOn, o.ReadOn, o.CPUs))
	if n := len(o.Threads); n > 1 {
		text += fmt.Sprintf("%d threads", n)
	} else {
		text += fmt.Sprintf("thread %d", o.Threads[0].TID)
	}
	return text + " in " + strings.Join(o.Functions, ", ")
}

// onCPUs says where something was written and read.
func onCPUs(written, read, all string) string {
	cpus := func(list string) string {
		if strings.ContainsAny(list, ",-") {
			return "CPUs " + list
		}
		return "CPU " + list
	}
	switch {
	case written != "" && written == read:
		return "written and read on " + cpus(written)
	case written != "" && read != "":
		return "written on " + cpus(written) + ", read on " + cpus(read)
	case written != "":
		return "written on " + cpus(written)
	case read != "":
		return "read on " + cpus(read)
	}
	return "accessed on " + cpus(all)
}
