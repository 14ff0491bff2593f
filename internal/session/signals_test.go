package session

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// A command that outlives its recording still gets the signals that are sent
// to the profiler.
func TestSignalAfterTheRecording(t *testing.T) {
	opt := options(t)
	opt.Command = []string{self(t)}
	opt.Duration = 100 * time.Millisecond
	t.Setenv(workerEnv, "1 10 0")
	_, result := run(t, opt)
	if !result.Running() {
		t.Fatal("the command has ended, want it to go on")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := result.Wait(); err != nil || *result.Exit != (Exit{Signal: syscall.SIGTERM}) {
		t.Errorf("%v, exit %+v, want the signal", err, result.Exit)
	}
}

// Signals that wait in the pipe when the loop ends are not forgotten.
func TestSignalsAreReleased(t *testing.T) {
	s, err := catchSignals(func(os.Signal) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.forwardOne(syscall.SIGUSR1)
	var got []syscall.Signal
	s.release(func(sig syscall.Signal) { got = append(got, sig) })
	s.forwardOne(syscall.SIGUSR2)
	if len(got) != 2 || got[0] != syscall.SIGUSR1 || got[1] != syscall.SIGUSR2 {
		t.Errorf("passed %v, want what waited and what came later", got)
	}
}
