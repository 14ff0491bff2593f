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
// Time in the guest is virtual, 8 ns an instruction: a host under load changes
// nothing, no timer's tick is lost, and the readings of simulated counters are
// those of the guest's own clock.
func (i image) command(ctx context.Context) *exec.Cmd {
	program, machine, console := "qemu-system-x86_64", "q35", "ttyS0"
	if i.guest.arch == "arm64" {
		program, machine, console = "qemu-system-aarch64", "virt", "ttyAMA0"
	}
	share := filepath.Join(i.qemu, "usr/share")
	cmd := exec.CommandContext(ctx, filepath.Join(i.qemu, "usr/bin", program),
		"-L", share+"/qemu", "-L", share+"/seabios", "-L", "/usr/lib/ipxe/qemu",
		"-M", machine, "-accel", "tcg,thread=single", "-icount", "shift=3",
		"-cpu", i.guest.cpu, "-smp", i.guest.smp, "-m", "1024",
		"-nographic", "-nodefaults", "-serial", "mon:stdio", "-no-reboot",
		"-kernel", i.kernel, "-initrd", i.initramfs,
		"-append", "console="+console+" quiet panic=-1 tsc=reliable no_timer_check")
	libraries := []string{filepath.Join(i.qemu, "usr/lib/x86_64-linux-gnu"), filepath.Join(i.qemu, "lib/x86_64-linux-gnu")}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a guest never outlives its harness
	cmd.WaitDelay = time.Second
	return cmd
}

var errTimeLimit = errors.New("time limit")

// boot runs a guest to its end and writes its console to w.
func (i image) boot(ctx context.Context, limit time.Duration, w io.Writer) error {
	bounded, cancel := context.WithTimeoutCause(ctx, limit, errTimeLimit)
	defer cancel()
	cmd := i.command(bounded)
	cmd.Args = swap(cmd.Args, "mon:stdio", "stdio") // no monitor: Ctrl-A is nobody's
	cmd.Args = append(cmd.Args, "-monitor", "none")
	cmd.Stdout, cmd.Stderr = w, w
	err := cmd.Run()
	if context.Cause(bounded) != nil {
		return context.Cause(bounded)
	}
	if err != nil {
		return fmt.Errorf("QEMU: %w", err)
	}
	return nil
}

func swap(args []string, from, to string) []string {
	for i, a := range args {
		if a == from {
			args[i] = to
		}
	}
	return args
}

// shell boots a guest on the terminal.
func shell(ctx context.Context, i image) error {
	if err := i.list(nil); err != nil {
		return err
	}
	fmt.Println("testbed: Ctrl-A X ends the guest")
	cmd := i.command(ctx)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("QEMU: %w", err)
	}
	return nil
}
