package perfdata

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// Machine is where a file is written, by the roots of its sysfs and procfs.
type Machine struct{ Sys, Proc string }

// kernelMappings is the kernel's code as perf writes it into its files, so that it gives names to
// the kernel's addresses: without a record, or with hidden addresses, it does not try.
func (m Machine) kernelMappings() []perfring.Mmap {
	symbols := m.kernelText()
	start := symbols["_text"]
	name := "_text"
	if start == 0 {
		start, name = symbols["_stext"], "_stext"
	}
	if start == 0 {
		return nil
	}
	limit := symbols["_etext"]
	if limit <= start {
		limit = ^uint64(0)
	}
	const kernelPID = 1<<32 - 1
	kernel := func(file string, addr, size, offset uint64) perfring.Mmap {
		return perfring.Mmap{Header: perfring.Header{Misc: perfring.MiscKernel}, PID: kernelPID,
			Addr: addr, Len: size, PgOff: offset, Filename: []byte(file)}
	}
	all := []perfring.Mmap{kernel("[kernel.kallsyms]"+name, start, limit-start, start)}
	modules, _ := os.ReadFile(filepath.Join(m.Proc, "modules")) // a kernel without modules has no such file
	for line := range strings.Lines(string(modules)) {
		// name size users by state address
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		size, err1 := strconv.ParseUint(f[1], 10, 64)
		addr, err2 := strconv.ParseUint(f[5], 0, 64)
		if err1 == nil && err2 == nil && addr != 0 {
			all = append(all, kernel("["+f[0]+"]", addr, size, 0))
		}
	}
	return all
}

// kernelText finds where the kernel's code begins and ends, which is near the beginning of the list.
func (m Machine) kernelText() map[string]uint64 {
	found := map[string]uint64{}
	f, err := os.Open(filepath.Join(m.Proc, "kallsyms"))
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Bytes()
		for _, name := range []string{"_text", "_stext", "_etext"} {
			if at, ok := bytes.CutSuffix(line, []byte(" "+name)); ok && len(at) > 16 {
				if found[name], err = strconv.ParseUint(string(at[:16]), 16, 64); err != nil || found[name] == 0 {
					return nil
				}
			}
		}
		if found["_etext"] != 0 && (found["_text"] != 0 || found["_stext"] != 0) {
			break
		}
	}
	return found
}

// uname is the kernel's name for itself.
func uname() (host, release, arch string) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", "", ""
	}
	return unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
}

// cpuinfo is the first processor's entry in /proc/cpuinfo.
func (m Machine) cpuinfo() map[string]string {
	text, _ := os.ReadFile(filepath.Join(m.Proc, "cpuinfo"))
	info := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); key == "" {
			break
		}
		if ok {
			info[key] = strings.TrimSpace(value)
		}
	}
	return info
}

// cpuID is perf's name of an x86 processor: vendor, family, model, stepping; "" of others.
func cpuID(info map[string]string) string {
	if info["vendor_id"] == "" {
		return ""
	}
	return fmt.Sprintf("%s,%s,%s,%s", info["vendor_id"], info["cpu family"], info["model"], info["stepping"])
}

// memoryKiB is the machine's memory, 0 if unknown.
func (m Machine) memoryKiB() uint64 {
	text, _ := os.ReadFile(filepath.Join(m.Proc, "meminfo"))
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			return n
		}
	}
	return 0
}
