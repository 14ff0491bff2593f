package main

import (
	"slices"
	"testing"
)

func TestProcessIDs(t *testing.T) {
	for list, want := range map[string][]int{
		"1": {1}, "4711,12,4711": {4711, 12}, "2147483647": {1<<31 - 1},
		"": nil, "1,": nil, "0": nil, "-1": nil, "1 ": nil, "x": nil, "4294967297": nil, // 1 in 32 bits
	} {
		got, err := processIDs(list)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v; want %v", list, got, err, want)
		}
	}
}

func TestChooseCPUs(t *testing.T) {
	online := []int{0, 1, 3}
	for list, want := range map[string][]int{
		"1": {1}, "0-1,3": {0, 1, 3}, "0-3": nil, "2": nil, "0-": nil, "": nil,
	} {
		got, err := chooseCPUs(list, online)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v; want %v", list, got, err, want)
		}
	}
}
