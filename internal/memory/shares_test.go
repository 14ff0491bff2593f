package memory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// TestRareStacks: a stack that comes late and often is among the functions of a page, and what is not is said.
func TestRareStacks(t *testing.T) {
	table := New(Options{Events: []Event{{Name: "loads", Memory: true}}, MaxPages: 1})
	data := &pprofile.Profile{Columns: []pprofile.Column{{Domain: "dram"}}}
	add := func(stack int32) {
		table.Add(&perfring.Sample{PID: 1, Addr: 0x1000, Period: 10, DataSrc: uint64(fromDRAM)}, 0, stack)
	}
	for i := range int32(21) {
		data.Stacks = append(data.Stacks, stack("app", 1, string(rune('a'+i)), 1))
		add(i)
		if i == 10 {
			add(i)
			add(i)
		}
	}
	r := table.Result(Recorded{Data: data})
	page := r.Pages[0]
	if page.Functions[0] != "k" || *page.Joules < 2 || *page.Joules > pairsOfPage || *page.Joules+*r.OtherPages.Joules != 21 {
		t.Errorf("the functions are %q with %v J, and %v J of others, want k first, and 21 J in all", page.Functions, *page.Joules, *r.OtherPages.Joules)
	}
	if want := fmt.Sprintf("%d accesses of pages", 10*(23-3-int(*page.Joules-1))); len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0], want) {
		t.Errorf("the notes are %q, want one of %s", r.Notes, want)
	}
}
