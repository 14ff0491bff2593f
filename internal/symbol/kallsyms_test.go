package symbol

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kallsymsText = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 t early_helper
ffffffff81000200 T __cpuidle_text_start
ffffffff81000200 t default_idle
ffffffff81000240 T pv_native_safe_halt
ffffffff81000260 T __cpuidle_text_end
ffffffff81000260 T busy_function
ffffffff81000300 T do_idle
ffffffff81000340 W weak_one
ffffffff81000340 t local_one
ffffffff81000400 D some_data
ffffffffc0000000 t module_func	[some_module]
ffffffffc0000080 t intel_idle_ibrs.constprop.0	[some_module]
`

func kernelOf(t *testing.T, text string) (*Binary, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "proc/kallsyms"), text)
	notes := "\x04\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00Xen\x00\x01\x02\x03\x04" +
		"\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00\xde\xad\xbe\xef"
	write(t, filepath.Join(dir, "sys/kernel/notes"), notes)
	return New(Options{Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys")}).Kernel()
}

func TestKernel(t *testing.T) {
	b, err := kernelOf(t, kallsymsText)
	if err != nil {
		t.Fatal(err)
	}
	if b.BuildID != "deadbeef" || b.Path != KernelPath {
		t.Errorf("build id %q, path %q", b.BuildID, b.Path)
	}
	addrs := []uint64{0x10, 0xffffffff81000010, 0xffffffff81000100, 0xffffffff810001ff, 0xffffffff81000350, 0xffffffff81000200,
		0xffffffff81000410, 0xffffffffc0000010, 0xffffffffc0000090, ^uint64(0)}
	want := []string{"", "stext", "early_helper", "early_helper", "weak_one", "default_idle", "", "module_func", "intel_idle_ibrs.constprop.0", ""}
	want[1] = "_stext" // as many underscores as _text, and longer
	for i, frames := range b.Resolve(addrs) {
		got := ""
		if len(frames) > 0 {
			got = frames[0].Function
		}
		if got != want[i] {
			t.Errorf("%#x: %q, want %q", addrs[i], got, want[i])
		}
	}
	ranges := b.IdleRanges()
	wantRanges := []Range{
		{0xffffffff81000200, 0xffffffff81000260},
		{0xffffffff81000300, 0xffffffff81000340},
		{0xffffffffc0000080, 0xffffffffc0000080 + maxKernelFunction},
	}
	if len(ranges) != len(wantRanges) {
		t.Fatalf("idle ranges %x, want %x", ranges, wantRanges)
	}
	for i := range ranges {
		if ranges[i] != wantRanges[i] {
			t.Errorf("idle range %d: %x, want %x", i, ranges[i], wantRanges[i])
		}
	}
}

func TestKernelErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       error
		message    string
	}{
		{"hidden", "0000000000000000 T _text\n0000000000000000 t foo\t[bar]\n", ErrHidden, "hidden"},
		{"empty", "", ErrHidden, "hidden"},
		{"damaged", "ffffffff81000000 T _text\nnonsense\n", nil, "line 2"},
		{"cut", "ffffffff81000000 T", nil, "line 1"},
	} {
		_, err := kernelOf(t, tt.text)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.message) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.message)
		}
	}
	if _, err := New(Options{Proc: t.TempDir()}).Kernel(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no kallsyms: %v", err)
	}
}

// TestKernelLive: every function of the running kernel is found at its own
// address, under a name that the kernel lists for it.
func TestKernelLive(t *testing.T) {
	b, err := New(Options{}).Kernel()
	if errors.Is(err, ErrHidden) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		t.Skipf("this user or kernel shows no kernel addresses: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	at := map[uint64][]string{}
	var addrs []uint64
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		addr, _ := hexPrefix([]byte(fields[0]))
		if len(addrs) < 20000 && strings.ContainsAny(fields[1], "tT") && at[addr] == nil {
			addrs = append(addrs, addr)
		}
		at[addr] = append(at[addr], fields[2])
	}
	for i, frames := range b.Resolve(addrs) {
		if len(frames) == 0 {
			t.Fatalf("%#x: no name, want one of %v", addrs[i], at[addrs[i]])
		}
		if !strings.Contains(" "+strings.Join(at[addrs[i]], " ")+" ", " "+frames[0].SystemName+" ") {
			t.Fatalf("%#x: %q, want one of %v", addrs[i], frames[0].SystemName, at[addrs[i]])
		}
	}
	if b.BuildID == "" {
		t.Error("the kernel has no build id")
	}
	if len(b.IdleRanges()) == 0 {
		t.Error("the kernel has no idle functions")
	}
}
