package perfring

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A sample is written as the kernel's header describes it, after what is there already. What a decoder makes of these
// bytes TestSampleProperty tells.
func TestAppendSampleProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := drawSampleAttr(rt)
		s := drawSample(rt, &a)
		s.Misc = rapid.Uint16().Draw(rt, "misc")
		if a.SampleFormat&SampleWeightStruct != 0 {
			s.Weight = 0 // the same word
		}
		got, err := a.AppendSample([]byte("before"), &s)
		if err != nil {
			rt.Fatal(err)
		}
		if want := append([]byte("before"), encodeSample(&a, &s)...); !bytes.Equal(got, want) {
			rt.Fatalf("format %#x, sample %+v:\n got %x\nwant %x", a.SampleFormat, s, got, want)
		}
	})
}

func TestAppendSampleRefuses(t *testing.T) {
	for _, c := range []struct {
		a     Attr
		s     Sample
		error string
		is    error
	}{
		{Attr{SampleFormat: SampleCallchain}, Sample{Callchain: make([]uint64, 1<<13)}, "65552 bytes", ErrTooLong},
		{Attr{SampleFormat: SampleRead}, Sample{}, "values: 0, want 1", ErrMalformed},
		{Attr{SampleFormat: SampleRaw}, Sample{RawData: make([]byte, 8)}, "raw bytes modulo 8: 0, want 4", ErrMalformed},
		{Attr{SampleFormat: SampleAux}, Sample{Aux: make([]byte, 3)}, "aux bytes modulo 8: 3, want 0", ErrMalformed},
		{Attr{SampleFormat: SampleRegsUser, RegsUser: 7}, Sample{UserRegsABI: 2, UserRegs: make([]uint64, 2)}, "user registers: 2, want 3", ErrMalformed},
		{Attr{SampleFormat: SampleRegsIntr}, Sample{IntrRegsABI: 0, IntrRegs: make([]uint64, 1)}, "interrupt registers: 1, want 0", ErrMalformed},
		{Attr{SampleFormat: SampleBranchStack, BranchFormat: unix.PERF_SAMPLE_BRANCH_COUNTERS}, Sample{Branches: make([]Branch, 1)}, "branch counters: 0, want 1", ErrMalformed},
	} {
		b, err := c.a.AppendSample([]byte("before"), &c.s)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.error) || string(b) != "before" {
			t.Errorf("%+v: got %q, %v, want an error with %q, and what was there before", c.a, b, err, c.error)
		}
	}
}
