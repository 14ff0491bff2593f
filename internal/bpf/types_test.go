package bpf

import (
	"bytes"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// TestKernelNeed: what is found is what a reader of the whole description finds.
func TestKernelNeed(t *testing.T) {
	if _, err := os.Stat(kernelBTF); err != nil {
		t.Skipf("the kernel does not describe its types: %v", err)
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	n, err := kernelNeed(spec)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range n.targets {
		all, err := kernel.AnyTypesByName(name)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, typ := range all {
			want, _ := kernel.TypeID(typ)
			found = found || want == id
		}
		if !found {
			t.Errorf("%s: id %d, which is another type", name, id)
		}
	}
	if len(n.targets) != 4 {
		t.Errorf("%d targets, want 4: %v", len(n.targets), n.targets)
	}
	var got, want *btf.Struct
	if err := n.spec.TypeByName("task_struct", &got); err != nil {
		t.Fatal(err)
	}
	if err := kernel.TypeByName("task_struct", &want); err != nil {
		t.Fatal(err)
	}
	offsets := map[string]btf.Bits{}
	for _, m := range want.Members {
		offsets[m.Name] = m.Offset
	}
	if got.Size != want.Size || len(got.Members) != 3 {
		t.Errorf("task_struct of %d bytes with %d members, want %d with 3", got.Size, len(got.Members), want.Size)
	}
	for _, m := range got.Members {
		if off, ok := offsets[m.Name]; !ok || off != m.Offset {
			t.Errorf("task_struct.%s at bit %d, want %d", m.Name, m.Offset, off)
		}
	}
}

// FuzzLook: a damaged description is an error, no panic.
func FuzzLook(f *testing.F) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		f.Fatal(err)
	}
	var structs []*btf.Struct
	var all []btf.Type
	for _, name := range []string{"task_struct", "pid", "upid"} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			f.Fatal(err)
		}
		structs, all = append(structs, s), append(all, s)
	}
	b, err := btf.NewBuilder(append(all, &btf.Typedef{Name: "btf_trace_x", Type: all[0]}), nil)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := look(raw, []string{"btf_trace_x"}, structs); err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		look(raw, []string{"btf_trace_x"}, structs)
	})
}
