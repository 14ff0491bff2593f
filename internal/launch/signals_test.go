package launch

import (
	"os"
	"syscall"
	"testing"
)

// Signals that wait in the pipe when the loop ends are not forgotten.
func TestSignalsAreReleased(t *testing.T) {
	s, err := Catch(func(os.Signal) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.forwardOne(syscall.SIGUSR1)
	var got []syscall.Signal
	s.Release(func(sig syscall.Signal) { got = append(got, sig) })
	s.forwardOne(syscall.SIGUSR2)
	if len(got) != 2 || got[0] != syscall.SIGUSR1 || got[1] != syscall.SIGUSR2 {
		t.Errorf("passed %v, want what waited and what came later", got)
	}
}
