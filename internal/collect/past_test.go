package collect

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// TestPast gives one stream to a collector with /proc, and what that found and learnt to one without.
func TestPast(t *testing.T) {
	proc := tree(t, map[string]string{
		"7/comm":          "app\n",
		"7/task/7/comm":   "app\n",
		"7/task/8/comm":   "worker\n",
		"7/maps":          "1000-2000 r-xp 00000000 08:01 5   /lib/c\n4000-5000 rw-p 00000000 00:00 0\n8000-9000 r-xp 00002000 08:01 6   /bin/app\n",
		"9/task/9/comm":   "late\n", // it ends while it is being read: no more than its name is known
		"7/task/99/other": "",
	})
	live := newStream(t, Options{Proc: proc, MaxDepth: 127})
	var kept []perfring.Record // what is found comes before the record that made it look
	live.table.found = func(rec perfring.Record) { kept = append(kept, rec) }
	give := func(rec perfring.Record) {
		live.put(rec)
		kept = append(kept, rec)
	}
	sample := func(pid, tid uint32, chain ...uint64) {
		give(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: pid, TID: tid, Time: live.tick(), Period: ms, IP: chain[0], Callchain: chain})
	}
	if err := live.Existing(7); err != nil {
		t.Fatal(err)
	}
	give(&perfring.Fork{PID: 9, TID: 9, PPID: 20, PTID: 20, Time: live.tick()}) // of a parent that nobody knows
	sample(7, 8, 0x1100, 0x8100)
	sample(7, 7, 0x8200)
	sample(9, 9, 0x8200)
	sample(9, 9, 0x4100)
	want := live.Finish()
	past := live.Past()
	if past.Main == nil || past.Main.File != "/lib/c" {
		t.Errorf("the program is %+v", past.Main) // exe cannot be read in this tree: the first file
	}
	last := len(past.Locations) - 1
	named := *past.Locations[last]
	named.Lines = []pprofile.Frame{{Function: "[named]"}}
	past.Locations[last] = &named

	replay := newStream(t, Options{Past: past})
	if err := replay.Existing(7); err != nil {
		t.Fatal(err)
	}
	for _, rec := range kept {
		replay.put(rec)
	}
	got := replay.Finish()
	if g, w := text(got), strings.ReplaceAll(text(want), "[unknown] 0x4100", "[named] 0x4100"); g != w {
		t.Errorf("replayed:\n%s\nrecorded:\n%s", g, w)
	}
	if !slices.EqualFunc(replay.Past().Locations, past.Locations, func(a, b *pprofile.Location) bool { return reflect.DeepEqual(a, b) }) {
		t.Error("locations are not those of the past")
	}
}
