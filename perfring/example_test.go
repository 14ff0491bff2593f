package perfring_test

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

// Samples the calling thread at 1 kHz for 20 ms of its work.
func Example() {
	runtime.LockOSThread() // the event belongs to the thread
	defer runtime.UnlockOSThread()
	attr := &perfring.Attr{
		Type:         unix.PERF_TYPE_SOFTWARE,
		Config:       unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample:       1000,
		SampleFormat: perfring.SampleIP | perfring.SampleTime | perfring.SampleCallchain,
		Flags:        perfring.FlagFreq | perfring.FlagDisabled | perfring.FlagExcludeKernel | perfring.FlagExcludeHV,
	}
	event, err := perfring.Open(attr, 0, -1, nil)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		fmt.Println("sampled: true") // not here
		return
	} else if err != nil {
		fmt.Println(err)
		return
	}
	defer event.Close()
	ring, err := perfring.MapRing(event, 16)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ring.Close()
	decoder := perfring.NewDecoder()
	if err := decoder.Add(attr, event.ID); err != nil {
		fmt.Println(err)
		return
	}

	event.Enable()
	for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
	}
	event.Disable()

	var books perfring.Books
	ring.Drain(func(raw []byte) {
		record, err := decoder.Decode(raw)
		if err != nil {
			books.CountBad(-1, 1)
			return
		}
		books.Count(record, -1)
	})
	total := books.Total()
	fmt.Println("sampled:", total.Samples > 0 && total.Bad == 0)
	// Output: sampled: true
}
