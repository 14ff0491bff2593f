package symbol

import (
	"debug/elf"
	"path/filepath"
	"testing"
)

// TestChosenPLT: stubs of functions that are chosen when the program starts, which have no name but that of the function that chooses. objdump
// names them by its address ("*ABS*+0x1139@plt").
func TestChosenPLT(t *testing.T) {
	need(t, "gcc")
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "prog.c"), `static int one(int x) { return x + 1; }
static int (*choose(void))(int) { return one; }
int chosen(int) __attribute__((ifunc("choose")));
int main(int argc, char **argv) { return chosen(argc) + chosen(argc + 1); }
`)
	for _, flags := range [][]string{{"-no-pie"}, {"-static"}, {"-fPIE", "-pie", "-Wl,-z,now"}} {
		bin := filepath.Join(dir, "prog")
		run(t, append(append([]string{"gcc", "-O1"}, flags...), "-o", bin, src)...)
		f, err := elf.Open(bin)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var stubs []uint64
		for _, name := range []string{".plt", ".plt.got", ".plt.sec", ".iplt"} {
			if s := f.Section(name); s != nil {
				for at := uint64(0); at < s.Size; at += 8 {
					stubs = append(stubs, s.Offset+at)
				}
			}
		}
		found := 0
		b := open(t, bin)
		for _, frames := range b.Resolve(stubs) {
			if len(frames) == 1 && frames[0].Function == "chosen@plt" {
				found++
			}
		}
		if found == 0 || b.Err() != nil {
			t.Errorf("%v: none of %d pieces of stubs is chosen@plt (%v)", flags, len(stubs), b.Err())
		}
	}
}
