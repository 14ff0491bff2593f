package collect

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// existing reads a running process from /proc: names, threads and executable mappings.
func (t *table) existing(pid uint32) error {
	if p := t.processes[pid]; p != nil && p.exited {
		delete(t.processes, pid) // the number is used again
	}
	p := t.process(pid)
	if t.first == nil {
		t.first = p
	}
	if t.proc == "" {
		p.known = true // as far as the records tell
		return nil
	}
	return t.read(p)
}

// load reads a process of which no record told, once. It may be gone: then little is known of it.
func (t *table) load(p *process) {
	if p.known {
		return
	}
	p.known = true
	if t.proc != "" && t.processes[p.pid] == p { // else /proc shows the program after it
		t.read(p)
	}
}

func (t *table) read(p *process) error {
	p.known = true
	name, err := readComm(t.proc, p.pid, p.pid)
	if err != nil {
		return err
	}
	t.named(p.pid, p.pid, name)
	dir := filepath.Join(t.proc, strconv.FormatUint(uint64(p.pid), 10))
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return err
	}
	for _, e := range tasks {
		tid, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil {
			continue
		}
		if name, err := readComm(t.proc, p.pid, uint32(tid)); err == nil {
			t.named(p.pid, uint32(tid), name)
		}
	}
	maps, err := os.ReadFile(filepath.Join(dir, "maps"))
	if err != nil {
		return err
	}
	// With its first thread the process itself seems to have ended. The other threads tell what is mapped.
	for _, e := range tasks {
		if len(maps) > 0 {
			break
		}
		thread := filepath.Join(dir, "task", e.Name())
		if text, err := os.ReadFile(filepath.Join(thread, "maps")); err == nil && len(text) > 0 {
			maps, dir = text, thread
		}
	}
	all, err := parseMaps(maps)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, "maps"), err)
	}
	exe, _ := os.Readlink(filepath.Join(dir, "exe")) // not for kernel threads
	for _, program := range []bool{true, false} {    // the first file that is mapped is the program
		for _, m := range all {
			if (m.image.Value().file == exe) == program {
				t.insert(p, m)
				t.tell(m.record(p.pid))
			}
		}
	}
	return nil
}

// parseMaps reads the executable mappings of /proc/PID/maps (proc(5)).
func parseMaps(text []byte) ([]*mapping, error) {
	var all []*mapping
	number := 0
	for line := range bytes.Lines(text) {
		number++
		m, i, exec, err := parseMapsLine(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if exec {
			m.image = intern(i)
			all = append(all, m)
		}
	}
	return all, nil
}

// parseMapsLine reads `start-limit perms offset major:minor inode   path`, where a line feed in
// the path is written \012.
func parseMapsLine(line string) (m *mapping, i image, exec bool, err error) {
	bad := func(what string) (*mapping, image, bool, error) {
		return nil, image{}, false, fmt.Errorf("%s in %.100q", what, line)
	}
	var fields [5]string
	rest := line
	for k := range fields {
		var ok bool
		if fields[k], rest, ok = strings.Cut(rest, " "); !ok && k < len(fields)-1 {
			return bad("too few fields")
		}
	}
	m = &mapping{}
	start, limit, ok := strings.Cut(fields[0], "-")
	if m.start, err = strconv.ParseUint(start, 16, 64); err != nil || !ok {
		return bad("no address range")
	}
	if m.limit, err = strconv.ParseUint(limit, 16, 64); err != nil || m.limit <= m.start {
		return bad("no address range")
	}
	if len(fields[1]) != 4 {
		return bad("no permissions")
	}
	if m.offset, err = strconv.ParseUint(fields[2], 16, 64); err != nil {
		return bad("no offset")
	}
	major, minor, _ := strings.Cut(fields[3], ":")
	for _, n := range []struct {
		text string
		to   *uint32
	}{{major, &i.major}, {minor, &i.minor}} {
		v, err := strconv.ParseUint(n.text, 16, 32)
		if err != nil {
			return bad("no device")
		}
		*n.to = uint32(v)
	}
	if i.inode, err = strconv.ParseUint(fields[4], 10, 64); err != nil {
		return bad("no inode")
	}
	i.file = strings.ReplaceAll(strings.TrimLeft(rest, " "), `\012`, "\n")
	return m, i, fields[1][2] == 'x', nil
}

func readComm(proc string, pid, tid uint32) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("%s/%d/task/%d/comm", proc, pid, tid))
	return strings.TrimSuffix(string(b), "\n"), err
}

// readUID returns the effective user of a process, who owns the files that it writes.
func readUID(proc string, pid uint32) (uint32, error) {
	path := fmt.Sprintf("%s/%d/status", proc, pid)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if f := strings.Fields(ids); len(f) >= 2 {
				uid, err := strconv.ParseUint(f[1], 10, 32)
				return uint32(uid), err
			}
		}
	}
	return 0, fmt.Errorf("%s: no Uid", path)
}

func readNumber(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}
