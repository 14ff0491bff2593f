package unwind

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// traced is a process that runs an instruction at a time, and what is known of its code.
type traced struct {
	t       *testing.T
	pid     int
	memory  *os.File
	rules   *Rules
	modules map[string]*Module
	space   *Space
	walker  *Walker
	regs    syscall.PtraceRegs
	stack   [32 << 10]byte
}

// trace starts a program that stops by itself, and runs it until it has.
func trace(t *testing.T, cmd *exec.Cmd) *traced {
	t.Helper()
	runtime.LockOSThread() // the thread that traces is the one that started it
	t.Cleanup(runtime.UnlockOSThread)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &traced{t: t, pid: cmd.Process.Pid, rules: NewRules(), modules: map[string]*Module{}}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if s := p.wait(); s != syscall.SIGTRAP {
		t.Fatalf("stopped by %v, want a trap at the first instruction", s)
	}
	var err error
	if p.memory, err = os.Open(fmt.Sprintf("/proc/%d/mem", p.pid)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.memory.Close() })
	for s := syscall.Signal(0); s != syscall.SIGSTOP; s = p.wait() {
		if err := syscall.PtraceCont(p.pid, 0); err != nil {
			t.Fatal(err)
		}
	}
	p.walker = NewWalker(AMD64, p.rules)
	p.space = p.mapped()
	p.read()
	return p
}

// wait waits for the process to stop, and says by which signal.
func (p *traced) wait() syscall.Signal {
	var s syscall.WaitStatus
	if _, err := syscall.Wait4(p.pid, &s, 0, nil); err != nil || !s.Stopped() {
		p.t.Fatalf("status %#x, %v, want a stop", s, err)
	}
	return s.StopSignal()
}

// step runs one instruction, with a signal delivered before it, and says which signal has come then, 0 if none that a handler may be for.
func (p *traced) step(deliver syscall.Signal) syscall.Signal {
	if _, _, e := syscall.Syscall6(syscall.SYS_PTRACE, syscall.PTRACE_SINGLESTEP, uintptr(p.pid), 0, uintptr(deliver), 0, 0); e != 0 {
		p.t.Fatal(e)
	}
	s := p.wait()
	if s == syscall.SIGTRAP || s == syscall.SIGCHLD {
		s = 0
	}
	p.read()
	return s
}

func (p *traced) read() {
	if err := syscall.PtraceGetRegs(p.pid, &p.regs); err != nil {
		p.t.Fatal(err)
	}
}

func (p *traced) word(addr uint64) uint64 {
	var b [8]byte
	p.memory.ReadAt(b[:], int64(addr))
	return binary.LittleEndian.Uint64(b[:])
}

// mapped reads what is mapped.
func (p *traced) mapped() *Space {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var out []Mapping
	for line := range strings.Lines(string(maps)) {
		var m Mapping
		var perms, dev, name string
		var off, inode uint64
		fmt.Sscanf(line, "%x-%x %s %x %s %d %s", &m.Start, &m.Limit, &perms, &off, &dev, &inode, &name)
		if len(perms) < 3 || perms[2] != 'x' || name == "[vsyscall]" {
			continue
		}
		f := p.file(name, m)
		if m.Module = p.modules[name]; m.Module == nil {
			img := readELF(name, f)
			img.Go = goTable(p.t, f)
			m.Module = NewModule(img, p.rules, uint32(len(p.modules)+1))
			p.modules[name] = m.Module
		}
		for _, s := range f.Progs {
			if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 && s.Off&^0xfff == off {
				m.Bias = m.Start - s.Vaddr&^0xfff
			}
		}
		out = append(out, m)
	}
	return NewSpace(out)
}

// file is the file that is mapped.
func (p *traced) file(name string, m Mapping) *elf.File {
	var r io.ReaderAt
	if name == "[vdso]" {
		r = io.NewSectionReader(p.memory, int64(m.Start), int64(m.Limit-m.Start))
	} else {
		f, err := os.Open(name)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { f.Close() })
		r = f
	}
	f, err := elf.NewFile(r)
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return f
}

// registers are those that the process has now.
func (p *traced) registers() *Registers {
	g := &p.regs
	return &Registers{PC: g.Rip, R: [32]uint64{g.Rax, g.Rdx, g.Rcx, g.Rbx, g.Rsi, g.Rdi, g.Rbp, g.Rsp, g.R8, g.R9, g.R10, g.R11, g.R12, g.R13, g.R14, g.R15}, Known: 0xffff}
}

// copied is a copy of the stack from an address on. It ends where a page does: what is copied decides how long a step takes.
func (p *traced) copied(base, pages uint64) []byte {
	n, _ := p.memory.ReadAt(p.stack[:min((base+pages<<12)&^0xfff-base, uint64(len(p.stack)))], int64(base))
	return p.stack[:n]
}

// walk walks the stack as it is now, by what memory has from address base on, or from the stack pointer if that is lower.
func (p *traced) walk(dst []uint64, base uint64) ([]uint64, Outcome) {
	base = min(base, p.regs.Rsp)
	for pages := uint64(2); ; pages = 8 {
		dst, out := p.walker.Walk(dst, p.space, p.registers(), p.copied(base, pages), base, 200)
		if out != Truncated || pages == 8 {
			return dst, out
		}
	}
}

// text names addresses by module.
func (p *traced) text(chain []uint64) string {
	var b strings.Builder
	for _, a := range chain {
		m := p.space.find(a)
		if m == nil {
			fmt.Fprintf(&b, " %#x", a)
			continue
		}
		fmt.Fprintf(&b, " %s+%#x", filepath.Base(m.Module.image.Name), a-m.Bias)
	}
	return b.String()
}
