package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFetchEndsWhole holds that nothing is being unpacked any more where a set cannot be
// resolved: who tries again would unpack the same one a second time.
func TestFetchEndsWhole(t *testing.T) {
	dir := t.TempDir()
	fifo, ended := filepath.Join(dir, "fifo"), filepath.Join(dir, "ended")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nread -r line < " + fifo + "\ntouch " + ended + "\necho the archive is gone >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	unknown := errors.New("no such package")
	sets := []packageSet{
		{"first", func(context.Context, *aptState) ([]string, error) { return []string{"p=1"}, nil }},
		{"second", func(context.Context, *aptState) ([]string, error) {
			// Lets the first set's download go on, as soon as that is there.
			go os.WriteFile(fifo, []byte("go\n"), 0)
			return nil, unknown
		}},
	}
	c := cache{filepath.Join(dir, "cache")}
	apt := &aptState{dir: filepath.Join(dir, "apt")}
	if err := errors.Join(os.Mkdir(c.dir, 0o755), os.Mkdir(apt.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	err := c.fetchWith(t.Context(), apt, sets)
	if !errors.Is(err, unknown) || !strings.Contains(err.Error(), "the archive is gone") {
		t.Errorf("error %v, want those of both sets", err)
	}
	if _, err := os.Stat(ended); err != nil {
		t.Errorf("the first set's download was still under way: %v", err)
	}
}

func TestNeed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := need("make", "make"); !errors.Is(err, errUnable) || !strings.Contains(err.Error(), "of the package make") {
		t.Errorf("error %v, want that the testbed cannot run here, and for want of what", err)
	}
}
