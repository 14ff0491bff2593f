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

// A signal that comes twice at once, as timeout(1) sends it, is one; another one is a
// second.
func TestSignalsEcho(t *testing.T) {
	second := make(chan os.Signal, 2)
	s, err := Catch(func(sig os.Signal) { second <- sig })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.in <- syscall.SIGTERM
	s.in <- syscall.SIGTERM
	s.in <- syscall.SIGINT
	if got := <-second; got != syscall.SIGINT {
		t.Errorf("%v is taken for a second wish to end, want the interrupt alone", got)
	}
}
