package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stackSources has the programs; each runs for as much CPU time as its first argument says, times its turns.
const stackSources = "../../testdata/stacks"

// stackProgram is a program whose stacks are known, built in a way that matters to who unwinds them.
type stackProgram struct {
	name    string
	build   func(b *stackBuilder) (string, error)
	seconds string // of each of its turns
	args    func(b *stackBuilder) ([]string, error)
	// Functions of the stacks that have most of the time by construction, in their order, the last one innermost.
	want []string
	// All of its stacks, with equal shares, where perf cannot unwind it.
	design []string
	// Stacks follow each other too quickly for their numbers of samples to be the same in two recordings.
	mixed bool
	// The stacks are deeper than they may be.
	cut bool
	// They do not lie in one piece: a copy of the stack's top has but a part.
	apart bool
}

// errNoToolchain says that something is built by what this machine does not have.
var errNoToolchain = errors.New("no such toolchain")

// stackBuilder builds a program into a directory of its own.
type stackBuilder struct{ dir string }

// tool is a compiler of a name or of another.
func (b *stackBuilder) tool(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s", errNoToolchain, strings.Join(names, " or "))
}

func (b *stackBuilder) run(dir, tool string, args ...string) error {
	c := exec.Command(tool, args...)
	c.Dir = dir
	if msg, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", tool, strings.Join(args, " "), err, msg)
	}
	return nil
}

// compiled builds a C or C++ program of a source.
func compiled(compilers []string, source string, flags ...string) func(b *stackBuilder) (string, error) {
	return func(b *stackBuilder) (string, error) {
		compiler, err := b.tool(compilers...)
		if err != nil {
			return "", err
		}
		out := filepath.Join(b.dir, strings.TrimSuffix(source, filepath.Ext(source)))
		args := slices.Concat([]string{"-O2", "-g", "-o", out, source}, flags, []string{"-lpthread", "-ldl"})
		return out, b.run(stackSources, compiler, args...)
	}
}

var (
	gcc        = []string{"gcc"}
	clang      = []string{"clang", "clang-14", "clang-16", "clang-19"}
	gxx        = []string{"g++"}
	clangxx    = []string{"clang++", "clang++-14", "clang++-16", "clang++-19"}
	withoutFP  = "-fomit-frame-pointer"
	withFP     = "-fno-omit-frame-pointer"
	withLeafFP = "-mno-omit-leaf-frame-pointer"
)

// library builds the library of plt.c and dlopen.c.
func library(b *stackBuilder, name string) (string, error) {
	compiler, err := b.tool(gcc...)
	if err != nil {
		return "", err
	}
	out := filepath.Join(b.dir, "lib"+name+".so")
	return out, b.run(stackSources, compiler, "-O2", "-g", withoutFP, "-fPIC", "-shared", "-o", out, "library.c")
}

// throughPLT is plt.c, whose calls go through a table that is filled when they are made.
func throughPLT(b *stackBuilder) (string, error) {
	if _, err := library(b, "plt"); err != nil {
		return "", err
	}
	return compiled(gcc, "plt.c", withoutFP, "-L"+b.dir, "-lplt", "-Wl,-z,lazy", "-Wl,-rpath,"+b.dir)(b)
}

// loaded is what dlopen.c is to load.
func loaded(b *stackBuilder) ([]string, error) {
	path, err := library(b, "loaded")
	return []string{path}, err
}

func rust(b *stackBuilder) (string, error) {
	compiler, err := b.tool("rustc")
	if err != nil {
		return "", err
	}
	out := filepath.Join(b.dir, "release")
	return out, b.run(stackSources, compiler, "-O", "-o", out, "release.rs")
}

func golang(flags ...string) func(b *stackBuilder) (string, error) {
	return func(b *stackBuilder) (string, error) {
		compiler, err := b.tool("go")
		if err != nil {
			return "", err
		}
		out := filepath.Join(b.dir, "golang")
		return out, b.run(filepath.Join(stackSources, "golang"), compiler, slices.Concat([]string{"build", "-o", out}, flags, []string{"."})...)
	}
}

// What plain.c does; the leaf in libc has a name only where its debug package is.
var plainStacks = []string{
	"turns;chain;second;third;add", "turns;pointer;shift", "turns;variable;scale", "turns;aligned;mask",
	"turns;library;", "thread;turns;in_thread;worker",
}

// What golang/main.go does. perf 6.1 finds no way out of the leaves of Go programs with --call-graph dwarf, and skips their callers
// with fp: they have no frame.
var golangStacks = []string{
	"runtime.goexit;runtime.main;main.main;main.turns;main.chain;main.middle;main.leaf",
	"runtime.goexit;runtime.main;main.main;main.turns;main.closure;main.apply;main.closure.func1",
	"runtime.goexit;runtime.main;main.main;main.turns;main.method;main.(*square).area;main.square.area",
	"runtime.goexit;runtime.main;main.main;main.turns;main.assembler;indexbytebody",
	"runtime.goexit;main.main.func1;main.turns;main.inGoroutine;main.middle;main.leaf",
}

var signalStacks = []string{"main;victim;interrupted", "main;victim;interrupted;on_tick;ticked", "turns;raiser;raise;on_raise;raised"}

var exceptionStacks = []string{
	"turns;exceptions;thrower;thrower;in_destructor", "turns;exceptions;in_handler", "turns;virtuals;shapes::Square<long>::area;in_virtual", "turns;inlines",
}

// arguments are those behind the seconds.
func arguments(args ...string) func(*stackBuilder) ([]string, error) {
	return func(*stackBuilder) ([]string, error) { return args, nil }
}

var stackPrograms = []stackProgram{
	{name: "gcc", build: compiled(gcc, "plain.c", withoutFP), seconds: "0.08", want: plainStacks},
	{name: "gcc-fp", build: compiled(gcc, "plain.c", withFP), seconds: "0.08", want: plainStacks},
	{name: "clang", build: compiled(clang, "plain.c", withoutFP), seconds: "0.08", want: plainStacks},
	{name: "clang-fp", build: compiled(clang, "plain.c", withFP, withLeafFP), seconds: "0.08", want: plainStacks},
	{name: "c++", build: compiled(gxx, "exceptions.cc"), seconds: "0.1", mixed: true, want: exceptionStacks},
	{name: "clang++", build: compiled(clangxx, "exceptions.cc"), seconds: "0.1", mixed: true, want: exceptionStacks},
	{name: "rust", build: rust, seconds: "0.1", mixed: true, want: []string{
		"release::turns;release::chain;release::leaf", "release::turns;release::sort;release::weigh",
		"release::turns;release::object;<release::Square as release::Shape>::area;release::leaf",
	}},
	{name: "go", build: golang(), seconds: "0.08", design: golangStacks},
	{name: "go-stripped", build: golang("-ldflags=-s -w"), seconds: "0.08", design: golangStacks},
	{name: "go-pie", build: golang("-buildmode=pie"), seconds: "0.08", design: golangStacks},
	// The timer and the samples have clocks of their own.
	{name: "signal", build: compiled(gcc, "signal.c", withoutFP), seconds: "0.2", mixed: true, want: signalStacks},
	{name: "sigaltstack", build: compiled(gcc, "signal.c", withoutFP), seconds: "0.2", apart: true, args: arguments("x"), want: signalStacks},
	{name: "plt", build: throughPLT, seconds: "0.4", mixed: true, want: []string{"turns;calls;library_tiny", "turns;calls"}},
	{name: "deep", build: compiled(gcc, "deep.c", withoutFP), seconds: "0.4", want: []string{"turns;down;recurse;bottom"}},
	{name: "deeper", build: compiled(gcc, "deep.c", withoutFP), seconds: "0.4", args: arguments("300"), cut: true, want: []string{"recurse;bottom"}},
	{name: "dlopen", build: compiled(gcc, "dlopen.c", withoutFP), seconds: "0.14", args: loaded, want: []string{
		"turns;comes_and_goes;library_spin;library_leaf", "turns;loaded;library_spin;library_leaf", "turns;returning;library_callback;back",
	}},
	{name: "vdso", build: compiled(gcc, "vdso.c", withoutFP), seconds: "0.2", mixed: true, want: []string{"turns;monotonic;clock_gettime", "turns;of_day;gettimeofday"}},
	{name: "qsort", build: compiled(gcc, "sort.c", withoutFP), seconds: "0.4", mixed: true, want: []string{"turns;sort;qsort;compare;weigh"}},
}

// command builds a program and says how it is run, or skips the test where its toolchain is missing. What .ci/run
// installs has to be there.
func (p *stackProgram) command(t *testing.T, dir string) []string {
	t.Helper()
	b := &stackBuilder{dir}
	binary, err := p.build(b)
	var args []string
	if err == nil && p.args != nil {
		args, err = p.args(b)
	}
	switch {
	case errors.Is(err, errNoToolchain) && (os.Getenv("CI") != "true" || strings.HasSuffix(err.Error(), "rustc")):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return append([]string{binary, p.seconds}, args...)
}
