package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestMatrix holds the tables together: packages.go names guests.
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
	}
}

// TestShortTests holds that there is a test of each name.
func TestShortTests(t *testing.T) {
	files, err := filepath.Glob("guest/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for _, name := range shortTests {
		if !bytes.Contains(all, []byte("\nfunc "+name+"(t *testing.T)")) {
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
