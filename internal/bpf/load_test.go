package bpf

import (
	"os"
	"path/filepath"
	"testing"
)

func TestConfidential(t *testing.T) {
	for modes, want := range map[string]bool{
		"none integrity [confidentiality]\n": true,
		"none [integrity] confidentiality\n": false,
		"[none] integrity confidentiality\n": false,
	} {
		file := filepath.Join(t.TempDir(), "lockdown")
		if err := os.WriteFile(file, []byte(modes), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := confidential(file); got != want {
			t.Errorf("%q: %v, want %v", modes, got, want)
		}
	}
	if confidential(filepath.Join(t.TempDir(), "none")) {
		t.Error("in lockdown without the file that says so")
	}
}
