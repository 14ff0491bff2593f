package unwind

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"runtime"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"
	"github.com/go-delve/delve/pkg/dwarf/op"
)

// TestRowsAgreeWithDelve computes the caller's registers at the first and the last address of every row, and at the first
// and last of every function, by our rule and by what delve's reader says of the address, in an invented state of a thread
// in which no two registers or words of memory are equal.
func TestRowsAgreeWithDelve(t *testing.T) {
	t.Parallel()
	const lib = "/lib/x86_64-linux-gnu/"
	for _, test := range []struct {
		name  string
		image func(t *testing.T) Image
		every int // functions are compared
	}{
		{"libc", func(t *testing.T) Image { return elfImage(t, installed(t, true, lib+"libc.so.6")) }, 1},
		{"ld.so", func(t *testing.T) Image { return elfImage(t, installed(t, true, lib+"ld-linux-x86-64.so.2")) }, 1},
		{"libstdc++", func(t *testing.T) Image { return elfImage(t, installed(t, false, lib+"libstdc++.so.6")) }, 4},
		{"libLLVM", func(t *testing.T) Image {
			return elfImage(t, installed(t, false, lib+"libLLVM-14.so.1", lib+"libLLVM-*.so.1"))
		}, 200},
		{"vdso", func(t *testing.T) Image { return vdsoImage(t) }, 1},
		{"Go amd64", func(t *testing.T) Image { return elfImage(t, goProgram(t, "amd64")) }, 1},
		{"Go arm64", func(t *testing.T) Image { return elfImage(t, goProgram(t, "arm64")) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if runtime.GOARCH != "amd64" && test.name != "Go amd64" && test.name != "Go arm64" {
				t.Skip("libraries of amd64")
			}
			t.Parallel()
			img := test.image(t)
			every := test.every
			if testing.Short() {
				every *= 10
			}
			rows := compareWithDelve(t, img, every)
			t.Logf("%d addresses compared", rows)
			if rows < 20 {
				t.Errorf("%d addresses compared: no test", rows)
			}
		})
	}
}

func compareWithDelve(t *testing.T, img Image, every int) (compared int) {
	section := img.EHFrame
	if section.Data == nil {
		section = img.DebugFrame
	}
	ehAddr := uint64(0)
	if img.EHFrame.Data != nil {
		ehAddr = section.Addr
	}
	entries, err := delve.Parse(sectionBytes(t, section), binary.LittleEndian, 0, 8, ehAddr)
	if err != nil {
		t.Fatal(err)
	}
	m := NewModule(img, NewRules(), 0)
	failures := 0
	for i := 0; i < len(entries) && failures < 10; i += every {
		e := entries[i]
		if e.End() == e.Begin() {
			continue
		}
		at := map[uint64]bool{e.Begin(): true, e.End() - 1: true}
		for n := e.Begin() >> ChunkShift; n <= (e.End()-1)>>ChunkShift; n++ {
			for _, r := range m.Chunk(n) {
				for _, addr := range []uint64{n<<ChunkShift + uint64(r.At), n<<ChunkShift + uint64(r.At) - 1} {
					if e.Begin() <= addr && addr < e.End() {
						at[addr] = true
					}
				}
			}
		}
		for addr := range at {
			compared++
			rule := ruleAt(m, addr)
			ctx, err := e.EstablishFrame(addr)
			if err != nil {
				t.Fatalf("delve at %#x: %v", addr, err)
			}
			th := invented{arch: img.Arch, pc: addr}
			want, got := th.byDelve(t, e, ctx), th.byRule(rule)
			switch sp := ctx.Regs[uint64(img.Arch.stackPointer())]; sp.Rule {
			case delve.RuleOffset:
				// libc's setcontext, in its last instructions: stack pointer and return address are in a structure, which no
				// rule tells.
				if rule == unsupported {
					continue
				}
			case delve.RuleRegister:
				// libc's longjmp, likewise: rbx is in a structure, the others in registers.
				if rule.X == Lost {
					want.x = 0
				}
			}
			if want != got {
				t.Errorf("at %#x: %+v gives\n%v, delve\n%v", addr, rule, got, want)
				failures++
			}
		}
	}
	if err := m.Err(); err != nil {
		t.Error(err)
	}
	return compared
}

// caller is what is to be known of the caller; a register that is lost is 0.
type caller struct {
	end           bool
	sp, ra, fp, x uint64
}

func (c caller) String() string {
	if c.end {
		return "the outermost frame"
	}
	return fmt.Sprintf("sp %#x ra %#x fp %#x x %#x", c.sp, c.ra, c.fp, c.x)
}

// invented is the state of a thread.
type invented struct {
	arch Arch
	pc   uint64
}

var seed = maphash.MakeSeed()

func (th invented) memory(addr uint64) uint64 { return maphash.Comparable(seed, addr) }

func (th invented) register(n uint64) uint64 {
	if th.arch == AMD64 && n == amd64RIP {
		return th.pc
	}
	return 0x7fff_0000_0000 + n<<32 + 0x1000
}

// byDelve follows what delve reads.
func (th invented) byDelve(t *testing.T, e *delve.FrameDescriptionEntry, ctx *delve.FrameContext) caller {
	regs := op.NewDwarfRegisters(0, nil, binary.LittleEndian, amd64RIP, uint64(th.arch.stackPointer()), uint64(th.arch.framePointer()), arm64LR)
	for n := range uint64(32) {
		regs.AddReg(n, op.DwarfRegisterFromUint64(th.register(n)))
	}
	eval := func(expr []byte) uint64 {
		v, _, err := op.ExecuteStackProgram(*regs, expr, 8, func(b []byte, addr uint64) (int, error) {
			binary.LittleEndian.PutUint64(b, th.memory(addr))
			return 8, nil
		})
		if err != nil {
			t.Fatalf("delve cannot compute % x: %v", expr, err)
		}
		return uint64(v)
	}
	var cfa uint64
	switch ctx.CFA.Rule {
	case delve.RuleCFA:
		cfa = th.register(ctx.CFA.Reg) + uint64(ctx.CFA.Offset)
	case delve.RuleExpression:
		cfa = eval(ctx.CFA.Expression)
	default:
		t.Fatalf("delve's rule %d for the canonical frame address", ctx.CFA.Rule)
	}
	find := func(reg, unset uint64) uint64 {
		r, ok := ctx.Regs[reg]
		if !ok {
			return unset
		}
		switch r.Rule {
		case delve.RuleUndefined:
			// delve makes a register undefined when it is restored to what the common entry leaves unsaid. It has then not
			// been changed, by the ABIs. Real tables say undefined of return addresses alone.
			return unset
		case delve.RuleSameVal:
			return th.register(reg)
		case delve.RuleOffset:
			return th.memory(cfa + uint64(r.Offset))
		case delve.RuleValOffset: // of Go's programs for arm64, always with 0
			return cfa + uint64(r.Offset)
		case delve.RuleRegister:
			return th.register(r.Reg)
		case delve.RuleExpression:
			return th.memory(eval(r.Expression))
		case delve.RuleValExpression:
			return eval(r.Expression)
		}
		t.Fatalf("delve's rule %d for register %d", r.Rule, reg)
		return 0
	}
	// As said above, delve also makes a link register undefined that is restored.
	said := bytes.Contains(e.Instructions, []byte{cfaUndefined, byte(ctx.RetAddrReg)})
	if r, ok := ctx.Regs[ctx.RetAddrReg]; ok && r.Rule == delve.RuleUndefined && said {
		return caller{end: true}
	}
	fp, x, sp := uint64(th.arch.framePointer()), uint64(th.arch.x()), uint64(th.arch.stackPointer())
	return caller{
		sp: find(sp, cfa), ra: find(ctx.RetAddrReg, th.register(ctx.RetAddrReg)),
		fp: find(fp, th.register(fp)), x: find(x, th.register(x)),
	}
}

// byRule follows a rule.
func (th invented) byRule(r Rule) (c caller) {
	base := th.register(uint64(r.CFAReg)) + uint64(int64(r.CFAOffset))
	switch r.CFA {
	case CFAEnd:
		return caller{end: true}
	case CFARegister:
		c.sp = base
	case CFADeref:
		c.sp = th.memory(base) + uint64(int64(r.CFAAdd))
	case CFAPLT:
		c.sp = base
		if th.pc&15 >= uint64(r.CFAAdd) {
			c.sp += 8
		}
	default:
		return caller{}
	}
	find := func(how uint8, off int32, reg uint8) uint64 {
		switch o := uint64(int64(off)); how {
		case Same:
			return th.register(uint64(reg))
		case AtCFA:
			return th.memory(c.sp + o)
		case AtSP:
			return th.memory(th.register(uint64(th.arch.stackPointer())) + o)
		case AtFP:
			return th.memory(th.register(uint64(th.arch.framePointer())) + o)
		case InRegister:
			return th.register(o)
		}
		return 0
	}
	c.ra = find(r.RA, r.RAOffset, th.arch.x())
	c.fp = find(r.FP, r.FPOffset, th.arch.framePointer())
	c.x = find(r.X, r.XOffset, th.arch.x())
	return c
}
