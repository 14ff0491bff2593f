package memory

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/report/pprofile"
)

// The columns of the list of samples: their heads and least widths.
var sampleColumns = [...]struct {
	head  string
	width int
	left  bool
}{
	{"time", 16, false}, {"process", 15, true}, {"pid/tid", 15, true}, {"cpu", 4, false}, {"event", 0, true}, {"address", 18, false},
	{"cycles", 6, false}, {"instr", 5, false}, {"physical", 14, false}, {"page", 7, false}, {"node", 4, false},
	{"data source", 0, true}, {"function", 0, true},
}

const (
	eventColumn  = 4
	sourceColumn = 11
)

// sampleCells is one line of the list.
type sampleCells [len(sampleColumns)]string

// sampleList writes the list.
type sampleList struct {
	w      *bufio.Writer
	widths [len(sampleColumns)]int
	words  map[uint64]string // of data sources, of which there are few
}

// WriteSamples writes a line for each sample that Options.Samples took: when, whose, where, of which event, the address,
// the cycles that the access and the instruction took, the physical address, the size and the NUMA node of the page,
// what served it in perf's words, and the function. "-" is what is not known. Data are those that Result
// got; printable makes of a name what no terminal obeys.
func (t *Table) WriteSamples(w io.Writer, data *pprofile.Profile, printable func(string) string) error {
	l := sampleList{w: bufio.NewWriterSize(w, 1<<16), words: map[uint64]string{}}
	n := names{data.Stacks}
	var head sampleCells
	for i, c := range sampleColumns {
		head[i], l.widths[i] = c.head, max(c.width, len(c.head))
	}
	widen := func(column int, cell string) { l.widths[column] = max(l.widths[column], utf8.RuneCountInString(cell)) }
	err := t.spool.each(func(k *kept) error { // how wide the words get is known when all have been seen
		widen(eventColumn, printable(t.opt.Events[k.Event].Name))
		widen(sourceColumn, l.source(t.opt.Events[k.Event], k.Source))
		return nil
	})
	if err != nil {
		return err
	}
	l.line(&head)
	err = t.spool.each(func(k *kept) error {
		process, _ := n.process(k.Stack)
		node, page := "-", "-"
		if k.Node != unknownNode {
			node = strconv.Itoa(int(k.Node))
		}
		if k.PageSize != 0 {
			page = size(k.PageSize)
		}
		event := t.opt.Events[k.Event]
		l.line(&sampleCells{
			fmt.Sprintf("%d.%09d", k.Time/1e9, k.Time%1e9), cmp.Or(printable(process), "-"),
			fmt.Sprintf("%d/%d", int32(k.PID), int32(k.TID)), strconv.Itoa(int(int32(k.CPU))), printable(event.Name),
			address(k.Address), known(k.Latency), known(uint64(k.Instruction)), address(k.Physical), page, node,
			l.source(event, k.Source), printable(n.function(k.Stack))})
		_, err := l.w.Write(nil) // what went wrong so far
		return err
	})
	if err != nil {
		return err
	}
	if t.spool.out > 0 {
		fmt.Fprintf(l.w, "(%d more samples came after these)\n", t.spool.out)
	}
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// line writes one line.
func (l *sampleList) line(cells *sampleCells) {
	for i, cell := range cells {
		switch {
		case i == len(cells)-1:
			fmt.Fprintf(l.w, "%s\n", cell)
		case sampleColumns[i].left:
			fmt.Fprintf(l.w, "%-*s  ", l.widths[i], cell)
		default:
			fmt.Fprintf(l.w, "%*s  ", l.widths[i], cell)
		}
	}
}

// source is what served a sample of an event.
func (l *sampleList) source(event Event, source uint64) string {
	if !event.Memory {
		return "-"
	}
	words := l.words[source]
	if words == "" {
		words = pebs.DataSource(source).String()
		if len(l.words) < maxWords {
			l.words[source] = words
		}
	}
	return words
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
