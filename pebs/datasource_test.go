package pebs_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "github.com/energyprof/energyprof/pebs"
)

// corpus is where captures of other machines are; they are not part of the repository.
func corpusTable(t *testing.T, name string) [][]string {
	t.Helper()
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = "../../shared/corpus"
	}
	path := filepath.Join(root, "tables", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	return table(t, path)
}

// table reads columns between tabs, without comments.
func table(t testing.TB, path string) (rows [][]string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

func value(t testing.TB, hex string) DataSource {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(hex, "0x"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return DataSource(v)
}

// known are the accesses of testdata/accesses.tsv: every one that a kernel is known to tell of.
func known(t testing.TB) (all []DataSource) {
	for _, row := range table(t, "testdata/accesses.tsv") {
		all = append(all, value(t, row[0]))
	}
	return all
}

// TestAccesses: what is printed of each access that a kernel is known to tell of, and which level
// served it.
func TestAccesses(t *testing.T) {
	for _, row := range table(t, "testdata/accesses.tsv") {
		d := value(t, row[0])
		if d.String() != row[1] || d.Level().String() != row[2] {
			t.Errorf("%s (%s):\n got %s, %s\nwant %s, %s", row[0], row[3], d, d.Level(), row[1], row[2])
		}
	}
}

// TestVectors: what perf printed on other machines.
func TestVectors(t *testing.T) {
	rows := corpusTable(t, "data_src_vectors.tsv")
	for _, row := range rows {
		got, want := value(t, row[0]).String(), row[1]
		if strings.Contains(want, "|AFF") {
			// This perf prints the field always, and of two names of one level the second alone.
			want = strings.TrimSuffix(want, "|AFF N/A")
			got = strings.Replace(got, "|LVL L1 or ", "|LVL ", 1)
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", row[0], got, want)
		}
	}
	if len(rows) != 20 {
		t.Errorf("%d vectors, want 20", len(rows))
	}
}

// TestPEBSTable: every value that kernels make of PEBS data sources is among the known accesses, which
// TestAccesses and perf check.
func TestPEBSTable(t *testing.T) {
	all := map[DataSource]bool{}
	for _, d := range known(t) {
		all[d] = true
	}
	rows := corpusTable(t, "intel_pebs_dse_to_data_src.tsv")[1:] // after the head
	for _, row := range rows {
		if !all[value(t, row[2])] {
			t.Errorf("%s, data source %s: %s is not among the known accesses", row[0], row[1], row[2])
		}
	}
	if len(rows) != 114 {
		t.Errorf("%d data sources, want 114", len(rows))
	}
}

// fields are where the fields of the union are, and which of the words each may change.
var fields = []struct {
	name         string
	shift, width int
	words        string
}{
	{"mem_op", 0, 5, "OP"}, {"mem_lvl", 5, 14, "LVL"}, {"mem_snoop", 19, 5, "SNP"}, {"mem_lock", 24, 2, "LCK"},
	{"mem_dtlb", 26, 7, "TLB"}, {"mem_lvl_num", 33, 4, "LVL"}, {"mem_remote", 37, 1, "LVL"}, {"mem_snoopx", 38, 2, "SNP"},
	{"mem_blk", 40, 3, "BLK"}, {"mem_hops", 43, 3, "LVL"}, {"mem_region", 46, 5, "OP"}, {"above", 51, 13, "OP AFF"},
}

// parts are the names of what is printed, in their order; the last may be left out.
var parts = [...]string{"OP", "LVL", "SNP", "TLB", "LCK", "BLK", "AFF"}

// split takes a printed access apart.
func split(t interface{ Fatalf(string, ...any) }, d DataSource) (words [len(parts)]string) {
	all := d.String()
	rest, n := strings.TrimPrefix(all, "|"), 0
	for more := true; more; n++ {
		var part string
		part, rest, more = strings.Cut(rest, "|")
		if n == len(parts) || len(part) < len(parts[n])+2 || !strings.HasPrefix(part, parts[n]) {
			t.Fatalf("%#x: part %d in %q is %q", uint64(d), n, all, part)
		}
		words[n] = strings.TrimLeft(part[len(parts[n]):], " ")
	}
	if n < len(parts)-1 {
		t.Fatalf("%#x: %d parts in %q", uint64(d), n, all)
	}
	return words
}

// check tests what holds of every value.
func check(t interface{ Fatalf(string, ...any) }, d DataSource) {
	words := split(t, d)
	if alone := [...]string{d.OpWords(), d.LevelWords(), d.SnoopWords(), d.TLBWords(), d.LockWords(), d.BlockWords(), words[6]}; alone != words {
		t.Fatalf("%#x: %q together, %q alone", uint64(d), words, alone)
	}
	level := d.Level()
	if int(level) >= Levels || level.String() == "" {
		t.Fatalf("%#x: level %d of %d", uint64(d), level, Levels)
	}
	op := words[0] + " "
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"a load", d.Loads(), strings.HasPrefix(op, "LOAD ")},
		{"an access", d.Accesses(), !strings.HasPrefix(op, "N/A ") && !strings.HasPrefix(op, "No ") && !strings.HasPrefix(op, "EXEC ")},
		{"hit modified", d.HitModified(), strings.Contains(words[2], "HitM")},
		{"locked", d.Locked(), words[4] == "Yes"},
		{"of another node", strings.HasPrefix(level.String(), "remote "), d.Remote() && strings.HasPrefix(level.String(), "remote ")},
	} {
		if c.got != c.want {
			t.Fatalf("%s: %s %v, want %v (level %s)", d, c.what, c.got, c.want, level)
		}
	}
	if hops := d.Hops(); hops < -1 || hops > 6 || d.Remote() && hops == 0 {
		t.Fatalf("%s: %d hops", d, hops)
	}
}

// TestEveryValue decodes all 65536 values of 16 bits, in values that otherwise say nothing or everything;
// each field lies whole within one of the windows, with its neighbours.
func TestEveryValue(t *testing.T) {
	const window = 1 << 16
	for _, shift := range []int{0, 5, 19, 26, 33, 43, 48} {
		for _, other := range []DataSource{0, ^DataSource(0)} {
			other &^= (window - 1) << shift
			for v := range DataSource(window) {
				check(t, other|v<<shift)
			}
		}
	}
}

// TestFieldsApart: another value of one field changes no words but that field's, in any company.
func TestFieldsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := DataSource(rapid.Uint64().Draw(t, "value"))
		f := rapid.SampledFrom(fields).Draw(t, "field")
		mask := DataSource(1)<<f.width - 1
		e := d&^(mask<<f.shift) | DataSource(rapid.Uint64().Draw(t, "other"))&mask<<f.shift
		check(t, d)
		check(t, e)
		before, after := split(t, d), split(t, e)
		for i, name := range parts {
			if before[i] != after[i] && !strings.Contains(f.words, name) {
				t.Fatalf("%s changes %s: %s, %s", f.name, name, d, e)
			}
		}
	})
}

// FuzzDataSource decodes anything.
func FuzzDataSource(f *testing.F) {
	for _, d := range known(f) {
		f.Add(uint64(d))
	}
	f.Fuzz(func(t *testing.T, v uint64) { check(t, DataSource(v)) })
}

// TestTLBMiss: pages were walked where no TLB had the translation, whoever says so.
func TestTLBMiss(t *testing.T) {
	for _, c := range []struct {
		d    DataSource
		want bool
	}{
		{TLBHit | TLBL1 | TLBL2, false}, // Intel
		{TLBMiss | TLBL2, true},
		{TLBHit | TLBL2, false},     // AMD
		{TLBHit | TLBWalker, true},  // Arm
		{TLBMiss | TLBWalker, true}, // Arm, the walk ended in a fault
		{TLBHit | TLBFault, true},
		{TLBNA, false},
		{0, false},
	} {
		if got := c.d.TLBMiss(); got != c.want {
			t.Errorf("%s: missed %v, want %v", c.d.TLBWords(), got, c.want)
		}
	}
}

// TestCheap: what is asked of every sample allocates nothing.
func TestCheap(t *testing.T) {
	var all []DataSource
	for _, d := range known(t) {
		if d>>46 == 0 { // "STORE SIMD" is put together
			all = append(all, d)
		}
	}
	n := testing.AllocsPerRun(10, func() {
		for _, d := range all {
			_, _, _, _ = d.Level().String(), d.Accesses(), d.OpWords(), d.LockWords()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for %d accesses", n, len(all))
	}
}

// TestRegion: the regions of Linux 7.0 are read only where no bit above them is set.
func TestRegion(t *testing.T) {
	for d, want := range map[DataSource]Region{
		OpLoad | LvlHit | NumL3 | 0x2<<46: RegionLocalShared, OpLoad | LvlHit | NumRAM | 0x8<<46: RegionMem0,
		OpLoad | LvlHit | NumRAM | 0xf<<46: RegionMem7, OpLoad | LvlHit | NumL1: RegionNA, 0x444000288100144: RegionNA,
	} {
		if got := d.Region(); got != want {
			t.Errorf("%#x: region %d, want %d", uint64(d), got, want)
		}
	}
}
