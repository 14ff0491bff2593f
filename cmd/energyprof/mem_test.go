package main

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/pprofile"
)

// memJSON runs mem --json and returns the tables and what the command printed before them.
func memJSON(t *testing.T, code int, args ...string) (r memory.Result, printed, stderr string) {
	t.Helper()
	stdout, stderr := energyprof(t, code, append([]string{"mem", "--json"}, args...)...)
	printed, text, found := strings.Cut(stdout, "{\n")
	if !found {
		t.Fatalf("no JSON in %q", stdout)
	}
	d := json.NewDecoder(strings.NewReader("{" + text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	return r, printed, stderr
}

// bookOf is the books of an event.
func bookOf(t *testing.T, r memory.Result, event string) memory.EventRow {
	t.Helper()
	i := slices.IndexFunc(r.Events, func(e memory.EventRow) bool { return e.Event == event })
	if i < 0 {
		t.Fatalf("no books of %s: %+v", event, r.Events)
	}
	return r.Events[i]
}

// addressOf is where a symbol of a program is, which is linked to run there.
func addressOf(t *testing.T, program, symbol string) uint64 {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Type != elf.ET_EXEC {
		t.Skipf("%s is %v: where it runs is not known beforehand", program, f.Type)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == symbol {
			return s.Value
		}
	}
	t.Fatalf("%s has no symbol %s", program, symbol)
	return 0
}

// A breakpoint on a variable counts and samples each write, with the address and the function that wrote; the
// recording is the same from its file.
func TestMemWatched(t *testing.T) {
	needSampling(t)
	program := buildGo(t, "touch")
	const writes = 12_345
	address := addressOf(t, program, "main.watched")
	event := fmt.Sprintf("mem:%#x/8:w", address)
	dir := t.TempDir()
	out, data := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "perf.data")
	live, printed, _ := memJSON(t, 0, "--energy", "none", "-e", event, "--addresses", "-o", out, "--perf-data", data, "--", program, "watched", strconv.Itoa(writes))
	if printed != fmt.Sprintln(writes) {
		t.Errorf("the command printed %q", printed)
	}
	check := func(t *testing.T, r memory.Result) {
		t.Helper()
		if b := bookOf(t, r, event); b.Samples != writes || b.Used == nil || *b.Used != writes || b.StandsFor != writes || b.Counted == nil || *b.Counted != writes || b.Lost == nil || *b.Lost != 0 {
			t.Errorf("books %+v, want %d samples of as many counts", b, writes)
		}
		if len(r.Functions) != 1 || r.Functions[0].Function != "main.write" || r.Functions[0].Counts[event] != writes {
			t.Errorf("functions %+v, want main.write with %d", r.Functions, writes)
		}
		if page := fmt.Sprintf("%#x", address&^uint64(os.Getpagesize()-1)); len(r.Pages) != 1 || r.Pages[0].Address != page || r.Pages[0].Samples != writes {
			t.Errorf("pages %+v, want %s alone", r.Pages, page)
		}
	}
	t.Run("recorded", func(t *testing.T) { check(t, live) })
	t.Run("file", func(t *testing.T) {
		again, _, _ := memJSON(t, 0, "-i", data)
		check(t, again)
	})
	t.Run("samples", func(t *testing.T) {
		stdout, _ := energyprof(t, 0, "mem", "--samples", "-q", "-i", data)
		lines := 0
		for line := range strings.Lines(stdout) {
			if strings.Contains(line, event) {
				lines++
				if !strings.Contains(line, fmt.Sprintf("%#x", address)) || !strings.Contains(line, "main.write") {
					t.Fatalf("a sample without its address and function: %s", line)
				}
			}
		}
		if lines != writes {
			t.Errorf("%d samples are listed, want %d", lines, writes)
		}
	})
	t.Run("profile", func(t *testing.T) {
		p := readProfile(t, out)
		column := slices.IndexFunc(p.SampleType, func(v *profile.ValueType) bool { return v.Type == event })
		if column < 0 {
			t.Fatalf("sample types %v", p.SampleType)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[column]
			if s.Value[column] > 0 && (len(s.NumLabel["address"]) != 1 || uint64(s.NumLabel["address"][0]) != address) {
				t.Errorf("%d writes at %v, want %#x", s.Value[column], s.NumLabel["address"], address)
			}
		}
		if sum != writes {
			t.Errorf("%d writes, want %d", sum, writes)
		}
		converted := filepath.Join(dir, "converted.pb.gz")
		energyprof(t, 0, "convert", "-q", "-o", converted, data)
		if string(bare(t, readProfile(t, converted))) != string(bare(t, p)) {
			t.Error("the profile out of perf.data differs from that of the recording")
		}
	})
	t.Run("perf", func(t *testing.T) {
		needPerf(t)
		text, err := exec.Command("perf", "script", "-G", "-F", "event,addr,ip,sym", "-i", data).Output()
		if err != nil {
			t.Fatalf("perf script: %v", err)
		}
		sample := fmt.Sprintf(`%s:\s+%x\s+[0-9a-f]+ main\.write\n`, regexp.QuoteMeta(event), address)
		if n := len(regexp.MustCompile(sample).FindAll(text, -1)); n != writes {
			t.Errorf("perf finds %d samples at %#x in main.write, want %d\n%.300s", n, address, writes, text)
		}
	})
}

// touched is what the program says: the area it mapped, and the pages of it that it wrote to.
func touched(t *testing.T, printed string) (from, to uint64, pages []string) {
	t.Helper()
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		if pages == nil && from == 0 {
			if _, err := fmt.Sscanf(line, "from %v to %v", &from, &to); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			continue
		}
		pages = append(pages, line)
	}
	return from, to, pages
}

// Page faults are on exactly the pages that were touched, each once, in the function that did, with the node.
func TestMemFaults(t *testing.T) {
	needSampling(t)
	program := buildGo(t, "touch")
	dir := t.TempDir()
	out, data := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "perf.data")
	live, printed, _ := memJSON(t, 0, "--energy", "none", "-e", "page-faults", "-o", out, "--perf-data", data, "--", program, "pages", "3000")
	from, to, want := touched(t, printed)
	slices.Sort(want)
	if len(want) != 1000 {
		t.Fatalf("%d pages were touched", len(want))
	}
	check := func(r memory.Result, nodes bool) {
		t.Helper()
		var got []string
		for _, p := range r.Pages {
			at, err := strconv.ParseUint(p.Address, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			if at < from || at >= to {
				continue
			}
			got = append(got, p.Address)
			if p.Samples != 1 || p.Counts["page-faults"] != 1 || !slices.Equal(p.Functions, []string{"main.fault"}) || p.Process != "touch" {
				t.Errorf("page %s: %+v, want one fault of main.fault", p.Address, p)
			}
			if nodes && p.Node == nil {
				t.Errorf("page %s is on no node", p.Address)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d pages with faults, want the %d that were touched", len(got), len(want))
		}
		if b := bookOf(t, r, "page-faults"); b.Counted == nil || *b.Counted != b.Samples || b.Samples < 1000 || b.Lost == nil || *b.Lost != 0 {
			t.Errorf("books %+v, want a sample of each fault", b)
		}
	}
	check(live, true)
	again, _, _ := memJSON(t, 0, "-i", data)
	check(again, false)
	converted := filepath.Join(dir, "converted.pb.gz")
	energyprof(t, 0, "convert", "-q", "-o", converted, data)
	if string(bare(t, readProfile(t, converted))) != string(bare(t, readProfile(t, out))) {
		t.Error("the profile out of perf.data differs from that of the recording")
	}
}

// What found no room in a ring of one page is in the books of its event, and what was sampled and what was lost is all.
func TestMemLost(t *testing.T) {
	needSampling(t)
	program := buildGo(t, "touch")
	r, _, stderr := memJSON(t, 0, "--energy", "none", "-e", "page-faults", "-m", "1", "-o", filepath.Join(t.TempDir(), "out.pb.gz"), "--", program, "pages", "60000", "3")
	b := bookOf(t, r, "page-faults")
	if b.Counted == nil || *b.Counted < 60_000 {
		t.Fatalf("books %+v, want 60000 faults and more counted", b)
	}
	if b.Lost == nil {
		t.Skip("this kernel does not tell what an event lost (PERF_FORMAT_LOST, Linux 6.0)")
	}
	if *b.Lost == 0 || b.Samples+*b.Lost != *b.Counted {
		t.Errorf("books %+v: want samples and lost to be all that was counted", b)
	}
	if len(r.Notes) == 0 {
		t.Errorf("no note of what was lost; stderr %s", stderr)
	}
}

// Two CPUs that write to two variables of one cache line are seen to share it falsely, without any PMU.
func TestMemFalseSharing(t *testing.T) {
	needSampling(t)
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU")
	}
	program := buildGo(t, "touch")
	const line, writes = 64, 2000
	at := (addressOf(t, program, "main.counters") + line - 1) / line * line
	r, _, _ := memJSON(t, 0, "--energy", "none", "-e", fmt.Sprintf("mem:%#x/8:w", at+8), "-e", fmt.Sprintf("mem:%#x/8:w", at+40),
		"-o", filepath.Join(t.TempDir(), "out.pb.gz"), "--", program, "shared", strconv.Itoa(writes))
	if len(r.Lines) != 1 || r.Lines[0].Address != fmt.Sprintf("%#x", at) || r.Lines[0].Sharing != memory.FalselyShared || r.Lines[0].Samples != 2*writes {
		t.Fatalf("lines %+v, want %#x alone, falsely shared", r.Lines, at)
	}
	offsets := r.Lines[0].Offsets
	for i, want := range []struct {
		offset   int
		function string
	}{{8, "main.left"}, {40, "main.right"}} {
		if len(offsets) != 2 || offsets[i].Offset != want.offset || !slices.Equal(offsets[i].Functions, []string{want.function}) || offsets[i].Samples != writes {
			t.Errorf("offsets %+v: want %d to be of %s", offsets, want.offset, want.function)
		}
	}
	if len(offsets) == 2 && (offsets[0].WrittenOn == offsets[1].WrittenOn || offsets[0].WrittenOn == "") {
		t.Errorf("both are written on CPU %q", offsets[0].WrittenOn)
	}
}

// Energy of memory adds up to what the counter says, and page faults, which tell of no loads, have none of it.
func TestMemEnergy(t *testing.T) {
	needTSC(t)
	program := buildGo(t, "touch")
	dir := t.TempDir()
	out, data, trace := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "perf.data"), filepath.Join(dir, "trace.csv")
	r, _, _ := memJSON(t, 0, "--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "-e", "page-faults", "-o", out, "--perf-data", data, "--energy-trace", trace,
		"--", program, "pages", "30000", "20")
	p := readProfile(t, out)
	last := len(p.SampleType) - 1
	for i, v := range p.SampleType {
		if (v.Type == "energy_dram" && v.Unit == "microjoules") != (i == last) || v.Type == "energy" {
			t.Errorf("sample type %s/%s in place %d of %d: want energy_dram/microjoules last, and no sum", v.Type, v.Unit, i+1, last+1)
		}
	}
	var sum, ofCode int64
	for _, s := range p.Sample {
		sum += s.Value[last]
		if _, synthetic := pprofile.IsSynthetic(s); !synthetic {
			ofCode += s.Value[last]
		}
	}
	if ofCode != 0 {
		t.Errorf("code has %d uJ though nothing tells what memory served", ofCode)
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := rapl.ReadTrace(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	var joules float64
	for _, point := range read.Points {
		joules = max(joules, point.Joules)
	}
	if len(read.Domains) != 1 || read.Domains[0].Name != "dram" || math.Abs(joules-float64(sum)/1e6) > 1e-6 || sum == 0 {
		t.Errorf("the profile has %d uJ, the trace of %v %.6f J", sum, read.Domains, joules)
	}
	if r.Total.Joules == nil || math.Abs(*r.Total.Joules-joules) > 1e-6 {
		t.Errorf("the tables have %v J, want %.6f", r.Total.Joules, joules)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "do not tell what memory served") }) {
		t.Errorf("notes %q do not say whose the joules are not", r.Notes)
	}
	again := filepath.Join(dir, "again.pb.gz")
	energyprof(t, 0, "convert", "-q", "-o", again, data)
	if string(bare(t, readProfile(t, again))) != string(bare(t, p)) {
		t.Error("the profile out of perf.data differs from that of the recording")
	}
}
