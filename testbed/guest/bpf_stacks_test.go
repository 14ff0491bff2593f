package guest

import (
	"testing"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/unwind"
)

// The program that walks stacks is accepted by the verifier of every kernel, beside the account of who runs, and its tables can be written.
// What its walks give is tested in internal/bpf.
func TestStacksLoad(t *testing.T) {
	a, err := bpf.New()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s, err := bpf.NewStacks(bpf.StackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rules := unwind.NewRules().List()
	if err := s.SetRules(rules); err != nil {
		t.Error(err)
	}
	if err := s.Load(1, 0, unwind.Chunk{{Rule: unwind.RuleFramePointer}}); err != nil {
		t.Error(err)
	}
	key := bpf.SpaceKey{MM: 1, TGID: 1}
	if err := s.SetSpace(key, []bpf.StackMapping{{Start: 0x1000, Limit: 0x2000, Module: 1}}); err != nil {
		t.Error(err)
	}
	s.Drop(key)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
