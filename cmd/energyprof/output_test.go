package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A name may be as long as names can be, though the file has a longer one until it is complete.
func TestLongOutputName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	o, err := createOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
