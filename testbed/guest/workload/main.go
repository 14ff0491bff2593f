// Workload is what the guests' tests record: threads that run functions of
// known watts in bursts, in a pseudo-random order, with naps between them.
//
// It tells the simulated counter (/dev/simrapl) which function a thread is in, and
// what it draws, so that the module's books have the true joules of each function; and
// the simulated PMU (/dev/simpmu) which memory it walks.
// It makes little noise: no garbage collection, no clock in the loops, no
// preemption, and sleeps that the Go scheduler does not see.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// span is a range of durations, "20ms-120ms" or "20ms" alone.
type span struct{ least, most time.Duration }

func (s span) String() string { return s.least.String() + "-" + s.most.String() }

func (s *span) Set(text string) (err error) {
	least, most, ranges := strings.Cut(text, "-")
	if s.least, err = time.ParseDuration(least); err != nil {
		return err
	}
	s.most = s.least
	if ranges {
		s.most, err = time.ParseDuration(most)
	}
	return err
}

// draw picks one of the span.
func (s span) draw(r *rand.Rand) time.Duration {
	if s.most <= s.least {
		return s.least
	}
	return s.least + time.Duration(r.Int64N(int64(s.most-s.least)))
}

// plan is what each thread does.
type plan struct {
	functions []function
	burst     span // how long one function runs
	nap       span // how long a nap takes
	naps      float64
	realtime  bool          // nobody preempts a thread
	mute      bool          // tells the counter nothing
	counter   int           // its file
	pmu       int           // that of the simulated PMU
	each      bool          // a thread runs one function, the next thread the next
	end       time.Duration // since start
}

func main() {
	p := plan{
		counter: -1,
		pmu:     -1,
		burst:   span{20 * time.Millisecond, 120 * time.Millisecond},
		nap:     span{20 * time.Millisecond, 120 * time.Millisecond},
	}
	flag.Usage = usage
	threads := flag.Int("threads", 2, "threads, each locked to one of the kernel")
	seconds := flag.Float64("seconds", 20, "how long they run")
	functions := flag.String("functions", "parse=3000,hash=7000,sort=12000,encode=20000", "`NAME=MILLIWATTS[:DRAM_MILLIWATTS[:LEVEL[:PACKAGE[:LINES]]]],...` of parse, hash, sort, encode, stream and lookup; "+
		"with a LEVEL, or \"line\" for that of each line, the simulated PMU is told of memory of its own, and of LINES that memory controllers move each ms")
	flag.Var(&p.burst, "burst", "how long a function runs at a time, `MIN-MAX`")
	flag.Var(&p.nap, "nap", "how long a nap takes, `MIN-MAX`")
	flag.Float64Var(&p.naps, "naps", 1, "share of bursts that a nap follows; with 0 they are always busy")
	flag.BoolVar(&p.realtime, "realtime", false, "threads run at a real-time priority: nobody preempts them")
	flag.BoolVar(&p.mute, "mute", false, "do not tell the counter anything, for guests that have none")
	flag.BoolVar(&p.each, "each", false, "a thread runs one function: the first thread the first, and so on")
	flag.Parse()
	if flag.NArg() > 0 {
		fail(2, fmt.Errorf("%q is no flag", flag.Arg(0)))
	}
	if err := withoutPreemption(); err != nil {
		fail(1, err)
	}
	var err error
	if p.functions, err = parseFunctions(*functions); err != nil {
		fail(2, err)
	}
	if !p.mute {
		if p.counter, err = openCounter(); err != nil {
			fail(1, err)
		}
	}
	if slices.ContainsFunc(p.functions, func(f function) bool { return f.walk != nil }) {
		if p.pmu, err = openPMU(); err != nil {
			fail(1, err)
		}
	}
	if err := p.calibrate(); err != nil {
		fail(1, err)
	}
	p.end = now() + time.Duration(*seconds*float64(time.Second))
	if err := p.run(*threads); err != nil {
		fail(1, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintf(os.Stderr, "workload: %v\n", err)
	os.Exit(code)
}

func usage() {
	fmt.Fprint(os.Stderr, `usage: workload [flags]

Runs functions of known watts in bursts. Some forms:

  workload                                    four functions of 3 to 20 W on two threads, 20 s
  workload -functions parse=5000 -naps 0      one constant function
  workload -functions parse=0 -naps 0 -mute   burn, in a guest without the simulated counter
  workload -each -naps 0 -functions stream=3000:4000:5,lookup=3000:0:3
                                              one thread walks memory, the other one a cache
  workload -burst 0 -naps 1                   threads that sleep, all the time

`)
	flag.PrintDefaults()
}

func (p *plan) run(threads int) error {
	debug.SetGCPercent(-1)
	errs := make([]error, threads)
	var all sync.WaitGroup
	for i := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			errs[i] = p.thread(i)
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("thread %d: %w", i, err)
		}
	}
	return nil
}

// thread runs bursts until the time is over.
func (p *plan) thread(i int) error {
	policy := uint32(unix.SCHED_NORMAL)
	if p.realtime {
		policy = unix.SCHED_FIFO
	}
	if err := schedule(policy); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, uint64(i))) // the same order in each run
	for now() < p.end {
		n := i
		if !p.each {
			n = r.IntN(len(p.functions))
		}
		f := &p.functions[n%len(p.functions)]
		if d := p.burst.draw(r); d > 0 {
			if errno := p.once(f, int(d.Seconds()*f.rate)); errno != 0 {
				return fmt.Errorf("telling %q, %q: %w", f.enter, f.walk, errno)
			}
		}
		if r.Float64() < p.naps {
			sleep(p.nap.draw(r))
		}
	}
	return nil
}

var start = time.Now()

// now is a time that costs no system call.
func now() time.Duration { return time.Since(start) }
