package unwind

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tables of what compilers make with and without frame pointers tell the one from the other.
func TestKeepsFramePointers(t *testing.T) {
	t.Parallel()
	keeps := func(path string) (bool, error) {
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		img := readELF(path, f)
		img.Go = goTable(t, f)
		return KeepsFramePointers(NewModule(img, NewRules(), 1))
	}
	for command, want := range map[string]bool{
		"gcc -O2 -fno-omit-frame-pointer":      true,
		"gcc -Os -fno-omit-frame-pointer -s":   true,
		"gcc -O2 -fomit-frame-pointer":         false,
		"gcc -O1 -fomit-frame-pointer -s":      false,
		"clang-14 -O2 -fomit-frame-pointer":    false,
		"clang-14 -O2 -fno-omit-frame-pointer": true,
	} {
		words := strings.Fields(command)
		if _, err := exec.LookPath(words[0]); err != nil {
			t.Log("not tested: ", err)
			continue
		}
		program := filepath.Join(t.TempDir(), "walk")
		if out, err := exec.Command(words[0], append(words[1:], "-w", "-o", program, "testdata/walk/walk.c", "-lm")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if got, err := keeps(program); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", command, got, err, want)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keeps(self); err != nil || !got {
		t.Errorf("a Go program: %v, %v, want true", got, err)
	}
	if _, err := KeepsFramePointers(NewModule(Image{Name: "bare", Text: []Range{{0x1000, 0x9000}}}, NewRules(), 1)); !errors.Is(err, errNoRules) {
		t.Errorf("without tables: %v, want %v", err, errNoRules)
	}
}

// On arm64 tables count from the stack pointer even where there is a frame record: what tells is that both registers are saved side
// by side.
func TestKeepsFramePointersARM64(t *testing.T) {
	record := Rule{CFA: CFARegister, CFAReg: arm64SP, CFAOffset: 32, RA: AtCFA, RAOffset: -24, FP: AtCFA, FPOffset: -32}
	leaf := Rule{CFA: CFARegister, CFAReg: arm64SP}
	for _, c := range []struct {
		rules []Rule
		want  bool
	}{
		{[]Rule{record, record, record, record}, true},
		{[]Rule{leaf, record, leaf, leaf}, false},
	} {
		rules := NewRules()
		m := NewModule(Image{Arch: ARM64, Text: []Range{{0x20000, 0x21000}}}, rules, 1)
		m.chunks[2] = Chunk{{0, RuleNone}}
		for i, r := range c.rules {
			m.chunks[2] = append(m.chunks[2], Row{uint16(i+1) * 64, rules.number(r)}, Row{uint16(i+1)*64 + 60, RuleNone})
		}
		if got, err := KeepsFramePointers(m); err != nil || got != c.want {
			t.Errorf("%v: %v, %v, want %v", c.rules, got, err, c.want)
		}
	}
}
