package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func ran(verdicts ...string) *attempt {
	a := &attempt{guest: guest{name: "g"}, console: &console{}}
	for _, v := range verdicts {
		name, verdict, _ := strings.Cut(v, " ")
		a.console.results = append(a.console.results, result{suite: "p", name: name, verdict: verdict})
	}
	return a
}

func failing(why string, a *attempt) *attempt {
	a.why = why
	return a
}

func TestAccount(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second *attempt
		want          string
	}{
		{"good", ran("A PASS", "B SKIP"), nil, "1 0 []"},
		{"a test, twice", ran("A PASS", "B FAIL"), ran("B FAIL"), "1 1 []"},
		{"a test, once", ran("A PASS", "B FAIL"), ran("B PASS"), "2 0 [g/B of p failed, then passed]"},
		{"a panic, once", failing("panic", ran("A PASS", "B ")), ran("A PASS", "B PASS", "C PASS"), "3 0 [g: panic; not so when it ran again]"},
		{"a panic, twice", failing("panic", ran("A PASS", "B ")), failing("panic", ran("A PASS", "B ")), "1 2 []"},
		{"a panic, then a failure", failing("panic", ran("A ")), ran("A FAIL"), "0 1 [g: panic; not so when it ran again]"},
		{"a failure, then no boot", ran("A FAIL"), failing("did not boot", ran()), "0 2 []"},
		{"stopped", failing("interrupt", ran()), nil, "0 1 []"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := account(test.first, test.second)
			if s := fmt.Sprint(got.passed, got.failed, got.flakes); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
		})
	}
}

func TestForOthers(t *testing.T) {
	for line, want := range map[string]bool{
		"    mem_test.go:291: runs in icx-6.1, spr-6.12, this is arm64-6.1": true,
		"    mem_test.go:208: simpmu is for amd64":                          false,
	} {
		r := result{verdict: "SKIP", output: []string{"more", line}}
		if got := r.forOthers(); got != want {
			t.Errorf("forOthers of %q is %v, want %v", line, got, want)
		}
	}
}

// TestCommands holds what a second boot runs: the tests that failed, or all.
func TestCommands(t *testing.T) {
	i := image{tests: []packageTests{{Package: "p"}, {Package: "internal/q", Run: "Live", Skip: "Slow"}}}
	const limit = " -test.timeout=0s"
	for _, test := range []struct {
		name  string
		o     options
		after *attempt
		want  []string
	}{
		{"all", options{}, nil, []string{"p p.test" + limit, "internal/q q.test" + limit + " -test.run='Live' -test.skip='Slow'"}},
		{"chosen, short", options{run: "It's", short: true}, nil, []string{
			"p p.test" + limit + ` -test.run='It'\''s'`,
			"internal/q q.test" + limit + ` -test.run='It'\''s' -test.skip='Slow'`,
		}},
		{"failed tests", options{}, ran("A FAIL", "B PASS", "C FAIL"), []string{"p p.test" + limit + " -test.run='^(A|C)$'"}},
		{"a failed guest", options{}, failing("panic", ran("A FAIL")), []string{"p p.test" + limit, "internal/q q.test" + limit + " -test.run='Live' -test.skip='Slow'"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := i.commands(test.o, test.after); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestOrdered(t *testing.T) {
	var b strings.Builder
	o := newOrdered(&b, 3)
	for _, step := range []struct {
		part int // -1 closes the one whose turn it is
		text string
		want string
	}{
		{1, "b", ""}, {0, "a", "a"}, {2, "c", "a"}, {-1, "", "ab"}, {1, "B", "abB"}, {-1, "", "abBc"}, {-1, "", "abBc"},
	} {
		if step.part < 0 {
			o.close()
		} else {
			fmt.Fprint(o.part(step.part), step.text)
		}
		if b.String() != step.want {
			t.Fatalf("after %v: %q, want %q", step, b.String(), step.want)
		}
	}
}
