package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMatrix holds the tables together: packages.go names guests and tests that
// there are, and a test of testbed/guest guests that there are.
func TestMatrix(t *testing.T) {
	if _, ok := guestNamed(mainGuest); !ok {
		t.Errorf("no guest %s", mainGuest)
	}
	for _, p := range packages {
		for _, g := range p.Guests {
			if _, ok := guestNamed(g); !ok {
				t.Errorf("%s runs in %q, which is no guest", p.Package, g)
			}
		}
		names := testsOf(t, "../"+p.Package)
		for _, pattern := range strings.Split(p.Run+"|"+p.Skip, "|") {
			if pattern != "" && !slices.ContainsFunc(names, regexp.MustCompile(pattern).MatchString) {
				t.Errorf("no test of %s matches %q", p.Package, pattern)
			}
		}
	}
	for _, call := range regexp.MustCompile(`only\(t((?:, "[^"]+")+)\)`).FindAllStringSubmatch(testText(t, "guest"), -1) {
		for _, quoted := range strings.Split(call[1], ", ")[1:] {
			if _, ok := guestNamed(strings.Trim(quoted, `"`)); !ok {
				t.Errorf("a test runs in %s, which is no guest", quoted)
			}
		}
	}
}

// testText returns the text of a package's tests.
func testText(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// testsOf returns the names of a package's tests.
func testsOf(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(testText(t, dir), -1) {
		names = append(names, m[1])
	}
	return names
}

// TestShortTests holds that there is a test of each name.
func TestShortTests(t *testing.T) {
	names := testsOf(t, "guest")
	for _, name := range shortTests {
		if !slices.Contains(names, name) {
			t.Errorf("no test %s in testbed/guest", name)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string // guests; nil is an error
	}{
		{nil, guestNames()},
		{[]string{"-short"}, []string{mainGuest}},
		{[]string{"-short", "-guests", "amd-6.12"}, []string{"amd-6.12"}},
		{[]string{"-guests", "arm64-6.1,icx-6.1"}, []string{"arm64-6.1", "icx-6.1"}},
		{[]string{"-shell", "spr-6.12"}, []string{"spr-6.12"}},
		{[]string{"-guests", "vax"}, nil},
		{[]string{"-guests", "icx-6.1,icx-6.1"}, nil},
		{[]string{"-run", "("}, nil},
		{[]string{"-j", "0"}, nil},
		{[]string{"more"}, nil},
	} {
		o, err := parse(test.args)
		var got []string
		for _, g := range o.guests {
			got = append(got, g.name)
		}
		if (err != nil) != (test.want == nil) || err == nil && !slices.Equal(got, test.want) {
			t.Errorf("parse(%q): guests %q, error %v; want %q", test.args, got, err, test.want)
		}
	}
}
