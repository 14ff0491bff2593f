package perfring

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A child inherits the event and its life goes into the parent's ring.
func TestLiveInherit(t *testing.T) {
	cpu := pin(t) // and the child with it
	a := &Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY,
		SampleFormat: SampleIdentifier | SampleTID | SampleTime | SampleCPU | SampleStreamID,
		Flags:        FlagSampleIDAll | FlagInherit | FlagTask | FlagComm | FlagCommExec | FlagMmap | FlagMmap2 | user,
	}
	e := open(t, a, cpu, nil)
	r := mapRing(t, e, 16)
	const command = "/bin/true"
	file, err := filepath.EvalSymlinks(command) // a mapping has the name of the file itself
	if err != nil {
		t.Skipf("no child to run: %v", err)
	}
	child := exec.Command(command)
	if err := child.Run(); err != nil {
		t.Skipf("no child to run: %v", err)
	}
	pid := uint32(child.Process.Pid)
	d := decoderOf(t, a, e.ID)
	var seen []string
	r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		note := func(what string, id SampleID) {
			if id.ID != e.ID || id.CPU != uint32(cpu) || id.Time == 0 {
				t.Errorf("%s by %+v", what, id)
			}
			if len(seen) == 0 || seen[len(seen)-1] != what {
				seen = append(seen, what)
			}
		}
		switch rec := rec.(type) {
		case *Fork:
			if rec.PID == pid && rec.PPID == uint32(os.Getpid()) {
				note("fork", rec.SampleID)
			}
		case *Comm:
			if rec.PID == pid && rec.Exec {
				note("exec "+string(rec.Name), rec.SampleID)
			}
		case *Mmap2:
			if rec.PID == pid && strings.HasSuffix(string(rec.Filename), "/"+filepath.Base(file)) {
				note("mmap", rec.SampleID)
			}
		case *Exit:
			if rec.PID == pid {
				note("exit", rec.SampleID)
			}
		}
	})
	if got := strings.Join(seen, ", "); got != "fork, exec true, mmap, exit" && got != "fork, exec true, mmap" {
		t.Errorf("saw %q", got)
	}
}

func TestLiveThrottle(t *testing.T) {
	a := &Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 10_000,
		SampleFormat: SampleIdentifier | SampleTime, Flags: FlagDisabled | FlagSampleIDAll | user,
	}
	e := open(t, a, -1, nil)
	r := mapRing(t, e, 128)
	must(t, e.Enable())
	spin(30e6)
	must(t, e.Disable())
	d := decoderOf(t, a)
	var books Books
	r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		books.Count(rec, 0)
		if s, ok := rec.(*Throttle); ok && (s.ID != e.ID || s.SampleID.ID != e.ID || s.Time == 0) {
			t.Errorf("throttle %+v of event %d", s, e.ID)
		}
		if s, ok := rec.(*Unthrottle); ok && (s.ID != e.ID || s.SampleID.ID != e.ID || s.Time == 0) {
			t.Errorf("unthrottle %+v of event %d", s, e.ID)
		}
	})
	if books.Total().Throttles == 0 {
		t.Skipf("the kernel did not throttle: %+v", books.Total())
	}
}

// The rarer fields of a sample, in the order in which this kernel has them.
func TestLiveFields(t *testing.T) {
	// The stack pointer and the program counter: PERF_REG_X86_* and PERF_REG_ARM64_*.
	mask := map[string]uint64{"amd64": 1<<7 | 1<<8, "arm64": 1<<31 | 1<<32}[runtime.GOARCH]
	a := stores(0)
	a.Sample = 1
	a.SampleFormat = SampleIP | SampleAddr | SamplePeriod | SampleRegsUser | SampleStackUser | SampleWeightStruct |
		SampleDataSrc | SampleTransaction | SampleRegsIntr | SampleCGroup | SampleDataPageSize | SampleCodePageSize
	if os.Geteuid() == 0 {
		a.SampleFormat |= SamplePhysAddr
	}
	a.RegsUser, a.RegsIntr, a.StackUser = mask, mask, 512
	e := open(t, a, -1, nil)
	r := mapRing(t, e, 8)
	must(t, e.Enable())
	store(0, 3)
	must(t, e.Disable())
	d := decoderOf(t, a)
	page := uint64(os.Getpagesize())
	n := r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		s := rec.(*Sample)
		for _, regs := range [][]uint64{s.UserRegs, s.IntrRegs} {
			if len(regs) != 2 || regs[1] != s.IP || regs[0] != s.UserRegs[0] {
				t.Errorf("registers %#x at ip %#x", regs, s.IP)
			}
		}
		const notAvailable = 1 // PERF_MEM_OP_NA: no memory sample
		if s.UserRegsABI != 2 || s.IntrRegsABI != 2 || len(s.UserStack) == 0 || len(s.UserStack) > 512 || s.Weight != 0 ||
			s.DataSrc&0x1f != notAvailable || s.Transaction != 0 || s.CGroup == 0 || s.CodePageSize == 0 || s.CodePageSize%page != 0 || s.DataPageSize%page != 0 {
			t.Errorf("sample %+v", s)
		}
		if s.Addr != a.Config1 || s.Period != 1 || os.Geteuid() == 0 && s.PhysAddr%page != s.Addr%page {
			t.Errorf("address %#x, physical %#x, want %#x", s.Addr, s.PhysAddr, a.Config1)
		}
	})
	if n != 3 {
		t.Errorf("%d samples, want 3", n)
	}
}
