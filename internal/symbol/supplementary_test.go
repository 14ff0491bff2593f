package symbol

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestSupplementary: names that dwz moved into a file that several programs share. The programs are
//
//	gcc -gdwarf-5 -O2 -nostdlib -static -ffile-prefix-map=$PWD=/src -Wl,--build-id=sha1 -Wl,-N -o prog outer.c
//	dwz [-5] -m shared.debug -M shared.debug prog other
//
// of a function outer, which calls warm in a header, which calls hot, twice, there; all inlined.
func TestSupplementary(t *testing.T) {
	want := []Frame{
		{Function: "hot", SystemName: "hot", File: "/src/a2.h", Line: 5, StartLine: 3},
		{Function: "warm", SystemName: "warm", File: "/src/a2.h", Line: 10, StartLine: 8},
		{Function: "outer", SystemName: "outer", File: "/src/a2.c", Line: 2, StartLine: 2},
	}
	for _, form := range []string{"gnu", "dwarf5"} {
		prog, err := filepath.Abs(filepath.Join("testdata/dwz", form, "prog"))
		if err != nil {
			t.Fatal(err)
		}
		b := open(t, prog)
		at := offsetOf(t, prog, "outer")
		if got := b.Resolve([]uint64{at})[0]; !reflect.DeepEqual(got, want) || b.Err() != nil {
			t.Errorf("%s: %+v, %v; want %+v", form, got, b.Err(), want)
		}
		// Beside the copy is nothing, and then another file of that name.
		copied := write(t, filepath.Join(t.TempDir(), "prog"), readFile(t, prog))
		for _, beside := range []string{"", readFile(t, copied)} {
			if beside != "" {
				write(t, filepath.Join(filepath.Dir(copied), "shared.debug"), beside)
			}
			b := open(t, copied)
			got := b.Resolve([]uint64{at})[0]
			if len(got) == 0 || got[len(got)-1].Function != "outer" || b.Err() != nil {
				t.Errorf("%s without what it shares: %+v, %v; want outer", form, got, b.Err())
			}
		}
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
