package perfring

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenRefused(t *testing.T) {
	// No PMU has this type.
	a := &Attr{Type: math.MaxInt32, Config: 0xab}
	_, err := Open(a, 0, -1, nil)
	var refused *OpenError
	if !errors.As(err, &refused) || refused.Attr != *a || refused.CPU != -1 {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, refused.Errno) || !strings.Contains(err.Error(), "type 2147483647 config 0xab on pid 0 cpu -1: ") {
		t.Errorf("got %q", err)
	}
	if _, err := Open(&Attr{PreciseIP: 9}, 0, -1, nil); err == nil || errors.As(err, &refused) {
		t.Errorf("bad attributes: got %v", err)
	}
	// The kernel would take a closed leader for none.
	if _, err := Open(&Attr{}, 0, -1, &Event{fd: -1}); !errors.Is(err, unix.EBADF) {
		t.Errorf("closed leader: got %v", err)
	}
	if err := (&Event{}).SetOutput(&Event{fd: -1}); !errors.Is(err, unix.EBADF) {
		t.Errorf("closed output: got %v", err)
	}
}

func TestClosedEvent(t *testing.T) {
	e := open(t, &Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Flags: user}, -1, nil)
	if flags, err := unix.FcntlInt(uintptr(e.FD()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v, want close on exec", flags, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := e.ReadCount()
	_, mapErr := MapRing(e, 1)
	for _, err := range []error{e.Close(), e.Enable(), readErr, mapErr} {
		if !errors.Is(err, unix.EBADF) {
			t.Errorf("after close: got %v", err)
		}
	}
}

// file is an event whose reads give what f holds.
func file(t *testing.T, content []byte, format ReadFormat) *Event {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "count")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	return &Event{Attr: Attr{ReadFormat: format}, ID: 3, fd: int(f.Fd())}
}

func TestReadCount(t *testing.T) {
	words := func(w ...uint64) []byte { return encode(0, 0, w)[headerSize:] }
	const all = ReadTotalTimeEnabled | ReadTotalTimeRunning | ReadID | ReadLost
	for _, c := range []struct {
		format  ReadFormat
		content []byte
		want    Count
		err     string
	}{
		{0, words(1), Count{Value: 1}, ""},
		{all, words(1, 2, 3, 4, 5), Count{1, 2, 3, 4, 5}, ""},
		{ReadTotalTimeRunning | ReadLost, words(1, 2, 3), Count{Value: 1, Running: 2, Lost: 3}, ""},
		{0, nil, Count{}, ErrEventError.Error()},
		{all, words(1, 2, 3, 4), Count{}, "32 bytes do not match"},
		{ReadID, words(1, 2, 3), Count{}, "24 bytes do not match"},
		{ReadGroup, nil, Count{}, "format is a group's"},
	} {
		got, err := file(t, c.content, c.format).ReadCount()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("format %#x: got %+v, %v, want %+v, %q", uint64(c.format), got, err, c.want, c.err)
		}
	}
	for _, c := range []struct {
		format  ReadFormat
		content []byte
		want    []Count
		err     string
	}{
		{ReadGroup, words(2, 10, 20), []Count{{}, {Value: 10}, {Value: 20}}, ""},
		{ReadGroup | all, words(1, 2, 3, 10, 11, 12), []Count{{}, {10, 2, 3, 11, 12}}, ""},
		{ReadGroup, nil, []Count{{}}, ErrEventError.Error()},
		{ReadGroup, words(1<<60, 1, 2), []Count{{}}, "24 bytes do not match"},
		{ReadGroup, words(1, 1, 2), []Count{{}}, "24 bytes do not match"},
		{0, words(1), []Count{{}}, "format is not a group's"},
	} {
		got, err := file(t, c.content, c.format).ReadGroupCount(make([]Count, 1))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("group format %#x: got %v, want %q", uint64(c.format), err, c.err)
		}
		if len(got) != len(c.want) {
			t.Errorf("group format %#x: got %+v, want %+v", uint64(c.format), got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("group format %#x: member %d is %+v, want %+v", uint64(c.format), i, got[i], c.want[i])
			}
		}
	}
}

// A group can be larger than the first buffer: the kernel says ENOSPC.
func TestReadLargeGroup(t *testing.T) {
	a := &Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Flags: user,
		ReadFormat: ReadGroup | ReadID,
	}
	const n = 70
	leader := open(t, a, -1, nil)
	ids := []uint64{leader.ID}
	for range n - 1 {
		ids = append(ids, open(t, a, -1, leader).ID)
	}
	counts, err := leader.ReadGroupCount(nil)
	if err != nil || len(counts) != n {
		t.Fatalf("%d members, %v, want %d", len(counts), err, n)
	}
	for i, c := range counts {
		if c.ID != ids[i] {
			t.Errorf("member %d has id %d, want %d", i, c.ID, ids[i])
		}
	}
}

func TestScaled(t *testing.T) {
	for _, c := range []struct {
		count Count
		want  float64
		ok    bool
	}{
		{Count{Value: 10, Enabled: 100, Running: 100}, 10, true},
		{Count{Value: 10, Enabled: 100, Running: 25}, 40, true},
		{Count{Value: math.MaxUint64, Enabled: 1 << 62, Running: 1 << 61}, 2 * math.MaxUint64, true},
		{Count{Value: 0, Enabled: 100, Running: 50}, 0, true},
		{Count{Value: 10, Enabled: 100}, 0, false},
		{Count{}, 0, false},
	} {
		if got, ok := c.count.Scaled(); got != c.want || ok != c.ok {
			t.Errorf("%+v: got %v, %v, want %v, %v", c.count, got, ok, c.want, c.ok)
		}
	}
}
