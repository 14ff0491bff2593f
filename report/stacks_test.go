package report

import "testing"

func TestStacksText(t *testing.T) {
	for _, tt := range []struct {
		stacks Stacks
		want   string
	}{
		{Stacks{Method: "bpf", Samples: 1000, Complete: 1000}, "stacks: 100.0 % complete of 1000 (unwind tables in the kernel, by BPF)"},
		// 100 % is all of them, and 0 % none.
		{Stacks{Method: "dwarf", Samples: 100_000, Complete: 99_999, Truncated: 1},
			"stacks: 99.9 % complete of 100000 (copies of the stack, by unwind tables); 1 truncated"},
		{Stacks{Method: "fp", Samples: 100_000, Complete: 1, Failed: map[string]int64{"no entry point": 99_999}},
			"stacks: 0.1 % complete of 100000 (frame pointers); 99999 end early: no entry point"},
		{Stacks{Method: "lbr", Samples: 10, Complete: 2, Truncated: 1, Failed: map[string]int64{"b": 2, "a": 2, "c": 3}},
			"stacks: 20.0 % complete of 10 (the processor's record of calls); 1 truncated, 3 end early: c, 2 end early: a, 2 end early: b"},
		{Stacks{Method: "fp"}, "stacks: none (frame pointers)"},
	} {
		if got := tt.stacks.text(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
