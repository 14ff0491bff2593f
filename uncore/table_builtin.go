package uncore

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The facts that come with the package: see tables/README.md. They are strings
// of the binary until a name is first looked for.
var (
	//go:embed tables/intel_cxl.tsv
	intelCXL string
	//go:embed tables/intel_cha_cxl.tsv
	intelCHA string
	//go:embed tables/intel_mem.tsv
	intelMem string
)

// Builtin are the tables that come with the package, in order of platform: EMR, GNR, SPR. With an error, which names the file and
// line that cannot be read, there are those of before it.
func Builtin() ([]*Table, error) { return builtin() }

var builtin = sync.OnceValues(func() ([]*Table, error) {
	return readTables([]tableFile{{"intel_cxl.tsv", intelCXL}, {"intel_cha_cxl.tsv", intelCHA}, {"intel_mem.tsv", intelMem}})
})

// tableFile is one file of tables/.
type tableFile struct{ name, text string }

// readTables reads files into one table for each platform, in order of its name.
func readTables(files []tableFile) ([]*Table, error) {
	var err error
	tables := map[string]*Table{}
	for _, file := range files {
		if err = readTSV(file.text, tables); err != nil {
			err = fmt.Errorf("built-in table %s: %w", file.name, err)
			break
		}
	}
	return slices.SortedFunc(maps.Values(tables), func(a, b *Table) int { return strings.Compare(a.Platform, b.Platform) }), err
}

// readTSV adds a file of tables/README.md's columns to the tables by platform.
func readTSV(text string, tables map[string]*Table) error {
	var columns []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if columns == nil {
			columns = fields
			continue
		}
		if len(fields) != len(columns) {
			return fmt.Errorf("line %d: %d columns, want %d", number, len(fields), len(columns))
		}
		row := make(map[string]string, len(columns))
		for i, name := range columns {
			row[name] = fields[i]
		}
		e, err := rowEntry(row)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		t := tables[e.Platform]
		if t == nil {
			t = &Table{Name: "built-in table of " + e.Platform, Platform: e.Platform}
			tables[e.Platform] = t
		}
		if !t.add(e) {
			return fmt.Errorf("line %d: %s has %s twice", number, e.Platform, e.Name)
		}
	}
	return nil
}

// rowEntry makes the entry of one row.
func rowEntry(row map[string]string) (Entry, error) {
	code := map[string]uint64{}
	for _, name := range []string{"event", "umask", "umask_ext", "ldlat", "period"} {
		if row[name] == "" {
			continue
		}
		n, err := strconv.ParseUint(row[name], 0, 32)
		if err != nil {
			return Entry{}, fmt.Errorf("%s of %s: %w", name, row["name"], err)
		}
		code[name] = n
	}
	counters, err := parseCounters(row["counters"])
	if err != nil {
		return Entry{}, fmt.Errorf("counters of %s: %w", row["name"], err)
	}
	var t termList
	t.hex("event", code["event"])
	t.hex("umask", code["umask_ext"]<<8|code["umask"])
	if code["ldlat"] > 0 {
		t.hex("ldlat", code["ldlat"])
	}
	if code["period"] > 0 {
		t.decimal("period", code["period"])
	}
	return Entry{
		Name: row["name"], Platform: row["platform"], Unit: row["unit"], PMU: unitPMU(row["unit"], row["name"]),
		Terms: t.String(), Brief: row["brief"], Counters: counters, Doubt: row["doubt"],
		Deprecated: row["deprecated"] == "1", Precise: row["precise"] == "1",
	}, nil
}

// parseCounters reads "0,1,2,3".
func parseCounters(s string) ([]int, error) {
	var counters []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 6)
		if err != nil {
			return nil, fmt.Errorf("%q is no list of counters", s)
		}
		counters = append(counters, int(n))
	}
	return counters, nil
}

// termList collects what goes between the slashes of an event.
type termList struct{ strings.Builder }

func (t *termList) add(name, value string) {
	if t.Len() > 0 {
		t.WriteByte(',')
	}
	t.WriteString(name + "=" + value)
}

func (t *termList) hex(name string, value uint64)     { t.add(name, "0x"+strconv.FormatUint(value, 16)) }
func (t *termList) decimal(name string, value uint64) { t.add(name, strconv.FormatUint(value, 10)) }
