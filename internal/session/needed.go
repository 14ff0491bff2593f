package session

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// needed lists the files of a program: itself, its dynamic linker, and the libraries that it or one of
// these needs, as ld.so(8) finds them. A library that is not found is left out.
type needed struct {
	queue []string
	known map[string]bool
	dirs  []string // where the system has libraries
	first []string // LD_LIBRARY_PATH
}

// maxNeeded is more than any program needs.
const maxNeeded = 1000

func newNeeded(path, libraryPath string) *needed {
	n := &needed{known: map[string]bool{}, dirs: systemDirs("/etc/ld.so.conf")}
	n.first = strings.FieldsFunc(libraryPath, func(r rune) bool { return r == ':' || r == ';' })
	n.add(path)
	return n
}

func (n *needed) add(path string) {
	if !n.known[path] && len(n.known) < maxNeeded {
		n.known[path] = true
		n.queue = append(n.queue, path)
	}
}

// next gives the next file, and queues what that needs.
func (n *needed) next() (path string, ok bool) {
	if len(n.queue) == 0 {
		return "", false
	}
	path, n.queue = n.queue[0], n.queue[1:]
	file, err := elf.Open(path)
	if err != nil {
		return path, true
	}
	defer file.Close()
	for _, p := range file.Progs {
		const longest = 4096
		if p.Type != elf.PT_INTERP || p.Filesz == 0 || p.Filesz > longest {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err == nil {
			n.add(strings.TrimRight(string(name), "\x00"))
		}
	}
	libraries, _ := file.ImportedLibraries()
	own := runPath(file, path)
	for _, name := range libraries {
		if found := n.find(name, file.FileHeader, own); found != "" {
			n.add(found)
		}
	}
	return path, true
}

// runPath is where a file says that its libraries are. $LIB and $PLATFORM are not known here.
func runPath(file *elf.File, path string) (dirs []string) {
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, _ := file.DynString(tag)
		for _, value := range values {
			for dir := range strings.SplitSeq(value, ":") {
				dir = strings.NewReplacer("${ORIGIN}", filepath.Dir(path), "$ORIGIN", filepath.Dir(path)).Replace(dir)
				if dir != "" && !strings.Contains(dir, "$") {
					dirs = append(dirs, dir)
				}
			}
		}
	}
	return dirs
}

// find finds a library for the same kind of machine.
func (n *needed) find(name string, of elf.FileHeader, own []string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dirs := range [][]string{own, n.first, n.dirs} {
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			file, err := elf.Open(path)
			if err != nil {
				continue
			}
			same := file.Machine == of.Machine && file.Class == of.Class
			file.Close()
			if same {
				return path
			}
		}
	}
	return ""
}

// systemDirs are the directories of ld.so.conf, the files that it includes, and those that are always looked at.
func systemDirs(conf string) []string {
	var dirs []string
	files := []string{conf}
	for at := 0; at < len(files) && at < maxNeeded; at++ {
		text, err := os.ReadFile(files[at])
		if err != nil || slices.Contains(files[:at], files[at]) {
			continue
		}
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			if pattern, ok := strings.CutPrefix(line, "include "); ok {
				pattern = strings.TrimSpace(pattern)
				if !filepath.IsAbs(pattern) {
					pattern = filepath.Join(filepath.Dir(conf), pattern)
				}
				found, _ := filepath.Glob(pattern)
				files = append(files, found...)
			} else if filepath.IsAbs(line) {
				dirs = append(dirs, line)
			}
		}
	}
	return append(dirs, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
}
