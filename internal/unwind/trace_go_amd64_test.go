package unwind

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// Every instruction of a Go program, also of C that it calls and of Go that this calls back, has a stack that ends at an
// entry point, and all of whose callers call: the instruction before a return address is a call, of the function that is
// above it if it says of which.
func TestWalkEveryInstructionOfGo(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"gowalk": 20000, "cgowalk": 4000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), name)
			if _, err := exec.LookPath("gcc"); err != nil && name == "cgowalk" && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/"+name).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			p := trace(t, exec.Command(program))
			g := goCode{p: p, table: p.modules[program].image.Go, names: map[uint64]string{}, checked: map[goCall]string{}}
			// Stopped by the signal, all threads but this one stay so while it runs.
			p.step(syscall.SIGSTOP)
			alone := g.check(200000, least, syscall.SIGSTOP)
			if err := syscall.Kill(p.pid, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			all := g.check(least, least, 0)
			t.Logf("%d instructions alone, %d beside other threads", alone, all)
			if alone < least {
				t.Errorf("%d instructions: less than the program has", alone)
			}
		})
	}
}

// patience is beyond what one instruction takes.
const patience = 3 * time.Second

// check runs a number of instructions, or until the signal comes, and says how many. Once the other threads have to go on it is
// so many more: their scheduler interrupts a thread every 10 ms, which on a busy machine is less than an interrupt takes in
// steps, so that the signal would never come.
func (g goCode) check(most, more int, until syscall.Signal) int {
	var chain []uint64
	var out Outcome
	faults := map[string]int{}
	deliver := syscall.Signal(0)
	// A thread that is stopped may hold a lock that this one waits for: then they all go on.
	var goOn atomic.Bool
	stuck := time.AfterFunc(patience, func() {
		goOn.Store(true)
		syscall.Kill(g.p.pid, syscall.SIGCONT)
	})
	defer stuck.Stop()
	n := 0
	for ; n < most; n++ {
		stuck.Reset(patience)
		deliver = g.p.step(deliver)
		if goOn.CompareAndSwap(true, false) {
			most = min(most, n+more)
		}
		switch deliver {
		case until:
			if until != 0 {
				return n
			}
		case syscall.SIGSTOP, syscall.SIGCONT:
			deliver = 0
		}
		chain, out = g.walk(chain[:0])
		if slices.Contains(changeFrames, g.name(chain[0])) {
			continue
		}
		if out != Complete {
			g.fault(faults, out.String(), chain)
			continue
		}
		for i, ret := range chain[1:] {
			call := goCall{ret, chain[i], i > 0 && !g.interrupts(chain[i-1], i > 1)}
			what, ok := g.checked[call]
			if !ok {
				what = g.called(call.ret, call.pc, call.back)
				g.checked[call] = what
			}
			if what != "" {
				g.fault(faults, what, chain)
			}
		}
	}
	return n
}

// fault tells of one that has not been told of.
func (g goCode) fault(told map[string]int, what string, chain []uint64) {
	key := what + g.name(chain[len(chain)-1])
	if told[key]++; told[key] == 1 && len(told) < 20 {
		g.p.t.Errorf("%s: %s", what, g.text(chain))
	}
}

// goCode is the functions of a Go program that runs.
type goCode struct {
	p       *traced
	table   *gopclntab.Table
	names   map[uint64]string // by address
	checked map[goCall]string // what called says
}

// goCall is a call that is to be checked.
type goCall struct {
	ret, pc uint64
	back    bool // pc is a return address, too
}

// interrupts says whether an address is in the frame of a signal, so that what is above it in the chain is no return address.
func (g goCode) interrupts(addr uint64, back bool) bool {
	if back {
		addr--
	}
	return g.p.walker.look(g.p.space, addr).rule.Flags&FlagSignal != 0
}

func (g goCode) function(addr uint64) gopclntab.Function {
	f, _, err := g.table.Find(addr)
	if err != nil {
		g.p.t.Fatal(err)
	}
	return f
}

// walk is that of a process with several stacks: where one ends the copy of another is taken.
func (g goCode) walk(chain []uint64) ([]uint64, Outcome) {
	p := g.p
	f := frame{regs: p.registers(), pc: p.regs.Rip, sp: p.regs.Rsp, fp: p.regs.Rbp, x: p.regs.Rbx, exact: true, inner: true, base: p.regs.Rsp, stack: p.copied(p.regs.Rsp, 2)}
	f.known.sp, f.known.fp, f.known.x = true, true, true
	chain, out := p.walker.walk(chain, p.space, &f, 200)
	// Each is left by the frame pointer, which may point nowhere then, or by a signal's frame.
	for n := 0; (out == Truncated || out == NoStack) && n < 12; n++ {
		f.base = [...]uint64{f.fp, f.sp}[n%2]
		f.stack = p.copied(f.base, 2)
		chain, out = p.walker.walk(chain[:len(chain)-1], p.space, &f, 200)
	}
	return chain, out
}

// called says what speaks against a call that returns to ret of the function that pc is in; back says that pc is a return
// address, too.
func (g goCode) called(ret, pc uint64, back bool) string {
	interrupted := slices.Contains(notCalled, g.name(pc))
	if back {
		pc--
	}
	caller, callee := g.name(ret), g.name(pc)
	if caller == "runtime.goexit" || g.interrupts(pc, false) || interrupted || slices.Contains(notCalled, callee) {
		return ""
	}
	var b [8]byte
	if _, err := g.p.memory.ReadAt(b[:], int64(ret-8)); err != nil {
		return fmt.Sprintf("%s: %v", caller, err)
	}
	if b[3] == 0xe8 {
		target := g.name(ret + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:])))))
		if target != callee && !jumps(target, callee) {
			return fmt.Sprintf("%s calls %s and not %s", caller, target, callee)
		}
		return ""
	}
	for n := range 7 { // call r/m: ff /2, with what addresses the operand
		if n > 0 && b[7-n] == 0xff && b[8-n]>>3&7 == 2 {
			return ""
		}
	}
	return "no call before the return address in " + caller
}

// notCalled are functions that a signal or its handler has put on a stack.
var notCalled = []string{"runtime.sigpanic", "runtime.sigpanic0", "runtime.sigtramp", "runtime.cgoSigtramp", "runtime.asyncPreempt"}

// jumps says whether a function that was called may have been left by a jump to another: those in assembly to the body that
// they share, those that call C to it, systemstack on the system's stack to its argument, and stubs of C.
func jumps(called, runs string) bool {
	return strings.HasSuffix(runs, "body") || called == "runtime.asmcgocall_landingpad" || called == "runtime.systemstack" || called == notGo
}

// changeFrames are functions of a signal's handler that change what it returns to, in several instructions.
var changeFrames = []string{"runtime.(*sigctxt).preparePanic", "runtime.doSigPreempt"}

// text names addresses by function.
func (g goCode) text(chain []uint64) string {
	var names []string
	for _, a := range chain {
		if name := g.name(a); name != notGo {
			names = append(names, fmt.Sprintf("%s+%d", name, a-g.function(a).Entry))
		} else {
			names = append(names, g.p.text([]uint64{a})[1:])
		}
	}
	return strings.Join(names, " < ")
}

// notGo is the name of functions that are not in the table.
const notGo = "C"

// name is that of the function at an address.
func (g goCode) name(a uint64) string {
	if name, ok := g.names[a]; ok {
		return name
	}
	f, ok, err := g.table.Find(a)
	name := notGo
	if ok {
		name, err = g.table.Name(f)
	}
	if err != nil {
		g.p.t.Fatal(err)
	}
	g.names[a] = name
	return name
}
