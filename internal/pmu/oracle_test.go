package pmu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// oracleRow is a line of testdata/oracle/attrs.txt, which says what the marks mean.
type oracleRow struct {
	line       int
	mark       byte // one of =-+!
	spec, want string
	perf       string // what perf makes of a ! row
}

// readOracle reads the table, by machine.
func readOracle(t *testing.T) map[string][]oracleRow {
	t.Helper()
	text, err := os.ReadFile("testdata/oracle/attrs.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]oracleRow{}
	seen := map[string]bool{}
	machine := ""
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			machine = name
			clear(seen)
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.Split(line[1:], "\t")
		row := oracleRow{line: number, mark: line[0], spec: strings.TrimPrefix(columns[0], " ")}
		want := map[byte]int{'=': 2, '-': 2, '+': 2, '!': 3}[row.mark]
		if want == 0 || len(columns) != want || machine == "" || seen[row.spec] {
			t.Fatalf("attrs.txt:%d: %q is no row of its own with a mark and its columns", number, line)
		}
		seen[row.spec] = true
		row.want = columns[1]
		if want == 3 {
			row.perf = columns[2]
		}
		rows[machine] = append(rows[machine], row)
	}
	return rows
}

// openSysfs makes the sysfs tree of testdata/oracle/NAME.sysfs.
func openSysfs(t *testing.T, name string) (machine FS, root string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/oracle", name+".sysfs"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		path, content, ok := strings.Cut(line, " ")
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil || !ok {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return NewFS(root, root), root
}

// Every event string of the table, accepted or refused, is read as it says.
func TestOracleTable(t *testing.T) {
	total := 0
	for name, rows := range readOracle(t) {
		machine, _ := openSysfs(t, name)
		for _, row := range rows {
			total++
			groups, err := machine.ParseGroups(row.spec)
			if row.mark == '-' || row.mark == '!' && !isAttr(row.want) {
				var bad *EventError
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), row.want) || strings.ContainsAny(err.Error(), "\n\r") {
					t.Errorf("attrs.txt:%d: %s: got %q, error %v\nwant the error %s", row.line, row.spec, describeGroups(groups), err, row.want)
				}
				continue
			}
			if got := describeGroups(groups); err != nil || got != row.want {
				t.Errorf("attrs.txt:%d: %s on %s: got %q, %v\nwant %q", row.line, row.spec, name, got, err, row.want)
			}
		}
	}
	if total < 150 {
		t.Errorf("%d rows; want 150 at least", total)
	}
}

// isAttr tells an attribute from an error.
func isAttr(want string) bool { return want[0] >= '0' && want[0] <= '9' }

// perf itself, which prints the attribute it would open before it opens it, makes
// of each string what the table says, on the same trees.
func TestOracle(t *testing.T) {
	perf := findPerf(t)
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	for name, rows := range readOracle(t) {
		machine, root := openSysfs(t, name)
		loose := looseTypes(t, machine)
		ask := func(rows []oracleRow) {
			wait.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				compareRows(t, func(args ...string) (string, error) { return runPerf(perf, root, args...) }, rows, loose)
			})
		}
		var batch []oracleRow
		for _, row := range rows {
			if row.mark == '=' || row.mark == '!' {
				batch = append(batch, row)
				continue
			}
			// perf stops at the first event that it cannot read.
			ask([]oracleRow{row})
		}
		ask(batch)
	}
	wait.Wait()
}

// looseTypes are those of PMUs with which perf's exclude_guest is for nothing.
func looseTypes(t *testing.T, machine FS) map[string]bool {
	pmus, err := machine.PMUs()
	if err != nil {
		t.Fatal(err)
	}
	loose := map[string]bool{}
	for _, p := range pmus {
		if !p.Core && p.Type > unix.PERF_TYPE_BREAKPOINT {
			loose[fmt.Sprint(p.Type)] = true
		}
	}
	return loose
}

// normal is the text of attributes without exclude_guest where it is for nothing
// and with groups, or all their events, in one order: perf's is that of the
// directory.
func normal(text string, loose map[string]bool, events bool) string {
	groups := strings.Split(text, "; ")
	for i, group := range groups {
		members := strings.Split(group, " & ")
		for j, ev := range members {
			if number, _, _ := strings.Cut(ev, ":"); loose[number] {
				members[j] = strings.ReplaceAll(ev, " -guest", "")
			}
		}
		if events {
			slices.Sort(members)
		}
		groups[i] = strings.Join(members, " & ")
	}
	slices.Sort(groups)
	return strings.Join(groups, "; ")
}

func compareRows(t *testing.T, run func(args ...string) (string, error), rows []oracleRow, loose map[string]bool) {
	specs := make([]string, len(rows))
	for i, row := range rows {
		specs[i] = row.spec
	}
	texts, refusal, err := attrsOfPerf(run, specs, Event.describeAttr, "stat", "-vv", "-C", "0-3")
	if err != nil {
		t.Errorf("%q: %v", specs, err)
		return
	}
	if refusal != "" {
		if mark := rows[0].mark; mark != '-' && mark != '+' {
			t.Errorf("perf refuses one of %q: %s", specs, refusal)
		}
		return
	}
	for i, row := range rows {
		// Where instances are in one group, the table need not have their order.
		got := normal(texts[i], loose, row.mark == '!')
		want := normal(row.want, loose, false)
		if row.mark == '!' {
			want = normal(row.perf, loose, true)
		}
		switch {
		case row.mark == '-' || row.mark == '+':
			t.Errorf("attrs.txt:%d: %s: perf takes it: %s", row.line, row.spec, got)
		case got != want:
			t.Errorf("attrs.txt:%d: %s: perf has %q, the table %q", row.line, row.spec, got, want)
		}
	}
}
