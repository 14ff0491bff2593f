// Package symbol turns addresses into names: functions, source files and
// lines of ELF binaries, of the vdso, of the running kernel and of code that
// a runtime compiled and listed in a perf map.
//
// What is read here was written by the processes under observation, so all of
// it is hostile: every size is checked against [Limits], only regular files
// are opened, and a file counts as the one that was mapped only when its
// build id, or its device and inode, say so.
package symbol

import "errors"

// Frame is a function at an address: that of the symbol table, or one that was
// inlined into it. Where there are several the first is the innermost, and each was
// called by the next.
type Frame struct {
	Function   string // readable name: demangled, without parameters
	SystemName string // the name as the symbol table has it, or debug information
	File       string // source file of the function, "" when there is no line information
	// Line is the 1-based line of File that the address is of, or the call of the frame before;
	// 0 when unknown, or of another file that is included into the function's body.
	Line      int
	StartLine int // line at which the function begins, 0 when unknown
}

// Mapping is a piece of a file in the address space of a process, as an MMAP2
// record or a line of /proc/PID/maps describes it.
type Mapping struct {
	PID                  int
	Start, Limit, Offset uint64 // [Start,Limit) holds the file from byte Offset on
	File                 string // path in the mount namespace of the process; may end in " (deleted)"
	BuildID              string // lower-case hex, "" when the record had none
	Major, Minor         uint32 // device; as Inode, all zero when the record had a build id instead
	Inode                uint64
}

// Options says where to look and how much to read. The zero value means the
// running system and the default limits.
type Options struct {
	Proc   string // "/proc"
	Sys    string // "/sys"
	Root   string // "/": where the paths of mappings and /tmp are looked up once a process is gone
	Debug  string // "/usr/lib/debug": separate debug files below .build-id
	Cache  string // where perf keeps copies of what it recorded ("$HOME/.debug"), by build id; "" is not looked at
	Limits Limits
	// Debuginfod says which servers to ask for debug files that are not installed.
	Debuginfod Debuginfod
}

// Limits bound the time and memory that one file can cost. A zero field means
// its default.
type Limits struct {
	Sections     int   // section headers of an ELF file
	Symbols      int   // function symbols of a table
	TableBytes   int64 // a symbol or string table, or /proc/kallsyms
	Decompressed int64 // all decompressed sections of a file together
	Units        int   // compilation units
	DebugWork    int64 // bytes of debug information examined in one go
	NameBytes    int   // a mangled name; a longer one stays as it is
	PerfMapBytes int64 // a perf map
	OpenFiles    int   // files kept open; beyond it a file is opened again by path when needed
}

// The defaults leave room for a browser with full debug information.
const (
	DefaultSections     = 1 << 17
	DefaultSymbols      = 4 << 20
	DefaultTableBytes   = 256 << 20
	DefaultDecompressed = 512 << 20
	DefaultUnits        = 1 << 20
	DefaultDebugWork    = 2 << 30
	DefaultNameBytes    = 8 << 10
	DefaultPerfMapBytes = 64 << 20
	DefaultOpenFiles    = 512
)

var (
	// ErrNoFile means that the mapping has no file behind it: anonymous
	// memory, a heap, a stack, a device.
	ErrNoFile = errors.New("no regular file behind the mapping")
	// ErrReplaced means that the file found at the path is not the one that
	// was mapped.
	ErrReplaced = errors.New("the file is not the one that was mapped")
	// ErrFormat means that the file is no ELF file of this machine's byte order.
	ErrFormat = errors.New("not a readable ELF file")
	// ErrLimit means that one of the [Limits] was reached.
	ErrLimit = errors.New("limit reached")
	// ErrHidden means that the kernel shows all its addresses as zero
	// (kernel.kptr_restrict).
	ErrHidden = errors.New("kernel addresses are hidden")
	// ErrOwner means that a perf map belongs to somebody other than the
	// owner of the process.
	ErrOwner = errors.New("perf map belongs to another user")
)

func (l Limits) withDefaults() Limits {
	orInt := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	orInt64 := func(p *int64, def int64) {
		if *p == 0 {
			*p = def
		}
	}
	orInt(&l.Sections, DefaultSections)
	orInt(&l.Symbols, DefaultSymbols)
	orInt64(&l.TableBytes, DefaultTableBytes)
	orInt64(&l.Decompressed, DefaultDecompressed)
	orInt(&l.Units, DefaultUnits)
	orInt64(&l.DebugWork, DefaultDebugWork)
	orInt(&l.NameBytes, DefaultNameBytes)
	orInt64(&l.PerfMapBytes, DefaultPerfMapBytes)
	orInt(&l.OpenFiles, DefaultOpenFiles)
	return l
}
