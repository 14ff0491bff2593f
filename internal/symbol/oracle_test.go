package symbol

import (
	"debug/elf"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

const cSource = `
#include <stdio.h>
static int helper(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i; return s; }
__attribute__((weak)) int weak_name(int n) { return helper(n) + 1; }
extern int strong_name(int) __attribute__((alias("weak_name")));
int main(int argc, char **argv) { puts("x"); return strong_name(argc) & 1; }
`

const cxxSource = `
#include <vector>
#include <cstdio>
namespace outer { template <class T> struct Box { T v; __attribute__((noinline)) T get(T x) const { volatile T s = v; for (T i = 0; i < x; i++) s += i; return s; } }; }
__attribute__((noinline)) long sum(const std::vector<long>& v) { volatile long s = 0; for (long x : v) s += x; return s; }
int main(int argc, char**) { outer::Box<int> b{argc}; std::vector<long> v(argc, 3); std::puts("x"); return (int)(b.get(argc) + sum(v)) & 1; }
`

// TestAgainstTools compares symbols with nm's table and lines with addr2line,
// over the formats that compilers and linkers write.
func TestAgainstTools(t *testing.T) {
	need(t, "nm", "addr2line")
	dir := t.TempDir()
	c := write(t, filepath.Join(dir, "src/prog.c"), cSource)
	cxx := write(t, filepath.Join(dir, "src/prog.cc"), cxxSource)
	gosrc := write(t, filepath.Join(dir, "src/main.go"), "package main\n\nfunc main() { println(len(\"x\")) }\n")
	rust := write(t, filepath.Join(dir, "src/main.rs"), "fn main() { println!(\"{}\", std::env::args().count()); }\n")
	for _, tt := range []struct {
		name    string
		command []string
	}{
		{"c dwarf2", []string{"gcc", "-gdwarf-2", "-gstrict-dwarf", "-O1", c}},
		{"c dwarf3", []string{"gcc", "-gdwarf-3", "-O1", c}},
		{"c dwarf4 static", []string{"gcc", "-gdwarf-4", "-O2", "-static", c}},
		{"c dwarf5", []string{"gcc", "-gdwarf-5", "-O2", c}},
		{"c dwarf64", []string{"gcc", "-gdwarf-5", "-gdwarf64", "-O2", c}},
		{"c 32 bit", []string{"gcc", "-m32", "-g", "-O2", "-ffreestanding", "-nostdlib", "-shared", "-fPIC", c}},
		{"c sections", []string{"gcc", "-gdwarf-4", "-ffunction-sections", "-Wl,--gc-sections", c}},
		{"c++ zlib", []string{"g++", "-g", "-gz=zlib", "-O2", cxx}},
		{"c++ zlib-gnu", []string{"g++", "-g", "-gz=zlib-gnu", "-O2", cxx}},
		{"c++ split", []string{"g++", "-g", "-gsplit-dwarf", "-O2", cxx}},
		{"c++ no-pie", []string{"g++", "-g", "-no-pie", "-O0", cxx}},
		{"rust", []string{"rustc", "-g", rust}},
		{"go", []string{"go", "build", gosrc}},
		{"go dwarf4", []string{"env", "GOEXPERIMENT=nodwarf5", "go", "build", "-ldflags=-compressdwarf=false", gosrc}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.command[0] == "env" {
				need(t, "go")
			} else {
				need(t, tt.command[0])
			}
			bin := filepath.Join(t.TempDir(), "prog")
			args := append([]string{}, tt.command[:len(tt.command)-1]...)
			args = append(args, "-o", bin, tt.command[len(tt.command)-1])
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = filepath.Join(dir, "src")
			if out, err := cmd.CombinedOutput(); err != nil {
				if tt.name == "c 32 bit" {
					t.Skipf("this compiler has no 32-bit target: %s", out)
				}
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
			compareNames(t, bin)
			compareLines(t, bin)
		})
	}
}

// compareNames holds every answer against debug/elf's reading of the table:
// the name must be one of those that cover the address, and there is one when
// any covers it.
func compareNames(t *testing.T, bin string) {
	t.Helper()
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var funcs []elf.Symbol
	for _, s := range syms {
		if kind := elf.ST_TYPE(s.Info); (kind == elf.STT_FUNC || kind == elf.STT_GNU_IFUNC) && s.Section != elf.SHN_UNDEF && s.Size > 0 {
			funcs = append(funcs, s)
		}
	}
	sort.Slice(funcs, func(i, j int) bool { return funcs[i].Value < funcs[j].Value })
	offs, vaddrs := textOffsets(t, bin, 3000)
	b := open(t, bin)
	got := b.Resolve(offs)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	named := 0
	for i, v := range vaddrs {
		names := map[string]bool{}
		for _, s := range funcs {
			if s.Value > v {
				break
			}
			if v-s.Value < s.Size {
				names[s.Name] = true
			}
		}
		switch {
		case len(names) > 0 && len(got[i]) == 0:
			t.Errorf("%#x: no name, want one of %v", v, names)
		case len(names) > 0:
			// Go's own table has names without the suffix of the calling convention.
			name := got[i][len(got[i])-1].SystemName
			if !names[name] && !names[name+".abi0"] {
				t.Errorf("%#x: %q, want one of %v", v, name, names)
			}
			named++
		}
	}
	if named < len(vaddrs)/3 {
		t.Errorf("only %d of %d addresses are in functions: the comparison is empty", named, len(vaddrs))
	}
}

// compareLines holds every answer against addr2line, binutils' and LLVM's. An
// answer must agree with one of them: binutils 2.40 reads neither 64-bit DWARF
// nor Go's DWARF 5 and gives some functions of headers the unit's file.
func compareLines(t *testing.T, bin string) {
	t.Helper()
	offs, vaddrs := textOffsets(t, bin, 1500)
	var answers [][]string
	for _, tool := range []string{"addr2line", "llvm-addr2line"} {
		if _, err := exec.LookPath(tool); err == nil {
			answers = append(answers, addr2line(t, tool, bin, vaddrs))
		}
	}
	b := open(t, bin)
	got := b.Resolve(offs)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	known, wrong := 0, 0
	for i, frames := range got {
		if len(frames) == 0 {
			continue
		}
		ours := "?"
		if frames[0].Line != 0 {
			ours = fmt.Sprintf("%s:%d", frames[0].File, frames[0].Line)
		}
		var theirs []string
		inlined := ours == "?" && frames[0].File != "" // from another file, they must say
		for _, a := range answers {
			if a[i] != "?" {
				theirs = append(theirs, a[i])
				inlined = inlined && !strings.HasPrefix(a[i], frames[0].File+":")
			}
		}
		if len(theirs) == 0 || inlined {
			continue
		}
		known++
		if !slices.Contains(theirs, ours) {
			if wrong++; wrong <= 5 {
				t.Errorf("%#x %s: %s, want one of %s", vaddrs[i], frames[0].Function, ours, theirs)
			}
		}
	}
	if wrong > 0 || known == 0 {
		t.Errorf("%d of %d lines differ", wrong, known)
	}
}

const inlinedSource = `
#include "hot.h"
__attribute__((noinline)) int outer(int n) {
	int s = n;
	for (int i = 0; i < n; i++)
		s += hot(i);
	return s;
}
__attribute__((noinline)) int outer_at_once(void) { return hot(1); }
int main(int argc, char **argv) { return (outer(argc) + outer_at_once()) & 1; }
`

// A function has one file and one first line, whether it was inlined or not: into others, from other files.
func TestInlinedFromAnotherFile(t *testing.T) {
	need(t, "gcc", "nm")
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "outer.c"), inlinedSource)
	header := write(t, filepath.Join(dir, "hot.h"), strings.Repeat("\n", 99)+
		"static volatile int g;\nstatic inline __attribute__((always_inline)) int hot(int x)\n{\n\tg += 3 * x;\n\treturn g ^ x;\n}\n")
	bin := filepath.Join(dir, "prog")
	run(t, "gcc", "-g", "-O2", "-no-pie", "-o", bin, src)
	offs, _ := textOffsets(t, bin, 100000)
	own, foreign := 0, 0
	places := map[string]string{"outer": src + ":3", "outer_at_once": src + ":9", "main": src + ":10", "hot": header + ":101"}
	for _, frames := range open(t, bin).Resolve(offs) {
		if len(frames) == 0 || places[frames[len(frames)-1].Function] == "" {
			continue
		}
		for i, f := range frames {
			if at := fmt.Sprintf("%s:%d", f.File, f.StartLine); at != places[f.Function] || f.Line < f.StartLine || f.Line > f.StartLine+5 {
				t.Fatalf("frame %d of %+v begins at %s, want at %s, its line within", i, frames, at, places[f.Function])
			}
		}
		switch {
		case len(frames) == 1:
			own++
		case len(frames) == 2 && frames[0].Function == "hot":
			foreign++
		default:
			t.Fatalf("frames %+v, want at most hot in another", frames)
		}
	}
	if own == 0 || foreign == 0 {
		t.Errorf("%d addresses are of their functions' own lines and %d of inlined ones: the test is empty", own, foreign)
	}
}

// addr2line gives file:line for each address, "?" where the tool knows none.
func addr2line(t *testing.T, tool, bin string, vaddrs []uint64) []string {
	t.Helper()
	args := []string{tool, "-e", bin}
	for _, v := range vaddrs {
		args = append(args, fmt.Sprintf("%#x", v))
	}
	out := strings.Split(strings.TrimSpace(run(t, args...)), "\n")
	if len(out) != len(vaddrs) {
		t.Fatalf("%s gave %d lines for %d addresses", tool, len(out), len(vaddrs))
	}
	for i, line := range out {
		line, _, _ = strings.Cut(line, " (discriminator")
		file, number, _ := strings.Cut(line, ":")
		out[i] = path.Clean(file) + ":" + number
		if file == "??" || number == "?" || number == "0" {
			out[i] = "?"
		}
	}
	return out
}
