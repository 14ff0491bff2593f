package runs

import (
	"path"
	"regexp"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report/gate"
)

// The libraries that are no files, and the name of code that has none.
const (
	kernel  = "[kernel]"
	vdso    = "[vdso]"
	jit     = "[jit]" // memory without a file: what a runtime compiled
	unnamed = "[unknown]"
)

// keyOf names the function at a location: the innermost of inlined ones, as it is the one that runs there. Code without
// a name has the one of its library.
func keyOf(l *profile.Location) gate.Key {
	key := gate.Key{Name: unnamed, Library: libraryOf(l.Mapping)}
	for _, line := range l.Line {
		if f := line.Function; f != nil && f.Name != "" {
			key.Name = f.Name
			if !strings.HasSuffix(f.Filename, ".go") { // or a function named cold in a package
				key.Name = withoutCopies(f.Name)
			}
			break
		}
	}
	return key
}

// libraryOf is the base name of a mapping's file, "" without a mapping. The names of the kernel are those of
// perf_event_mmap and of perf's own files; code in memory has none, or one of its region (fs/proc/task_mmu.c).
func libraryOf(m *profile.Mapping) string {
	if m == nil {
		return ""
	}
	file := strings.TrimSuffix(m.File, " (deleted)")
	switch {
	case strings.HasPrefix(file, "[kernel"), strings.HasPrefix(file, "[guest.kernel"), path.Base(file) == "vmlinux":
		return kernel
	case file == vdso, file == "linux-vdso.so.1":
		return vdso
	case file == "", strings.HasPrefix(file, "//"), strings.HasPrefix(file, "[anon"), strings.HasPrefix(file, "/memfd:"),
		strings.HasPrefix(file, "/SYSV"), strings.HasPrefix(file, "/dev/zero"), file == "[heap]", strings.HasPrefix(file, "[stack"):
		return jit
	case perfMap.MatchString(file):
		return jit
	}
	return path.Base(file)
}

// perfMap is the list of functions that a runtime compiled, which has the number of the process in its name.
var perfMap = regexp.MustCompile(`(^|/)(perf|jitted)-\d+(-\d+)?\.(map|so)$`)

// copies is what compilers add to the name of a function when they split it or make a copy of it for some arguments
// (GCC: .isra, .constprop, .part, .cold, .lto_priv; LLVM: .llvm and a hash, .cold), as it is or as the demangler writes
// it. It differs from build to build for one and the same source. Most have a number: without one, pkg.part is a name.
var copies = regexp.MustCompile(`(?:(?: \[clone )?\.(?:(?:isra|constprop|part|lto_priv|llvm|specialized)(?:\.\d+)+|(?:cold|localalias)(?:\.\d+)*)\]?)+$`)

// withoutCopies is the name of the function in the source.
func withoutCopies(name string) string {
	if i := copies.FindStringIndex(name); i != nil && i[0] > 0 {
		return name[:i[0]]
	}
	return name
}
