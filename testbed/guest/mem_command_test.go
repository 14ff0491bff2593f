package guest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/pebs"
)

// mem runs energyprof mem with these flags and command, which must succeed, and returns
// what it prints. The profile goes where nobody looks, unless there is a -o among the flags.
func mem(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"mem", "-o", filepath.Join(scratch(t), "energyprof.pb.gz")}, args...)
	stdout, stderr, code := run(t, "energyprof", args...)
	if code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// memTables is mem with the tables as JSON.
func memTables(t *testing.T, args ...string) *memory.Result {
	t.Helper()
	text := mem(t, append([]string{"--json"}, args...)...)
	var r memory.Result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return &r
}

// sampled is a line of energyprof mem --samples.
type sampled struct {
	time, process, event string
	pid, tid, cpu        int
	addr, physical       uint64
	cycles, instruction  uint32
	page, node           string
	store                bool
	source               string // in perf's words
	function             string
	level                string // of walks: the one place that it is
}

var blanks = regexp.MustCompile(` {2,}`)

// samplesIn reads energyprof mem --samples, but for what is not of a precise event.
func samplesIn(t *testing.T, text string) []sampled {
	t.Helper()
	var list []sampled
	for line := range strings.Lines(text) {
		//  12.345678901  workload  97/99  1  cpu/mem-loads/ppp  0x7f12  45  55  0x1234  4 KiB  0  |OP LOAD|...|BLK  N/A  main.stream
		fields, words, found := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
		if !found {
			continue
		}
		// Two blanks end a cell, as a page is of "4 KiB".
		cells := strings.Split(strings.TrimSpace(blanks.ReplaceAllString(fields, "\t")), "\t")
		if len(cells) != 11 {
			t.Fatalf("%q: %d cells before the source, want 11", line, len(cells))
		}
		s := sampled{time: cells[0], process: cells[1], event: cells[4], page: cells[9], node: cells[10]}
		cells[8] = strings.Replace(cells[8], "-", "0", 1) // no physical address
		if _, err := fmt.Sscan(strings.Replace(strings.Join([]string{cells[2], cells[3], cells[5], cells[6], cells[7], cells[8]}, " "), "/", " ", 1),
			&s.pid, &s.tid, &s.cpu, &s.addr, &s.cycles, &s.instruction, &s.physical); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		words = "|" + words
		end := strings.LastIndex(words, "|BLK  N/A")
		if end < 0 {
			t.Fatalf("%q: no words of a source", line)
		}
		end += len("|BLK  N/A")
		s.source, s.function = words[:end], strings.TrimSpace(words[end:])
		s.store = strings.HasPrefix(words, "|OP STORE")
		list = append(list, s)
	}
	return list
}

// walked are samples of threads that walk memory of their own, and that memory.
type walked struct {
	samples []sampled
	base    map[string]uint64 // of a function's memory
}

// walks finds the samples in the memory of stream, which says the lines' levels, and of
// lookup, which says one level; and checks each: every thread goes from line to line, no sample
// is missing, and all else of it follows from the address by the module's rule.
func walks(t *testing.T, text string, level int) walked {
	t.Helper()
	w := walked{base: map[string]uint64{}}
	all := samplesIn(t, text)
	for _, s := range all {
		if s.function == "main.stream" || s.function == "main.lookup" {
			w.base[s.function] = s.addr &^ 4095
		}
	}
	if len(w.base) != 2 || w.base["main.stream"] == w.base["main.lookup"] {
		t.Fatalf("the walks' memory is at %#x in %d samples, want it at two places", w.base, len(all))
	}
	type walker struct {
		tid   int
		store bool
	}
	next := map[walker]uint64{}
	pages := map[uint64]uint64{}
	for i, s := range all {
		page := s.addr &^ 4095
		if page != w.base["main.stream"] && page != w.base["main.lookup"] {
			continue
		}
		who := walker{s.tid, s.store}
		if s.addr%4096 != next[who] {
			t.Fatalf("sample %d: thread %d is at %#x, want offset %#x", i, s.tid, s.addr, next[who])
		}
		next[who] = (next[who] + 64) % 4096
		var want access
		switch {
		case s.store:
			want = storeAt(s.addr)
			s.level = []string{"L1", "L1 miss"}[s.addr/64%2]
		case page == w.base["main.stream"]:
			want = loadAt(s.addr)
			s.level = levels[s.addr/64%16].level
		default:
			want = servedBy(level, s.addr)
			s.level = levels[level].level
		}
		w.samples = append(w.samples, s)
		if source := pebs.DataSource(want.source).String(); s.cycles != want.latency || s.instruction != want.latency+10 || s.source != source {
			t.Fatalf("sample %d: %+v, want %d cycles and %s", i, s, want.latency, source)
		}
		if pages[page] == 0 {
			pages[page] = s.physical &^ 4095
		}
		if pages[page] == 0 || s.physical != pages[page]|s.addr%4096 || s.page != w.samples[0].page {
			t.Fatalf("sample %d: physical address %#x of %#x in a page of %s, want it in %#x of %s", i, s.physical, s.addr, s.page, pages[page], w.samples[0].page)
		}
	}
	if len(w.samples) < 500 {
		t.Errorf("%d samples of walks, want some 1000", len(w.samples))
	}
	t.Logf("%d samples, %d of walks, in pages of %s on node %s", len(all), len(w.samples), w.samples[0].page, w.samples[0].node)
	return w
}

// What energyprof mem lists and sums up is, sample by sample, what the module produced; as it
// is recorded, behind the event that loads need on some processors, and again from the file; and
// perf sums the file up like that.
func TestMemWalks(t *testing.T) {
	only(t, "icx-6.1")
	reload(t, "simpmu", "aux=1")
	const period, level = 82_001, 3
	dir := scratch(t)
	file, profile := filepath.Join(dir, "perf.data"), filepath.Join(dir, "profile.pb.gz")
	text := mem(t, "-o", profile, "--samples", "--ldlat", "3", "-c", strconv.Itoa(period), "--user", "-g", "none", "--energy", "none", "--perf-data", file, "--",
		"workload", "-mute", "-each", "-seconds", "0.2", "-naps", "0", "-functions", fmt.Sprintf("stream=1:0:line,lookup=1:0:%d", level))
	w := walks(t, text, level)
	if again := mem(t, "--samples", "-i", file); again != text {
		t.Errorf("the samples of the file are not those of the recording:\n%s\nwant\n%s", again, text)
	}
	r := memTables(t, "-i", file)
	memFunctions(t, r, w, period)
	memPages(t, r, w, period)
	memLines(t, r, w)
	memProfile(t, profile, w, period)
	memPerf(t, file, samplesIn(t, text))
}
