package counting

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever comes late each time still learns what is ready: a signal, or the command's end.
func TestWaitSeesWhatIsReadyWhenLate(t *testing.T) {
	w, err := newWaiter()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC) // readable
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := w.add(fd); err != nil {
		t.Fatal(err)
	}
	const second = int64(1e9)
	ready, err := w.wait(monotonic() - second)
	if err != nil || len(ready) != 1 || ready[0] != fd {
		t.Errorf("%v, %v: want file %d though the time is past", ready, err, fd)
	}
	if _, err := unix.Read(fd, make([]byte, 8)); err != nil { // no longer readable
		t.Fatal(err)
	}
	if ready, err := w.wait(monotonic() - second); err != nil || len(ready) != 0 {
		t.Errorf("%v, %v: want nothing", ready, err)
	}
}
