package session

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
)

// frameless looks for a binary whose code does not keep frame pointers.
type frameless struct {
	resolver *symbol.Resolver
	rules    *unwind.Rules
	seen     map[string]bool // paths, and devices with inodes
	looked   int             // binaries that told
	left     int             // how many may still be opened
}

// mostBinaries bounds the time that is spent on a system in which all keep frame pointers.
const mostBinaries = 400

func newFrameless(r *symbol.Resolver) *frameless {
	return &frameless{resolver: r, rules: unwind.NewRules(), seen: map[string]bool{}, left: mostBinaries}
}

// lacks tells whether the file of a mapping says of itself that it lacks frame pointers. One that cannot be read or says nothing does not.
func (f *frameless) lacks(m symbol.Mapping) bool {
	key := m.File
	if m.Inode != 0 {
		key = fmt.Sprint(m.Major, m.Minor, m.Inode)
	}
	if f.seen[key] || f.left == 0 {
		return false
	}
	f.seen[key] = true
	f.left--
	b, err := f.resolver.Open(m)
	if err != nil {
		return false
	}
	img, ok := unwind.ImageOf(b)
	if !ok {
		return false
	}
	keeps, err := unwind.KeepsFramePointers(unwind.NewModule(img, f.rules, 0))
	if err != nil {
		return false
	}
	f.looked++
	return !keeps
}

// processes gives the first binary mapped into one of the processes that lacks frame pointers, "" if there is none.
func (f *frameless) processes(proc string, pids []int) string {
	for _, pid := range pids {
		file, err := os.Open(filepath.Join(proc, strconv.Itoa(pid), "maps"))
		if err != nil {
			continue // it is gone, or another user's
		}
		name := f.mapped(pid, bufio.NewScanner(file))
		file.Close()
		if name != "" || f.left == 0 {
			return name
		}
	}
	return ""
}

func (f *frameless) mapped(pid int, lines *bufio.Scanner) string {
	for lines.Scan() {
		if m, ok := executableMapping(pid, lines.Text()); ok && f.lacks(m) {
			return m.File
		}
	}
	return ""
}

// executableMapping reads a line of /proc/PID/maps; false unless it is of code in a file.
func executableMapping(pid int, line string) (m symbol.Mapping, ok bool) {
	var access, file string
	m.PID = pid
	// "address perms offset dev inode pathname", proc_pid_maps(5). The name may have spaces.
	n, _ := fmt.Sscanf(line, "%x-%x %s %x %x:%x %d", &m.Start, &m.Limit, &access, &m.Offset, &m.Major, &m.Minor, &m.Inode)
	if at := strings.IndexByte(line, '/'); at >= 0 {
		file = line[at:]
	}
	m.File = file
	return m, n == 7 && len(access) > 2 && access[2] == 'x' && file != "" && m.Inode != 0
}

// command gives the first binary that a command is known to load which lacks frame pointers: those of the
// interpreters of scripts, too.
func (f *frameless) command(args []string, libraryPath string) string {
	name := args[0]
	for range maxInterpreters {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return ""
		}
		interpreter, isScript := scriptInterpreter(path)
		if !isScript {
			return f.program(path, libraryPath)
		}
		name = interpreter
	}
	return ""
}

// maxInterpreters is how often the kernel follows #! lines (exec_binprm in fs/exec.c).
const maxInterpreters = 5

// scriptInterpreter reads the #! line of a script. That of env is what env starts.
func scriptInterpreter(path string) (name string, ok bool) {
	const longest = 256 // BINPRM_BUF_SIZE
	file, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer file.Close()
	head := make([]byte, longest)
	n, _ := file.Read(head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return "", false
	}
	if filepath.Base(words[0]) == "env" {
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
				return w, true
			}
		}
	}
	return words[0], true
}

// program gives the first of a program, its dynamic linker and its libraries that lacks frame pointers.
func (f *frameless) program(path, libraryPath string) string {
	needed := newNeeded(path, libraryPath)
	for {
		path, ok := needed.next()
		if !ok {
			return ""
		}
		if f.lacks(symbol.Mapping{File: path}) {
			return path
		}
	}
}
