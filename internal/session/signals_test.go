package session

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/launch"
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
	if err := result.Wait(); err != nil || *result.Exit != (launch.Exit{Signal: syscall.SIGTERM}) {
		t.Errorf("%v, exit %+v, want the signal", err, result.Exit)
	}
}
