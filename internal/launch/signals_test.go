package launch

import (
	"os"
	"syscall"
	"testing"
	"time"
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

// timeout(1) signals its child twice, a person who asks again takes longer.
func TestSignalTwice(t *testing.T) {
	first := end{syscall.SIGINT, time.Unix(1000, 0)}
	for _, test := range []struct {
		sig   syscall.Signal
		after time.Duration
		want  bool
	}{
		{syscall.SIGINT, 0, true},
		{syscall.SIGINT, time.Millisecond, true},
		{syscall.SIGINT, 150 * time.Millisecond, false},
		{syscall.SIGTERM, time.Millisecond, false},
	} {
		if got := first.echoes(end{test.sig, first.at.Add(test.after)}); got != test.want {
			t.Errorf("%v after %v: %v, want %v", test.sig, test.after, got, test.want)
		}
	}
	seconds := make(chan os.Signal, 10)
	s, err := Catch(func(sig os.Signal) { seconds <- sig })
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGTERM} {
		s.in <- sig
	}
	if got := <-seconds; got != syscall.SIGTERM {
		t.Errorf("%v was the second signal, want the one that was not the first once more", got)
	}
	s.Close()
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
