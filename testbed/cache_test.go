package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOpenCache(t *testing.T) {
	for _, test := range []struct {
		variable, xdg, home string
		want, err           string
	}{
		{"/a", "/x", "/h", "/a", ""},
		{"", "/x", "/h", "/x/energyprof-testbed", ""},
		{"", "", "/h", "/h/.cache/energyprof-testbed", ""},
		{"", "", "", "", "$ENERGYPROF_TESTBED_CACHE"},
	} {
		dir := t.TempDir()
		in := func(p string) string {
			if p == "" {
				return ""
			}
			return dir + p
		}
		t.Setenv("ENERGYPROF_TESTBED_CACHE", in(test.variable))
		t.Setenv("XDG_CACHE_HOME", in(test.xdg))
		t.Setenv("HOME", in(test.home))
		c, err := openCache()
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%+v: error %v", test, err)
			}
			continue
		}
		if info, statErr := os.Stat(c.dir); err != nil || c.dir != in(test.want) || statErr != nil || !info.IsDir() {
			t.Errorf("%+v: %s, %v, %v", test, c.dir, err, statErr)
		}
	}
}

// TestLocks holds that guests run beside each other, and none while a set of
// packages is replaced.
func TestLocks(t *testing.T) {
	c := cache{t.TempDir()}
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	must := func(f *os.File, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	cannot := func(f *os.File, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want to wait", err)
		}
	}
	change := must(c.lockChange(ctx))
	cannot(c.lockChange(ctx))
	first := must(c.lockGuests(ctx))
	change.Close()
	change = must(c.lockChange(ctx)) // though guests run
	second := must(c.lockGuests(ctx))
	first.Close()
	cannot(c.lockReplace(ctx))
	second.Close()
	replace := must(c.lockReplace(ctx))
	cannot(c.lockGuests(ctx))

	// Who waits gets it.
	got := make(chan error)
	go func() {
		_, err := c.lockGuests(t.Context())
		got <- err
	}()
	replace.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
	change.Close()
}

func TestSweep(t *testing.T) {
	c := cache{t.TempDir()}
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"unpack-1/tree/usr": 0, "build-2": 0, "sets/qemu": 30 * 24 * time.Hour, "apt/lists": 30 * 24 * time.Hour,
		"modules/new": 6 * 24 * time.Hour, "modules/old": 8 * 24 * time.Hour,
	} {
		dir := filepath.Join(c.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.sweep(now); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(c.dir, "*/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range files {
		left = append(left, strings.TrimPrefix(f, c.dir+"/"))
	}
	if want := []string{"apt/lists/file", "modules/new/file", "sets/qemu/file"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if entries, _ := os.ReadDir(c.dir); len(entries) != 3 {
		t.Errorf("left are %v, want apt, modules, sets", entries)
	}
}
