package unwind

import "testing"

// Outcomes survive as addresses, which are none of code, and no context marker of a callchain.
func TestOutcomeAddresses(t *testing.T) {
	for o := range outcomes {
		a := o.Address()
		if got, ok := OutcomeOf(a); !ok || got != o {
			t.Errorf("outcome of %#x: %v, %v, want %v", a, got, ok, o)
		}
		if a < 1<<57 || a >= 1<<63 {
			t.Errorf("%v is at %#x, which may be an address", o, a)
		}
		if o.String() == "" {
			t.Errorf("outcome %d has no name", o)
		}
		if o.Failed() != (o != Complete && o != Truncated && o != Deep) {
			t.Errorf("%v: failed is %v", o, o.Failed())
		}
	}
	for _, a := range []uint64{0, 0x401000, 0x7ffc_0000_0000, outcomeBase - 1, outcomes.Address(), 0xffff_ffff_ffff_fe00, 0xffff_8000_0000_0000} {
		if o, ok := OutcomeOf(a); ok {
			t.Errorf("%#x is %v, want none", a, o)
		}
	}
}
