package memory

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strconv"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/report/pprofile"
)

// The columns of the list of samples: their heads and least widths. Lines are written as they are read, so that a
// longer cell moves the rest of its line.
var sampleColumns = []struct {
	head  string
	width int
	left  bool
}{
	{"time", 16, false}, {"process", 15, true}, {"pid/tid", 15, true}, {"cpu", 4, false}, {"event", 24, true}, {"address", 18, false},
	{"cycles", 6, false}, {"instr", 5, false}, {"physical", 14, false}, {"page", 7, false}, {"node", 4, false},
	{"data source", 64, true}, {"function", 0, true},
}

// WriteSamples writes a line for each sample that Options.Samples took: when, whose, where, of which event, the address,
// the cycles that the access and the instruction took, the physical address, the size and the NUMA node of the page,
// what served it in perf's words, and the function. "-" is what is not known. Data are those that Result
// got; printable makes of a name what no terminal obeys.
func (t *Table) WriteSamples(w io.Writer, data *pprofile.Profile, printable func(string) string) error {
	out := bufio.NewWriterSize(w, 1<<16)
	n := names{data.Stacks}
	head := make([]string, len(sampleColumns))
	for i, c := range sampleColumns {
		head[i] = c.head
	}
	writeSample(out, head)
	words := map[uint64]string{} // of data sources, of which there are few
	err := t.spool.each(func(k *kept) error {
		source := "-"
		if t.opt.Events[k.Event].Memory {
			if source = words[k.Source]; source == "" {
				source = pebs.DataSource(k.Source).String()
			}
			if len(words) < maxWords {
				words[k.Source] = source
			}
		}
		process, _ := n.process(k.Stack)
		node := "-"
		if k.Node != unknownNode {
			node = strconv.Itoa(int(k.Node))
		}
		page := "-"
		if k.PageSize != 0 {
			page = size(k.PageSize)
		}
		writeSample(out, []string{
			fmt.Sprintf("%d.%09d", k.Time/1e9, k.Time%1e9), cmp.Or(printable(process), "-"),
			fmt.Sprintf("%d/%d", int32(k.PID), int32(k.TID)), strconv.Itoa(int(int32(k.CPU))), printable(t.opt.Events[k.Event].Name),
			address(k.Address), known(k.Latency), known(uint64(k.Instruction)), address(k.Physical), page, node, source,
			printable(n.function(k.Stack))})
		_, err := out.Write(nil) // what went wrong so far
		return err
	})
	if err != nil {
		return err
	}
	if t.spool.out > 0 {
		fmt.Fprintf(out, "(%d more samples came after these)\n", t.spool.out)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// maxWords bounds what a file with data sources of anybody's choice makes the list remember.
const maxWords = 1 << 12

func address(v uint64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%#x", v)
}

func known(v uint64) string {
	if v == 0 {
		return "-"
	}
	return strconv.FormatUint(v, 10)
}

// writeSample writes one line.
func writeSample(w *bufio.Writer, cells []string) {
	for i, cell := range cells {
		c := sampleColumns[i]
		switch {
		case i == len(cells)-1:
			fmt.Fprintf(w, "%s\n", cell)
		case c.left:
			fmt.Fprintf(w, "%-*s  ", c.width, cell)
		default:
			fmt.Fprintf(w, "%*s  ", c.width, cell)
		}
	}
}
