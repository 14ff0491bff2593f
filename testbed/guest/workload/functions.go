package main

import (
	"fmt"
	"strconv"
	"strings"
)

// function is one that bursts run.
type function struct {
	code  func(x uint64, rounds int) uint64
	enter []byte  // what the counter is told
	rate  float64 // rounds per second, of a CPU that has nothing else to do
}

// The functions differ in name and code and in nothing else that matters: what
// they draw is what the counter is told.

//go:noinline
func parse(x uint64, rounds int) uint64 {
	for i := range rounds {
		x = x*33 ^ uint64(i)
	}
	return x
}

//go:noinline
func hash(x uint64, rounds int) uint64 {
	for i := range rounds {
		x = (x ^ uint64(i)) * 1099511628211
	}
	return x
}

//go:noinline
func sort(x uint64, rounds int) uint64 {
	for i := range rounds {
		x ^= x << 13
		x += uint64(i)
	}
	return x
}

//go:noinline
func encode(x uint64, rounds int) uint64 {
	for i := range rounds {
		x = x>>6 | x<<58
		x += uint64(i)
	}
	return x
}

var code = map[string]func(uint64, int) uint64{
	"parse": parse, "hash": hash, "sort": sort, "encode": encode,
}

// parseFunctions reads NAME=MILLIWATTS,...
func parseFunctions(text string) ([]function, error) {
	var list []function
	for field := range strings.SplitSeq(text, ",") {
		name, power, _ := strings.Cut(field, "=")
		if code[name] == nil {
			return nil, fmt.Errorf("%q: there are parse, hash, sort and encode", name)
		}
		if _, err := strconv.ParseUint(power, 10, 32); err != nil {
			return nil, fmt.Errorf("milliwatts of %s: %w", field, err)
		}
		list = append(list, function{code: code[name], enter: []byte(name + " " + power)})
	}
	return list, nil
}
