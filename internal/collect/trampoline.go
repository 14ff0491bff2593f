package collect

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/energyprof/energyprof/internal/unwind"
)

// trampolines returns the tables of memory that Python has filled with trampolines, nil if it is something else.
func (c *Collector) trampolines(p *process, m *mapping) *unwind.Module {
	if c.opt.Proc == "" || runtime.GOARCH != "amd64" {
		return nil
	}
	mem, err := os.Open(filepath.Join(c.opt.Proc, strconv.Itoa(int(p.pid)), "mem"))
	if err != nil {
		return nil // gone, or somebody else's: as any code without a file
	}
	defer mem.Close()
	var begin [unwind.TrampolineCode]byte
	n, _ := mem.ReadAt(begin[:], int64(m.start)) // of what cannot be read nothing is known
	every := unwind.Trampolines(begin[:n])
	if every == 0 {
		return nil
	}
	u := &c.unwinder
	if u.python[every] == nil {
		if u.python == nil {
			u.python = map[int]*unwind.Module{}
		}
		u.python[every] = u.newModule(unwind.Image{Name: "trampolines of Python", Arch: unwind.AMD64, Trampolines: every})
	}
	return u.python[every]
}
