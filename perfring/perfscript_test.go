package perfring

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// capture is a file that perf record wrote, as far as these tests need it.
type capture struct {
	attrs   []Attr
	ids     [][]uint64 // of each attr
	records []placed
}

type placed struct {
	offset uint64 // in the file
	raw    []byte // aligned to 8 bytes
}

// readCapture reads a perf.data file as described in the kernel's
// tools/perf/Documentation/perf.data-file-format.txt: a header with the
// sections of attributes, each with the section of its ids, and of records.
func readCapture(t *testing.T, path string) *capture {
	t.Helper()
	file, err := os.ReadFile(path)
	must(t, err)
	word := func(at uint64) uint64 { return binary.NativeEndian.Uint64(file[at:]) }
	section := func(at uint64) (start, end uint64) { return word(at), word(at) + word(at+8) }
	if string(file[:8]) != "PERFILE2" {
		t.Fatalf("%s starts with %q", path, file[:8])
	}
	c := new(capture)
	attrSize := word(16)
	start, end := section(24)
	for ; start < end; start += attrSize {
		var a Attr
		must(t, a.UnmarshalBinary(file[start:start+attrSize-16]))
		var ids []uint64
		for at, end := section(start + attrSize - 16); at < end; at += 8 {
			ids = append(ids, word(at))
		}
		c.attrs, c.ids = append(c.attrs, a), append(c.ids, ids)
	}
	start, end = section(40)
	data := alignedBytes(int(end - start))
	copy(data, file[start:end])
	for at := uint64(0); at < end-start; {
		size := uint64(binary.NativeEndian.Uint16(data[at+6:]))
		if size < headerSize || size > end-start-at {
			t.Fatalf("record of %d bytes at %#x", size, start+at)
		}
		c.records = append(c.records, placed{start + at, data[at : at+size : at+size]})
		at += size
	}
	return c
}

// clearStrayBits takes the bit of a build id off the Mmap2 records of a file
// whose events asked for none. The kernel lets it slip in while somebody else
// asks for build ids; perf takes the inode for one then, and crashes.
func clearStrayBits(t *testing.T, path string, c *capture) {
	t.Helper()
	for _, a := range c.attrs {
		if a.Flags&FlagBuildID != 0 {
			return
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer file.Close()
	for _, r := range c.records {
		if h, _, ok := header(r.raw); ok && h.Type == RecordMmap2 && h.Misc&MiscMmapBuildID != 0 {
			misc := binary.NativeEndian.AppendUint16(nil, h.Misc&^MiscMmapBuildID)
			_, err := file.WriteAt(misc, int64(r.offset)+4)
			must(t, err)
		}
	}
}

// dumped is what perf script -D says of one record.
type dumped struct {
	offset, kind uint64
	text         string
}

var (
	dumpHead   = regexp.MustCompile(`^0x([0-9a-f]+)@.* \[0x[0-9a-f]+\]: event: (\d+)$`)
	fieldsHead = regexp.MustCompile(`^ *-?\d+/-?\d+ +\[\d+\] +\d+\.\d{9}: `)
	// The names of registers are no concern of perfring.
	registerName = regexp.MustCompile(`^\.\.\.\. [A-Za-z]\w* +(0x[0-9a-f]{16})$`)
	// A stack of which nothing was saved has no place that we could know.
	emptyStack = regexp.MustCompile(`^(\.\.\. ustack: size 0), offset \w+$`)
)

// squeeze makes every stretch of white space one blank.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// readDump reads the output of perf script -D: for each record a line with
// its place and type, its bytes, and its fields as perf decoded them. What
// perf adds from elsewhere, thread and file, is left out.
func readDump(t *testing.T, out string) (all []dumped) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, " \n")
		if m := dumpHead.FindStringSubmatch(line); m != nil {
			offset, err := strconv.ParseUint(m[1], 16, 64)
			must(t, err)
			kind, err := strconv.ParseUint(m[2], 10, 32)
			must(t, err)
			all = append(all, dumped{offset: offset, kind: kind})
			continue
		}
		if m := registerName.FindStringSubmatch(line); m != nil {
			line = ".... " + m[1]
		}
		line = emptyStack.ReplaceAllString(line, "$1")
		line = strings.TrimSuffix(line, ": unhandled!")
		switch {
		case len(all) == 0, line == "", line == ".", strings.HasPrefix(line, ".  "),
			strings.HasPrefix(line, ". ... raw event:"), strings.HasPrefix(line, " ... thread:"),
			strings.HasPrefix(line, " ...... dso:"), fieldsHead.MatchString(line):
			continue
		}
		last := &all[len(all)-1]
		last.text = squeeze(last.text + " " + line)
	}
	return all
}

// readFields reads the output of perf script -F: one line for each event, but
// several for namespaces.
func readFields(out string) (all []string) {
	for line := range strings.Lines(out) {
		if fieldsHead.MatchString(line) {
			all = append(all, squeeze(line))
		} else if len(all) > 0 {
			all[len(all)-1] = squeeze(all[len(all)-1] + " " + line)
		}
	}
	return all
}

// runPerf runs perf and returns its standard output.
func runPerf(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "perf", args...)
	cmd.Env = append(os.Environ(), "PERF_CONFIG=/dev/null", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("perf %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

// record makes a capture of a shell that computes, forks and executes.
func record(t *testing.T, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "perf.data")
	// The thread that listens for BPF programs makes perf take a second longer.
	args := append([]string{"record", "-q", "-B", "-N", "--no-bpf-event", "--sample-cpu", "-d", "-o", path}, options...)
	_, err := runPerf(append(args, "--", "sh", "-c", "i=0; while [ $i -lt 15000 ]; do i=$((i+1)); done; (exec true); true")...)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("this perf cannot: %v", err)
	}
	must(t, err)
	return path
}

// Everything that perf script says of the records of a run, from the same
// bytes. It prints the addresses of a callchain relative to their file, and
// without the markers, so callchains are compared with its raw dump.
func TestAgainstPerfScript(t *testing.T) {
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no perf: %v", err)
	}
	if _, err := runPerf("--version"); err != nil {
		t.Skipf("perf does not run here: %v", err) // Ubuntu's is a script that looks for the kernel's own
	}
	open(t, &Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 1e6, Flags: FlagDisabled}, -1, nil)
	tests := []struct {
		name    string
		root    bool // wants more than to sample own processes
		options []string
		events  []string // names in the order of the attributes
		want    []RecordType
		formats SampleFormat
	}{
		{"callchain", false, []string{"-g", "-e", "cpu-clock/period=1000000,name=clock/"},
			[]string{"clock"},
			[]RecordType{RecordSample, RecordComm, RecordMmap2, RecordFork, RecordExit},
			SampleAddr | SampleCallchain,
		},
		{"group", true, []string{"-e", "{cpu-clock/period=1000000,name=clock/,page-faults/name=faults/}:S",
			"-e", "minor-faults/period=3,name=minor/", "-s", "-W", "--phys-data", "--data-page-size", "--code-page-size",
			"--transaction", "--user-regs=ip,sp", "--intr-regs=ip,sp", "--namespaces", "--switch-events", "--all-cgroups",
			"--buildid-mmap", "-k", "CLOCK_MONOTONIC"},
			[]string{"clock", "faults", "minor"},
			[]RecordType{RecordSample, RecordRead, RecordSwitch, RecordNamespaces, RecordComm, RecordMmap2, RecordFork, RecordExit},
			SampleRead | SampleRegsUser | SampleRegsIntr | SamplePhysAddr | SampleDataPageSize | SampleCodePageSize | SampleTransaction | SampleWeightStruct,
		},
		// A ring of one page has no room for a stack of two.
		{"stack", true, []string{"-P", "-m", "1", "-e", "cpu-clock/period=1000000,call-graph=dwarf,stack-size=512,name=clock/",
			"-e", "page-faults/period=1,call-graph=dwarf,stack-size=8192,name=faults/",
			"-e", "raw_syscalls:sys_enter", "-c", "1", "--switch-events"},
			[]string{"clock", "faults", "raw_syscalls:sys_enter"},
			[]RecordType{RecordSample, RecordLost, RecordSwitch, RecordComm},
			SamplePeriod | SampleRegsUser | SampleStackUser | SampleRaw,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.root && os.Geteuid() != 0 {
				t.Skip("wants root")
			}
			// A busy machine may lose the one record that we look for, so it
			// has three tries; what there is must always be the same.
			for try := 1; ; try++ {
				path := record(t, test.options...)
				c := readCapture(t, path)
				clearStrayBits(t, path, c)
				seen := comparePerfScript(t, path, c, test.events)
				formats := SampleFormat(0)
				for _, a := range c.attrs {
					formats |= a.SampleFormat
				}
				if missing := test.formats &^ formats; missing != 0 {
					t.Errorf("no sample has format %#x", uint64(missing))
				}
				absent := slices.DeleteFunc(slices.Clone(test.want), func(kind RecordType) bool { return seen[kind] > 0 })
				if len(absent) == 0 || t.Failed() {
					return
				}
				if try == 3 {
					t.Fatalf("no %v among %v", absent, seen)
				}
			}
		})
	}
}

func comparePerfScript(t *testing.T, path string, c *capture, events []string) (seen map[RecordType]int) {
	t.Helper()
	fields := ":pid,tid,cpu,time,period,event,addr,ip"
	args := []string{"script", "-i", path, "--ns", "-G", "-F", "sw" + fields, "-F", "trace" + fields + ",trace"}
	out, err := runPerf(append(args, "-D")...)
	must(t, err)
	dump := readDump(t, out)
	out, err = runPerf(append(args, "--show-task-events", "--show-mmap-events", "--show-lost-events",
		"--show-switch-events", "--show-namespace-events", "--show-cgroup-events")...)
	must(t, err)
	lines := readFields(out)

	if len(c.attrs) != len(events) || len(dump) != len(c.records) {
		t.Fatalf("%d attributes and %d records, perf has %d events and %d records", len(c.attrs), len(c.records), len(events), len(dump))
	}
	d := NewDecoder()
	p := newPresenter(c, events)
	for i := range c.attrs {
		must(t, d.Add(&c.attrs[i], c.ids[i]...))
	}
	seen = make(map[RecordType]int)
	raws := make(map[uint64][]byte)
	var inTime []placed
	for _, r := range c.records {
		raws[r.offset] = r.raw
		if ns, ok := d.Time(r.raw); ok && ns != 0 {
			inTime = append(inTime, r)
		}
	}
	slices.SortStableFunc(inTime, func(a, b placed) int {
		x, _ := d.Time(a.raw)
		y, _ := d.Time(b.raw)
		return cmp.Compare(x, y)
	})
	var want []string
	for _, r := range dump {
		raw := raws[r.offset]
		delete(raws, r.offset) // each once
		rec, err := d.Decode(raw)
		if err != nil {
			t.Errorf("record at %#x: %v; perf: %s", r.offset, err, r.text)
			continue
		}
		kind := rec.Head().Type
		seen[kind]++
		if uint64(kind) != r.kind {
			t.Errorf("record at %#x is %v, perf says %d", r.offset, kind, r.kind)
		}
		if kind >= recordUserStart {
			continue // perf's own
		}
		if got := squeeze(p.dump(rec, raw, r.offset)); got != r.text {
			t.Errorf("record at %#x (+perf -perfring):\n%s", r.offset, gocmp.Diff(got, r.text))
		}
		want = append(want, p.fields(rec)...)
		// Records without a time come at once, the others are put in order.
		if ns, _ := d.Time(raw); ns != 0 && len(inTime) > 0 {
			if inTime[0].offset != r.offset {
				t.Errorf("next in time is %#x, perf has %#x", inTime[0].offset, r.offset)
			}
			inTime = inTime[1:]
		}
	}
	if len(raws) != 0 || len(inTime) != 0 {
		t.Errorf("perf did not show %d records, %d with a time", len(raws), len(inTime))
	}
	if diff := gocmp.Diff(want, lines); diff != "" {
		t.Errorf("fields (+perf -perfring):\n%s", diff)
	}
	return seen
}
