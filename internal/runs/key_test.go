package runs

import (
	"testing"

	"github.com/google/pprof/profile"
)

func TestLibraries(t *testing.T) {
	for file, want := range map[string]string{
		"/home/u/build-2/app":                    "app",
		"/tmp/go-build1/b001/exe/app (deleted)":  "app",
		"[kernel.kallsyms]":                      "[kernel]",
		"[kernel.kallsyms]_text":                 "[kernel]",
		"/usr/lib/debug/boot/vmlinux":            "[kernel]",
		"/lib/modules/6.1.0/kernel/fs/ext4.ko":   "ext4.ko",
		"[vdso]":                                 "[vdso]",
		"/tmp/perf-4711.map":                     "[jit]",
		"/home/u/.debug/jit/x/jitted-4711-12.so": "[jit]",
		"//anon":                                 "[jit]",
		"[anon:v8]":                              "[jit]",
		"/memfd:doublemapper (deleted)":          "[jit]",
		"":                                       "[jit]",
		"/opt/perf-tools.so":                     "perf-tools.so",
	} {
		if got := libraryOf(&profile.Mapping{File: file}); got != want {
			t.Errorf("library of %q: %q, want %q", file, got, want)
		}
	}
	if got := libraryOf(nil); got != "" {
		t.Errorf("library without a mapping: %q, want none", got)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"work":                                  "work",
		"work.isra.0":                           "work",
		"work.constprop.0.cold":                 "work",
		"work.part.0.isra.12":                   "work",
		"work.llvm.1234567890":                  "work",
		"work.cold":                             "work",
		"a::work [clone .constprop.0]":          "a::work",
		"a::work [clone .isra.0] [clone .cold]": "a::work",
		"main.main.func1":                       "main.main.func1",
		"pkg.party":                             "pkg.party",
		"pkg.part":                              "pkg.part",
		"runtime.coldstart":                     "runtime.coldstart",
		".cold":                                 ".cold",
	} {
		if got := withoutCopies(name); got != want {
			t.Errorf("name of %q: %q, want %q", name, got, want)
		}
	}
}

// TestNamesOfGo: a package is no function, and its functions are no copies of it.
func TestNamesOfGo(t *testing.T) {
	for file, want := range map[string]string{"cache/cache.go": "cache.cold", "cache.c": "cache", "": "cache"} {
		l := &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: "cache.cold", Filename: file}}}}
		if got := keyOf(l).Name; got != want {
			t.Errorf("name of cache.cold in %q: %q, want %q", file, got, want)
		}
	}
}
