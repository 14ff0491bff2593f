package pmu

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestParseCPUList(t *testing.T) {
	for list, want := range map[string][]int{
		"":            {},
		"\n":          {},
		"0\n":         {0},
		"0-3,8":       {0, 1, 2, 3, 8},
		"8,0-1,1-2":   {0, 1, 2, 8},
		"65534-65535": {65534, 65535},
	} {
		got, err := ParseCPUList(list)
		if err != nil || !slices.Equal(got, want) || got == nil {
			t.Errorf("%q: %v, %v; want %v", list, got, err, want)
		}
	}
	for list, want := range map[string]string{
		"0-":      `CPU list "0-": "0-": "" is no CPU number`,
		"-1":      `CPU list "-1": "-1": "" is no CPU number`,
		"0,,1":    `CPU list "0,,1": "": "" is no CPU number`,
		"2-1":     `CPU list "2-1": "2-1": the range goes down`,
		"0-65536": `CPU list "0-65536": "0-65536": CPU 65536 is beyond the largest, 65535`,
		"0x1":     `CPU list "0x1": "0x1": "0x1" is no CPU number`,
		"0, 1":    `CPU list "0, 1": " 1": " 1" is no CPU number`,
	} {
		if got, err := ParseCPUList(list); err == nil || err.Error() != want {
			t.Errorf("%q: %v, error %v; want error %s", list, got, err, want)
		}
	}
}

func TestCPUListRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.SliceOf(rapid.IntRange(0, 70)).Draw(t, "cpus")
		list := FormatCPUList(cpus)
		got, err := ParseCPUList(list)
		want := slices.Compact(slices.Sorted(slices.Values(cpus)))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v is %q is %v, %v", cpus, list, got, err)
		}
	})
	if got := FormatCPUList([]int{8, 3, 0, 1, 2, 2, 10, 9}); got != "0-3,8-10" {
		t.Errorf("%q, want 0-3,8-10", got)
	}
}

func FuzzCPUList(f *testing.F) {
	for _, list := range []string{"0-3,8", "", "3-1", "0-65535,0-65535", "18446744073709551616"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		cpus, err := ParseCPUList(list)
		if err != nil {
			return
		}
		if !slices.IsSorted(cpus) || len(slices.Compact(slices.Clone(cpus))) != len(cpus) {
			t.Fatalf("%q: %v is not sorted and unique", list, cpus)
		}
		again, err := ParseCPUList(FormatCPUList(cpus))
		if err != nil || !slices.Equal(again, cpus) {
			t.Fatalf("%q: %v comes back as %v, %v", list, cpus, again, err)
		}
	})
}
