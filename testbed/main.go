// Testbed runs tests inside virtual machines: stock Debian kernels under QEMU's
// software emulation, with the modules of testbed/modules in place of the
// hardware that a machine for development lacks.
//
//	go run ./testbed [-guests icx-6.1,...] [-run REGEXP] [-short] [-v]
//	go run ./testbed -shell icx-6.1
//
// Packages come from the Debian source that the host's apt has, into a cache;
// nothing is installed. README.md says what is where.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags of a run.
type options struct {
	guests  []guest
	run     string        // regular expression of the tests, as go test -run takes it
	short   bool          // shortTests, and the main guest alone
	verbose bool          // the tests' output also where they pass
	keep    bool          // consoles and initramfs stay
	shell   bool          // an interactive guest in place of tests
	jobs    int           // guests at a time
	refresh bool          // look for newer packages
	timeout time.Duration // of one boot with its tests
	boot    time.Duration // of a boot alone: bootLimit, but in tests
}

var (
	errFailed = errors.New("failed")
	errUnable = errors.New("the testbed cannot run here")
)

// exitUnable is the exit status where nothing ran for want of packages, programs
// or an amd64 host.
const exitUnable = 3

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(os.Stderr, "testbed:", err)
		}
		stop()
		if errors.Is(err, errUnable) {
			os.Exit(exitUnable)
		}
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	o := options{boot: bootLimit}
	f := flag.NewFlagSet("testbed", flag.ContinueOnError)
	names := f.String("guests", "", "guests to run, by comma, of "+strings.Join(guestNames(), ","))
	f.StringVar(&o.run, "run", "", "run the tests that match this regular expression")
	f.BoolVar(&o.short, "short", false, "the main guest alone, and a few tests of each kind")
	f.BoolVar(&o.verbose, "v", false, "show the output of tests that pass, too")
	f.BoolVar(&o.keep, "keep", false, "keep the consoles and the initramfs and say where they are")
	shell := f.String("shell", "", "boot this guest for a person instead of running tests")
	f.IntVar(&o.jobs, "j", 2, "guests that run at a time")
	f.BoolVar(&o.refresh, "refresh", false, "look for newer packages")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "time limit of a guest, by the clock on the wall")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("arguments are not understood: %q", f.Args())
	}
	if _, err := regexp.Compile(o.run); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	if o.jobs < 1 {
		return o, fmt.Errorf("-j %d: at least one guest runs", o.jobs)
	}
	list := strings.Split(*names, ",")
	switch {
	case *shell != "":
		list, o.shell = []string{*shell}, true
	case *names == "" && o.short:
		list = []string{mainGuest}
	case *names == "":
		list = guestNames()
	}
	for _, n := range list {
		g, ok := guestNamed(n)
		if !ok {
			return o, fmt.Errorf("no guest %q; there are %s", n, strings.Join(guestNames(), ", "))
		}
		if slices.ContainsFunc(o.guests, func(have guest) bool { return have.name == n }) {
			return o, fmt.Errorf("guest %s is named twice", n) // both would boot from one initramfs
		}
		o.guests = append(o.guests, g)
	}
	return o, nil
}

func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("%w: it needs Linux on amd64", errUnable)
	}
	repo, err := repository()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "energyprof-testbed-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Println("testbed: consoles and initramfs are in", work)
	} else {
		defer os.RemoveAll(work)
	}
	begun := time.Now()
	images, lock, err := prepare(ctx, repo, work, o)
	if err != nil {
		return err
	}
	defer lock.Close()
	fmt.Printf("testbed: guests are ready after %.1fs\n", time.Since(begun).Seconds())
	if o.shell {
		return shell(ctx, images[0])
	}
	return runAll(ctx, images, o, os.Stdout)
}

// repository returns the root of this module's checkout, at or above the
// working directory.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "testbed", "init.sh")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no checkout with testbed/init.sh at or above %s", dir)
		}
	}
}
