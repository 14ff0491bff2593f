package counting

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Holder is a process that has perf events open, or the registers of CPUs.
type Holder struct {
	PID    int
	Comm   string
	Events int  // open perf events
	MSR    bool // has /dev/cpu/N/msr open, as PCM and turbostat do
}

// Holders lists the processes, other than this one, that may hold a PMU, in order of pid: those that
// this user may look into. /proc says who has perf events open, but not which
// (proc_pid_fdinfo(5) has nothing of perf). proc "" is "/proc".
func Holders(proc string) []Holder {
	proc = cmp.Or(proc, "/proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []Holder
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		h := Holder{PID: pid}
		files, _ := os.ReadDir(filepath.Join(dir, "fd")) // another user's, or it has just ended
		for _, f := range files {
			target, _ := os.Readlink(filepath.Join(dir, "fd", f.Name()))
			if target == "anon_inode:[perf_event]" {
				h.Events++
			}
			h.MSR = h.MSR || strings.HasPrefix(target, "/dev/cpu/") && strings.HasSuffix(target, "/msr")
		}
		if h.Events == 0 && !h.MSR {
			continue
		}
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		h.Comm = strings.TrimSuffix(string(comm), "\n")
		found = append(found, h)
	}
	slices.SortFunc(found, func(a, b Holder) int { return a.PID - b.PID })
	return found
}
