package main

import (
	"testing"
	"time"
)

func TestDurationFlag(t *testing.T) {
	for _, test := range []struct {
		in   string
		want time.Duration // -1: refused
	}{
		{"500", 500 * time.Millisecond},
		{"1.5", 1500 * time.Microsecond},
		{"2s", 2 * time.Second},
		{"1m30s", 90 * time.Second},
		{"0", 0},
		{"-1", -1},
		{"-1s", -1},
		{"NaN", -1},
		{"1e300", -1},
		{"soon", -1},
		{"", -1},
	} {
		got := time.Duration(-1)
		err := duration{&got, time.Millisecond}.Set(test.in)
		if got != test.want || (err != nil) != (test.want < 0) {
			t.Errorf("%q: %v, %v, want %v", test.in, got, err, test.want)
		}
	}
}
