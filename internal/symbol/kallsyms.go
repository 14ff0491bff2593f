package symbol

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KernelPath is the Path of the kernel's Binary.
const KernelPath = "[kernel.kallsyms]"

// maxKernelFunction bounds a function whose next neighbour is far: the last of
// the kernel, or of a module. /proc/kallsyms has no sizes.
const maxKernelFunction = 1 << 20

// What a distribution's kernel has: symbols, and bytes of the names of its functions.
const (
	usualSymbols = 128 << 10
	usualNames   = 3 << 20
)

// Kernel gives the functions of the running kernel and its modules, read at
// the first call. Resolve takes addresses. [ErrHidden] when the reader may not
// see addresses.
func (r *Resolver) Kernel() (*Binary, error) {
	if r.kernel != nil {
		return r.kernel, nil
	}
	path := filepath.Join(r.opt.Proc, "kallsyms")
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Read as it comes: the text is several times as large as what is kept of it.
	text := &io.LimitedReader{R: f, N: r.opt.Limits.TableBytes + 1}
	t, idle, err := parseKallsyms(text, r.opt.Limits.Symbols)
	if text.N == 0 {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrLimit, r.opt.Limits.TableBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// Without its notes the kernel has no build id, which is no loss to names.
	r.kernel = &Binary{Path: KernelPath, BuildID: r.KernelBuildID(), lim: r.opt.Limits, absolute: true, table: t, idleSection: idle}
	return r.kernel, nil
}

// KernelBuildID is that of the running kernel in lower-case hex, "" if it tells none.
func (r *Resolver) KernelBuildID() string {
	notes, err := readBounded(filepath.Join(r.opt.Sys, "kernel/notes"), maxNoteBytes)
	if err != nil {
		return ""
	}
	return parseBuildID(notes)
}

// KernelVisible tells, from the first symbols alone, whether Kernel will find any: nil, [ErrHidden]
// or what the system answered.
func (r *Resolver) KernelVisible() error {
	path := filepath.Join(r.opt.Proc, "kallsyms")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 0; n < 100 && lines.Scan(); n++ {
		if addr, _ := hexPrefix(lines.Bytes()); addr != 0 {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s: %w", path, ErrHidden)
}

// readBounded reads a file whose size stat does not tell, as in /proc.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrLimit, limit)
	}
	return out.Bytes(), nil
}

// parseKallsyms reads lines `address type name`, then a tab and [module] for
// those of a module. Symbols that are no functions only bound the others.
// idle is the section of functions that the kernel itself marks as idle.
func parseKallsyms(text io.Reader, limit int) (t *table, idle Range, err error) {
	var names strings.Builder
	names.Grow(usualNames)
	names.WriteByte(0)
	all := make([]candidate, 0, min(usualSymbols, limit))
	hidden := true
	lines := bufio.NewScanner(text)
	for number := 1; lines.Scan(); number++ {
		line := lines.Bytes()
		addr, n := hexPrefix(line)
		if n == 0 || len(line) < n+4 || line[n] != ' ' || line[n+2] != ' ' {
			return nil, idle, fmt.Errorf("line %d: no symbol: %.80q", number, line)
		}
		if len(all) >= limit {
			return nil, idle, fmt.Errorf("%w: more than %d symbols", ErrLimit, limit)
		}
		hidden = hidden && addr == 0
		c := candidate{open: true}
		c.addr, c.size = addr, maxKernelFunction
		switch line[n+1] {
		case 'T':
			c.rank = rankGlobal
		case 'W', 'w':
			c.rank = rankWeak
		case 't':
			c.rank = rankLocal
		}
		if c.rank != rankBound {
			name, _, _ := bytes.Cut(line[n+3:], []byte("\t"))
			if isMarker(name) {
				c.rank = rankMarker
				switch string(name) {
				case "__cpuidle_text_start":
					idle.Start = addr
				case "__cpuidle_text_end":
					idle.Limit = addr
				}
			}
			c.name = uint32(names.Len())
			names.Write(name)
			names.WriteByte(0)
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		return nil, idle, err
	}
	if hidden {
		return nil, idle, ErrHidden
	}
	return newTable(all, names.String()), idle, nil
}

// isMarker: the linker script's labels around sections are global and have the
// address of the first function, whose name is wanted.
func isMarker(name []byte) bool {
	return bytes.HasPrefix(name, []byte("__")) &&
		(bytes.HasSuffix(name, []byte("_start")) || bytes.HasSuffix(name, []byte("_end")))
}

// hexPrefix reads up to 16 hexadecimal digits and says how many there were.
func hexPrefix(b []byte) (v uint64, n int) {
	for n < len(b) && n < 16 {
		c := b[n]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint64(c-'A'+10)
		default:
			return v, n
		}
		n++
	}
	return v, n
}

// idleFunctions are where a CPU with nothing to do spends its time: the loop,
// its drivers and the instructions that halt, on amd64 and arm64
// (kernel/sched/idle.c, drivers/idle, drivers/cpuidle, drivers/acpi).
var idleFunctions = []string{
	"do_idle", "cpu_idle_poll", "poll_idle", "cpu_startup_entry",
	"default_idle", "default_idle_call", "arch_cpu_idle", "arch_cpu_idle_enter", "arch_cpu_idle_exit",
	"native_safe_halt", "pv_native_safe_halt", "xen_safe_halt", "tdx_safe_halt", "tdx_halt", "native_halt",
	"amd_e400_idle", "mwait_idle", "mwait_idle_with_hints", "acpi_safe_halt",
	"default_enter_idle", "haltpoll_enter_idle", "cpu_do_idle", "psci_enter_idle_state",
	"psci_cpu_suspend_enter", "call_cpuidle",
}

// idlePrefixes are families: one function per driver and depth of sleep.
var idlePrefixes = []string{"intel_idle", "acpi_idle_", "acpi_processor_ffh_cstate_enter", "cpuidle_enter", "psci_enter_"}

// IdleRanges gives the addresses of the kernel's idle functions, merged and in
// order: time there is a CPU's rest, not work. Only of the kernel's Binary.
func (b *Binary) IdleRanges() []Range {
	if b.table == nil || !b.absolute {
		return nil
	}
	var all []Range
	for i, s := range b.table.symbols {
		if isIdle(b.table.name(i)) {
			all = append(all, Range{s.addr, s.addr + uint64(s.size)})
		}
	}
	if b.idleSection.Start != 0 && b.idleSection.Limit > b.idleSection.Start {
		all = append(all, b.idleSection)
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
	var out []Range
	for _, r := range all {
		if n := len(out); n > 0 && r.Start <= out[n-1].Limit {
			out[n-1].Limit = max(out[n-1].Limit, r.Limit)
			continue
		}
		out = append(out, r)
	}
	return out
}

func isIdle(name string) bool {
	if base, _, ok := strings.Cut(name, "."); ok { // .constprop.0, .isra.0
		name = base
	}
	return slices.Contains(idleFunctions, name) ||
		slices.ContainsFunc(idlePrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}
