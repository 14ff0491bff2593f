package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// command returns QEMU with a guest that has its console on standard input and
// output.
//
// Time in the guest is virtual, 8 ns an instruction, and passes at once where all
// CPUs are idle: a host under load changes nothing, no timer's tick is lost, and
// the readings of simulated counters are those of the guest's own clock. Only
// where a person waits does idle time take as long as it says.
func (i image) command(ctx context.Context, person bool) *exec.Cmd {
	icount := "shift=3,sleep=off"
	if person {
		icount = "shift=3"
	}
	program, machine, console := "qemu-system-x86_64", "q35", "ttyS0"
	if i.guest.arch == "arm64" {
		program, machine, console = "qemu-system-aarch64", "virt", "ttyAMA0"
	}
	share := filepath.Join(i.qemu, "usr/share")
	cmd := exec.CommandContext(ctx, filepath.Join(i.qemu, "usr/bin", program),
		"-L", share+"/qemu", "-L", share+"/seabios",
		"-M", machine, "-accel", "tcg,thread=single", "-icount", icount,
		"-cpu", i.guest.cpu, "-smp", i.guest.smp, "-m", "1024",
		"-display", "none", "-nodefaults", "-no-reboot",
		"-kernel", i.kernel, "-initrd", i.initramfs,
		"-append", "console="+console+" "+commandLine)
	for id, n := range i.guest.nodes {
		near := fmt.Sprintf("node,nodeid=%d,memdev=node%d", id, id)
		if n.cpus != "" {
			near += ",cpus=" + n.cpus
		}
		cmd.Args = append(cmd.Args, "-object", fmt.Sprintf("memory-backend-ram,id=node%d,size=%dM", id, n.mib), "-numa", near)
	}
	libraries := []string{filepath.Join(i.qemu, "usr/lib/x86_64-linux-gnu"), filepath.Join(i.qemu, "lib/x86_64-linux-gnu")}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a guest never outlives its harness
	cmd.WaitDelay = time.Second
	return cmd
}

// commandLine is the kernel's. What the kernel's own tests of its ciphers take
// is half of a boot, and repeated string operations (rep_good) are the slowest way to
// clear a page where each of their steps is an instruction.
const commandLine = "quiet panic=-1 oops=panic tsc=reliable no_timer_check cryptomgr.notests clearcpuid=rep_good"

var (
	errTimeLimit = errors.New("time limit")
	errBootLimit = errors.New("boot limit")
)

// bootLimit is what a guest may take to its first process, which is 5 s where
// nothing else runs.
const bootLimit = 90 * time.Second

// boot runs a guest to its end, its console going to log and to c, and returns
// the CPU time that it took on the host: what a run costs, whatever else runs.
func (i image) boot(ctx context.Context, o options, c *console, log io.Writer) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer time.AfterFunc(o.timeout, func() { cancel(errTimeLimit) }).Stop()
	boot := time.AfterFunc(o.boot, func() { cancel(errBootLimit) })
	defer boot.Stop()
	c.onUp = func() { boot.Stop() }
	cmd := i.command(ctx, false)
	cmd.Args = append(cmd.Args, "-serial", "stdio", "-monitor", "none")
	both := io.MultiWriter(log, c)
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	var cpu time.Duration
	if s := cmd.ProcessState; s != nil {
		cpu = s.UserTime() + s.SystemTime()
	}
	if context.Cause(ctx) != nil {
		return cpu, context.Cause(ctx)
	}
	if err != nil {
		return cpu, fmt.Errorf("QEMU: %w", err)
	}
	return cpu, nil
}

// shell boots a guest on the terminal.
func shell(ctx context.Context, i image) error {
	if err := i.list(nil); err != nil {
		return err
	}
	cmd := i.command(ctx, true)
	cmd.Args = append(cmd.Args, "-serial", "mon:stdio") // the monitor's Ctrl-A X ends QEMU
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("QEMU: %w", err)
	}
	return nil
}
