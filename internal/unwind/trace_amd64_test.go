package unwind

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// calls is who has called whom, as told by the instructions that were run.
type calls struct {
	returns []uint64 // the innermost one last
	// interrupted has where in returns an address is that of an interrupted instruction, and the stack pointer then.
	interrupted []interruption
}

type interruption struct {
	at int
	sp uint64
}

// after takes the effect of one instruction at pc with the stack pointer sp.
func (c *calls) after(p *traced, pc, sp uint64) {
	g := &p.regs
	n := len(c.returns)
	if k := len(c.interrupted); k > 0 && c.interrupted[k-1].at == n-1 {
		if g.Rip == c.returns[n-1] { // rt_sigreturn
			c.returns, c.interrupted = c.returns[:n-1], c.interrupted[:k-1]
		}
		return
	}
	switch {
	case n > 0 && g.Rsp == sp+8 && g.Rip == c.returns[n-1]:
		c.returns = c.returns[:n-1]
	case g.Rsp == sp-8:
		if ret := p.word(g.Rsp); ret > pc && ret <= pc+8 {
			c.returns = append(c.returns, ret)
		}
	}
}

// base is below all that the stacks in use have.
func (c *calls) base() uint64 {
	base := ^uint64(0)
	for _, i := range c.interrupted {
		base = min(base, i.sp)
	}
	return base
}

// Every instruction of a program, of the C library, the dynamic linker and the vdso in it, has the callers that have
// called: as found by the tables, and as told by the calls and returns that were run.
func TestWalkEveryInstruction(t *testing.T) {
	t.Parallel()
	source := "testdata/walk/walk.c"
	for _, build := range []struct{ name, command string }{
		{"gcc", "gcc -O2 -fomit-frame-pointer"},
		{"gcc stripped", "gcc -O2 -fomit-frame-pointer -s -static-pie"},
		{"gcc frame pointers", "gcc -O2 -fno-omit-frame-pointer -no-pie"},
		{"gcc eager", "gcc -Os -Wl,-z,now -fcf-protection=full"},
		{"clang", "clang-14 -O2 -fomit-frame-pointer"},
		{"debug_frame", "gcc -O1 -g -fno-asynchronous-unwind-tables -fno-unwind-tables"},
	} {
		t.Run(build.name, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(build.command)
			program := filepath.Join(t.TempDir(), "walk")
			words = append(words, "-w", "-o", program, source, "-lm", "-Wl,-z,lazy")
			if strings.Contains(build.command, "now") {
				words = words[:len(words)-1]
			}
			if _, err := exec.LookPath(words[0]); err != nil && os.Getenv("CI") == "true" {
				t.Fatal(err)
			} else if err != nil {
				t.Skip(err)
			}
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", words, err, out)
			}
			p := trace(t, exec.Command(program))
			chain, out := p.walk(nil, ^uint64(0))
			if out != Complete || len(chain) < 4 {
				t.Fatalf("where it stops: %#x, %v", chain, out)
			}
			c := calls{returns: slices.Clone(chain[1:])}
			slices.Reverse(c.returns)
			steps, deepest := 0, 0
			var want []uint64
			for deliver := syscall.Signal(0); ; {
				pc, sp := p.regs.Rip, p.regs.Rsp
				deliver = p.step(deliver)
				if deliver == syscall.SIGSTOP {
					break
				}
				if deliver != 0 { // the instruction was run, or is to be run when the handler returns
					c.after(p, pc, sp)
					c.interrupted = append(c.interrupted, interruption{len(c.returns), p.regs.Rsp})
					c.returns = append(c.returns, p.regs.Rip)
					deliver = p.step(deliver)
					c.returns = append(c.returns, p.word(p.regs.Rsp))
				} else {
					c.after(p, pc, sp)
				}
				want = append(want[:0], p.regs.Rip)
				for _, r := range slices.Backward(c.returns) {
					want = append(want, r)
				}
				chain, out = p.walk(chain[:0], c.base())
				if out != Complete || !slices.Equal(chain, want) {
					t.Fatalf("after %d instructions: %s, %v\nwant %s", steps, p.text(chain), out, p.text(want))
				}
				steps++
				deepest = max(deepest, len(chain))
			}
			t.Logf("%d instructions, up to %d frames", steps, deepest)
			if steps < 5000 || deepest < 24 {
				t.Errorf("%d instructions, up to %d frames: less than the program has", steps, deepest)
			}
		})
	}
}
