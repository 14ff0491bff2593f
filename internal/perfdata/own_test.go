package perfdata

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// sameOwn compares sections, where NaN is NaN and a clock's reading of the start its time.
func sameOwn(a, b *Own) error {
	x, y := *a, *b
	if !x.Start.Equal(y.Start) {
		return fmt.Errorf("start %v, want %v", x.Start, y.Start)
	}
	x.Start, y.Start, x.tokens, y.tokens = time.Time{}, time.Time{}, nil, nil
	if !slices.EqualFunc(x.Attribution.BaselineWatts, y.Attribution.BaselineWatts, func(v, w float64) bool {
		return v == w || math.IsNaN(v) && math.IsNaN(w)
	}) {
		return fmt.Errorf("baseline %v, want %v", x.Attribution.BaselineWatts, y.Attribution.BaselineWatts)
	}
	x.Attribution.BaselineWatts, y.Attribution.BaselineWatts = nil, nil
	if !reflect.DeepEqual(x, y) {
		return fmt.Errorf("\n%+v\nwant\n%+v", x, y)
	}
	return nil
}

// anyBytes are strings as paths and arguments can be: of any bytes.
func anyBytes() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")) })
}

// some is a slice that is nil when it is empty, as it comes out of a file.
func some[T any](element *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		if all := rapid.SliceOfN(element, 0, 4).Draw(t, "slice"); len(all) > 0 {
			return all
		}
		return nil
	})
}

func anyOwn(t *rapid.T) *Own {
	draw := func(name string) string { return rapid.StringMatching("[a-z.0-9 -]{0,9}").Draw(t, name) }
	o := &Own{
		Tool: draw("tool"), Start: time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "start")),
		Duration: time.Duration(rapid.Int64().Draw(t, "duration")), Period: 1,
		SystemWide: rapid.Bool().Draw(t, "all"), NoOthers: rapid.Bool().Draw(t, "no others"),
		CPUs: some(rapid.IntRange(0, 99)).Draw(t, "cpus"), MaxDepth: rapid.Int().Draw(t, "depth"),
		Energy: rapl.Info{Name: draw("source"), Measured: rapid.Bool().Draw(t, "measured")},
		Attribution: attribution.Options{Method: attribution.Method(draw("method")),
			BaselineWatts: some(rapid.OneOf(rapid.Just(math.NaN()), rapid.Float64())).Draw(t, "watts"),
			CoreType:      some(rapid.Byte()).Draw(t, "type"), Core: some(rapid.Int32()).Draw(t, "core")},
		Throttled: rapid.Int64().Draw(t, "throttled"), Notes: some(rapid.String()).Draw(t, "notes"),
		KernelVisible: rapid.Bool().Draw(t, "kernel"),
	}
	if rapid.Bool().Draw(t, "stacks") {
		o.Stacks = &OwnStacks{Method: draw("stack method"), Walked: rapid.Bool().Draw(t, "walked"), Samples: rapid.Int64().Draw(t, "stack samples"),
			Complete: rapid.Int64().Draw(t, "complete"), Truncated: rapid.Int64().Draw(t, "truncated")}
		if rapid.Bool().Draw(t, "failed") {
			o.Stacks.Failed = map[string]int64{draw("reason"): rapid.Int64().Draw(t, "failures")}
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		o.Events = append(o.Events, OwnEvent{Name: draw("event"), Clock: rapid.Bool().Draw(t, "clock"), Period: rapid.Uint64().Draw(t, "period"),
			Memory: rapid.Bool().Draw(t, "memory"), Address: rapid.Bool().Draw(t, "address")})
	}
	if len(o.Events) > 0 && rapid.Bool().Draw(t, "books") {
		o.Books = make([]perfring.EventBooks, len(o.Events))
		for i := range o.Books {
			o.Books[i] = perfring.EventBooks{Name: draw("book"), Samples: rapid.Uint64().Draw(t, "samples"), HasCount: rapid.Bool().Draw(t, "counted"),
				Running: time.Duration(rapid.Int64().Draw(t, "running")), Lost: rapid.Uint64().Draw(t, "lost")}
		}
	}
	if rapid.Bool().Draw(t, "about memory") {
		o.Memory = &OwnMemory{Addresses: rapid.Bool().Draw(t, "addresses"), Weigh: rapid.Bool().Draw(t, "weigh")}
	}
	for range rapid.IntRange(0, 2).Draw(t, "domains") {
		o.Energy.Domains = append(o.Energy.Domains, rapl.Domain{Name: draw("domain"), CPUs: o.CPUs, Unit: rapid.Float64().Draw(t, "unit")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "idle") {
		o.Idle = append(o.Idle, symbol.Range{Start: rapid.Uint64().Draw(t, "start"), Limit: rapid.Uint64().Draw(t, "limit")})
	}
	if rapid.Bool().Draw(t, "command") {
		o.Command = &OwnCommand{Args: some(anyBytes()).Draw(t, "args"), Signal: draw("signal")}
	}
	var mappings []*pprofile.Mapping
	for range rapid.IntRange(0, 3).Draw(t, "mappings") {
		mappings = append(mappings, &pprofile.Mapping{Start: rapid.Uint64().Draw(t, "start"), Limit: rapid.Uint64().Draw(t, "limit"),
			Offset: rapid.Uint64().Draw(t, "offset"), File: anyBytes().Draw(t, "file"), BuildID: draw("id")})
	}
	mapping := rapid.SampledFrom(append(mappings, nil))
	o.Main = mapping.Draw(t, "main")
	frame := rapid.Custom(func(t *rapid.T) pprofile.Frame {
		return pprofile.Frame{Function: anyBytes().Draw(t, "function"), SystemName: anyBytes().Draw(t, "system"),
			File: anyBytes().Draw(t, "file"), Line: rapid.Int64().Draw(t, "line"), StartLine: rapid.Int64().Draw(t, "start line")}
	})
	o.Locations = []*pprofile.Location{}
	for range rapid.IntRange(0, 5).Draw(t, "locations") {
		o.Locations = append(o.Locations, &pprofile.Location{Mapping: mapping.Draw(t, "mapping"),
			Address: rapid.Uint64().Draw(t, "address"), Lines: some(frame).Draw(t, "lines")})
	}
	return o
}

// encoded is a section behind some bytes of something else.
func encoded(t interface{ Fatal(...any) }, o *Own, tokens []byte) []byte {
	b := bytes.NewBufferString("before")
	if err := encodeOwn(b, o, bytes.NewReader(tokens), int64(len(tokens))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOwnRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOwn(t)
		b := encoded(t, o, []byte("tokens"))
		size := int64(len(b)) - 6
		if !isOwn(bytes.NewReader(b), section{6, uint64(size)}) || isOwn(bytes.NewReader(b), section{5, uint64(size)}) {
			t.Fatal("not recognised")
		}
		got, err := decodeOwn(bytes.NewReader(b), 6, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameOwn(got, o); err != nil {
			t.Fatal(err)
		}
		if tokens, err := io.ReadAll(got.tokens); string(tokens) != "tokens" {
			t.Fatalf("tokens %q, %v", tokens, err)
		}
	})
}

func TestOwnRefused(t *testing.T) {
	whole := encoded(t, &Own{Tool: "energyprof"}, nil)[6:]
	for name, tc := range map[string]struct {
		damage func(b []byte) []byte
		want   error
		text   string
	}{
		"later version": {func(b []byte) []byte { b[24] = 5; return b }, ErrOwnVersion,
			"at offset 0: energyprof's section was written by a later version: it is version 5, and this is 4"},
		"short":     {func(b []byte) []byte { return b[:20] }, errOwnDamaged, ""},
		"cut":       {func(b []byte) []byte { return b[:120] }, errOwnDamaged, ""},
		"no part":   {func(b []byte) []byte { b[28] = 0; return b }, errOwnDamaged, ""},
		"two parts": {func(b []byte) []byte { b[32] = partPlaces; return b }, errOwnDamaged, ""},
		"huge part": {func(b []byte) []byte { b[55] = 0xff; return b }, errOwnDamaged, ""},
	} {
		b := tc.damage(bytes.Clone(whole))
		_, err := decodeOwn(bytes.NewReader(b), 0, int64(len(b)))
		if !errors.Is(err, tc.want) || tc.text != "" && err.Error() != tc.text {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// calls keeps what a sink is told, as text.
type calls struct{ list []string }

func (c *calls) add(format string, args ...any) {
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *calls) Existing(pid int) error { c.add("existing %d", pid); return nil }

func (c *calls) Record(rec perfring.Record, cpu, event int) {
	c.add("%d %d %+v", cpu, event, reflect.ValueOf(rec).Elem().Interface())
}
func (c *calls) Busy(cpu int, from, to, ns int64)   { c.add("busy %d %d %d %d", cpu, from, to, ns) }
func (c *calls) Others(cpu int, from, to, ns int64) { c.add("others %d %d %d %d", cpu, from, to, ns) }
func (c *calls) Missed(cpu int, from, to, ns int64) { c.add("missed %d %d %d %d", cpu, from, to, ns) }
func (c *calls) Energy(domain int, t int64, joules float64) {
	c.add("energy %d %d %x", domain, t, math.Float64bits(joules))
}
func (c *calls) Count(series int, t int64, counts float64) {
	c.add("count %d %d %.0f", series, t, counts)
}
func (c *calls) Advance(t int64) { c.add("advance %d", t) }

// sampleOwn is a section with something of everything, and its tokens.
func sampleOwn() (*Own, []byte) {
	var tokens bytes.Buffer
	w := tokenTo(&tokens)
	w.existing(7)
	w.point(tokEnergy, 0, 1e9, 1.5)
	w.window(tokBusy, 3, 5, 9, 2)
	w.window(tokOthers, 3, 5, 9, 2)
	w.window(tokMissed, 3, 5, 9, 2)
	w.advance(math.MaxInt64)
	w.w.Flush()
	code := 3
	m := &pprofile.Mapping{Start: 4096, Limit: 8192, Offset: 512, File: "/bin/\xff", BuildID: "00ff"}
	return &Own{
		Tool: "energyprof 1.2", Start: time.Unix(1700000000, 5), Duration: 7, Period: 9, Command: &OwnCommand{Args: []string{"a", "\xff"}, ExitCode: &code},
		SystemWide: true, NoOthers: true, CPUs: []int{0, 2}, MaxDepth: 127,
		Events: []OwnEvent{{Name: "cpu-clock", Clock: true}, {Name: "cycles", Period: 1000, Weight: true}},
		Energy: rapl.Info{Name: "perf-power", Measured: true, Domains: []rapl.Domain{
			{Name: "package", Package: 1, CPUs: []int{0, 2}, Sum: true, Unit: 0.25, ErrorBand: 0.5, IdleWatts: 3}}},
		Attribution: attribution.Options{Method: attribution.Regression, BaselineWatts: []float64{math.NaN(), 2.5}, CoreType: []uint8{0, 1}, Core: []int32{0, 0}},
		Throttled:   1, BadRecords: 2, Notes: []string{"note"}, Comments: []string{"comment"},
		KernelVisible: true, Idle: []symbol.Range{{Start: 1 << 63, Limit: 1<<63 + 9}}, Main: m,
		Locations: []*pprofile.Location{{Address: 5000, Mapping: m, Lines: []pprofile.Frame{{Function: "f", SystemName: "_f", File: "f.c", Line: 3, StartLine: 1}}}, {Address: 1}},
	}, tokens.Bytes()
}

// TestOwnVersion1 reads the section that the first version wrote: files outlive programs.
func TestOwnVersion1(t *testing.T) {
	const path = "testdata/own-v1"
	want, tokens := sampleOwn()
	if *update {
		if err := os.WriteFile(path, encoded(t, want, tokens)[6:], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeOwn(bytes.NewReader(b), 0, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := sameOwn(got, want); err != nil {
		t.Error(err)
	}
	said := &calls{}
	if err := got.replay(func() (perfring.Record, int, int, error) { return nil, 0, 0, io.EOF }, said); err != nil {
		t.Error(err)
	}
	expected := []string{"existing 7", "energy 0 1000000000 3ff8000000000000", "busy 3 5 9 2", "others 3 5 9 2", "missed 3 5 9 2", "advance 9223372036854775807"}
	if !slices.Equal(said.list, expected) {
		t.Errorf("replayed %q, want %q", said.list, expected)
	}
}

// TestOwnCounters: a section with counters is of a version that older programs refuse, since they would lose the
// counts; a series that it does not have is damage.
func TestOwnCounters(t *testing.T) {
	own, _ := sampleOwn()
	own.Counters = []rapl.CountedEvent{{Name: "uncore_imc/cas_count_read/", Scale: 6.103515625e-5, Unit: "MiB",
		Domains: []rapl.Domain{{Name: "uncore_imc/cas_count_read/", CPUs: []int{0, 1}, Unit: 1}, {Name: "uncore_imc/cas_count_read/", Package: 1, CPUs: []int{2, 3}, Unit: 1}}}}
	own.CounterMethod = attribution.Auto
	for series, want := range map[int]string{
		1: "count 1 1000000000 12345678",
		2: "series 2 of 2 that are counted",
	} {
		var tokens bytes.Buffer
		w := tokenTo(&tokens)
		w.point(tokCount, series, 1e9, 12345678)
		w.w.Flush()
		b := encoded(t, own, tokens.Bytes())[6:]
		if b[24] != ownCounters {
			t.Fatalf("version %d", b[24])
		}
		got, err := decodeOwn(bytes.NewReader(b), 0, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if err := sameOwn(got, own); err != nil {
			t.Error(err)
		}
		said := &calls{}
		if err := got.replay(func() (perfring.Record, int, int, error) { return nil, 0, 0, io.EOF }, said); err != nil {
			said.add("%v", err)
		}
		if all := strings.Join(said.list, "; "); !strings.HasSuffix(all, want) {
			t.Errorf("series %d: %q, want %q", series, all, want)
		}
	}
}

// FuzzOwn reads damaged sections, and replays what can be read without records.
func FuzzOwn(f *testing.F) {
	o, tokens := sampleOwn()
	f.Add(encoded(f, o, tokens)[6:])
	o, tokens = memoryOwn()
	f.Add(encoded(f, o, tokens)[6:])
	f.Add([]byte(ownMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeOwn(bytes.NewReader(b), 0, int64(len(b)))
		if err != nil {
			return
		}
		again := encoded(t, o, nil)
		second, err := decodeOwn(bytes.NewReader(again), 6, int64(len(again))-6)
		if err != nil {
			t.Fatalf("what was read cannot be read when it is written again: %v", err)
		}
		if !bytes.Equal(encoded(t, second, nil), again) {
			t.Fatal("written twice, it differs")
		}
		o.replay(func() (perfring.Record, int, int, error) { return nil, 0, 0, io.EOF }, &calls{})
	})
}

func tokenTo(w io.Writer) *tokenWriter { return &tokenWriter{w: bufio.NewWriter(w)} }

// readBack opens a written file with no more than is needed to walk its data.
func readBack(t interface{ Fatal(...any) }, path string) (*Own, nextRecord) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := func(off uint64) uint64 { return binary.NativeEndian.Uint64(b[off:]) }
	own, err := decodeOwn(bytes.NewReader(b), int64(at(56)), int64(at(64)))
	if err != nil {
		t.Fatal(err)
	}
	decoder := perfring.NewDecoder()
	events := map[uint64]int{}
	index := 0
	for a := at(24); a < at(24)+at(32); a += at(16) {
		var attr perfring.Attr
		if err := attr.UnmarshalBinary(b[a:]); err != nil {
			t.Fatal(err)
		}
		place := a + at(16) - sectionSize
		for i := at(place); i < at(place)+at(place+8); i += 8 {
			events[at(i)] = index
			if err := decoder.Add(&attr, at(i)); err != nil {
				t.Fatal(err)
			}
		}
		index++
	}
	data := b[at(40) : at(40)+at(48)]
	return own, func() (perfring.Record, int, int, error) {
		for len(data) > 0 {
			rec, err := decoder.Decode(data)
			if err != nil {
				return nil, 0, 0, err
			}
			data = data[rec.Head().Size:]
			if rec.Head().Type >= recUserStart {
				continue
			}
			v := reflect.ValueOf(rec).Elem()
			event := -1
			switch r := rec.(type) {
			case *perfring.Sample:
				event = events[r.ID]
			case *perfring.Throttle, *perfring.Unthrottle:
				event = events[v.FieldByName("SampleID").Interface().(perfring.SampleID).ID]
			}
			return rec, int(v.FieldByName("CPU").Uint()), event, nil
		}
		return nil, 0, 0, io.EOF
	}
}

// TestReplay writes recordings of arbitrary calls and expects the same ones back.
func TestReplay(t *testing.T) {
	attr := perfring.Attr{SampleFormat: writtenFormat | perfring.SampleIP | perfring.SamplePeriod, Flags: perfring.FlagSampleIDAll}
	decoder := perfring.NewDecoder()
	if err := decoder.Add(&attr, 11, 12); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		file, err := os.Create(filepath.Join(dir, "perf.data"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		want := &calls{}
		w, err := NewWriter(file, Machine{Sys: dir, Proc: dir}, want)
		if err != nil {
			t.Fatal(err)
		}
		small := rapid.Int64Range(-3, 1<<40)
		for range rapid.IntRange(0, 30).Draw(t, "calls") {
			cpu := rapid.IntRange(0, 300).Draw(t, "cpu")
			time := small.Draw(t, "time")
			switch rapid.IntRange(0, 8).Draw(t, "kind") {
			case 0:
				w.Existing(rapid.IntRange(1, 1<<22).Draw(t, "pid"))
			case 1:
				w.Busy(cpu, time, small.Draw(t, "to"), small.Draw(t, "ns"))
			case 2:
				w.Others(cpu, time, small.Draw(t, "to"), small.Draw(t, "ns"))
			case 3:
				w.Missed(cpu, time, small.Draw(t, "to"), small.Draw(t, "ns"))
			case 4:
				w.Energy(0, time, rapid.Float64().Draw(t, "joules"))
			case 5:
				w.Advance(rapid.SampledFrom([]int64{time, math.MaxInt64}).Draw(t, "until"))
			case 6:
				lost := &perfring.Lost{Header: perfring.Header{Type: perfring.RecordLost}, Lost: 5}
				lost.Time, lost.SampleID.CPU = uint64(time), uint32(cpu)
				w.Record(lost, cpu, -1)
			case 7:
				name := anyBytes().Draw(t, "name")
				name = string(bytes.ReplaceAll([]byte(name), []byte{0}, nil))
				rec, err := decoder.Decode(bytes.Clone(w.comm(&perfring.Comm{Header: perfring.Header{Type: perfring.RecordComm}, PID: 3, TID: 4, Name: []byte(name)})))
				if err != nil {
					t.Fatal(err)
				}
				w.Found(rec)
				want.Record(rec, int(w.cpu), -1)
			default:
				event := rapid.IntRange(0, 1).Draw(t, "event")
				raw := numbers32(nil, uint32(perfring.RecordSample), (8+8*6)<<16|perfring.MiscUser)
				raw = numbers64(raw, uint64(11+event), 0x401000)
				raw = numbers32(raw, 5, 6)
				raw = numbers64(raw, uint64(time))
				raw = numbers64(numbers32(raw, uint32(cpu), 0), 1000)
				rec, err := decoder.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				w.Tap(raw)
				w.Record(rec, cpu, event)
			}
		}
		own := &Own{Energy: rapl.Info{Domains: make([]rapl.Domain, 1)}, Events: make([]OwnEvent, 2)}
		if err := w.Finish([]Event{{Attr: attr, IDs: []uint64{11}}, {Attr: attr, IDs: []uint64{12}}}, own); err != nil {
			t.Fatal(err)
		}
		own, next := readBack(t, file.Name())
		got := &calls{}
		if err := own.replay(next, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.list, want.list) {
			t.Fatalf("got\n%v\nwant\n%v", got.list, want.list)
		}
	})
}
