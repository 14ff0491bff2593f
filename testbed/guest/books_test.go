package guest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// books are what the simulated counter knows: the truth.
type books struct {
	functions map[string]account
	packages  map[int]packageAccount
}

// account is that of a function, over all CPUs, without static power. What it drew of
// the memory is in no other figure.
type account struct{ seconds, joules, dram float64 }

// packageAccount has the joules of a package. What its functions drew is the rest. Its
// memory's are not in the total: what it drew in any case, and what functions used.
type packageAccount struct{ static, other, idle, total, dramStatic, dramFunctions float64 }

// functions are the joules of the package's functions.
func (p packageAccount) functions() float64 { return p.total - p.static - p.idle - p.other }

const simrapl = "/dev/simrapl"

// openBooks begins new ones.
func openBooks(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(simrapl, []byte("reset"), 0); err != nil {
		t.Fatal(err)
	}
}

// readBooks returns what was drawn since openBooks.
func readBooks(t *testing.T) books {
	t.Helper()
	b := books{map[string]account{}, map[int]packageAccount{}}
	for line := range strings.Lines(read(t, simrapl)) {
		var name string
		var id int
		var ns, a, o, i, total, functions, dram, used uint64
		if _, err := fmt.Sscanf(line, "function %s ns %d nj %d entries %d dram_nj %d", &name, &ns, &total, &a, &dram); err == nil {
			b.functions[name] = account{float64(ns) / 1e9, float64(total) / 1e9, float64(dram) / 1e9}
		} else if _, err := fmt.Sscanf(line, "package %d static_nj %d other_nj %d idle_nj %d total_nj %d functions_nj %d ns %d dram_static_nj %d dram_functions_nj %d",
			&id, &a, &o, &i, &total, &functions, &ns, &dram, &used); err == nil {
			b.packages[id] = packageAccount{float64(a) / 1e9, float64(o) / 1e9, float64(i) / 1e9, float64(total) / 1e9, float64(dram) / 1e9, float64(used) / 1e9}
		} else {
			t.Fatalf("%s says %q", simrapl, line)
		}
	}
	return b
}
