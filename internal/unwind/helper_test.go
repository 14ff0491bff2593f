package unwind

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// elfImage is what a file says of itself, read by the standard library.
func elfImage(t testing.TB, path string) Image {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return readELF(path, f)
}

func readELF(name string, f *elf.File) Image {
	img := Image{Name: name, Entry: f.Entry}
	if f.Machine == elf.EM_AARCH64 {
		img.Arch = ARM64
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			img.Text = append(img.Text, Range{p.Vaddr, p.Vaddr + p.Memsz})
		}
	}
	section := func(name string) Section {
		s := f.Section(name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			return Section{}
		}
		if s.Flags&elf.SHF_COMPRESSED != 0 {
			b, err := s.Data()
			if err != nil {
				return Section{}
			}
			return Section{s.Addr, uint64(len(b)), bytes.NewReader(b)}
		}
		return Section{s.Addr, s.Size, s.ReaderAt}
	}
	img.EHFrame, img.EHFrameHdr, img.DebugFrame = section(".eh_frame"), section(".eh_frame_hdr"), section(".debug_frame")
	if s := f.Section(".plt"); s != nil {
		img.PLT = Range{s.Addr, s.Addr + s.Size}
	}
	for _, name := range []string{".plt.sec", ".plt.got", ".iplt"} {
		if s := f.Section(name); s != nil {
			img.Stubs = append(img.Stubs, Range{s.Addr, s.Addr + s.Size})
		}
	}
	return img
}

// sectionBytes is a section's contents.
func sectionBytes(t testing.TB, s Section) []byte {
	t.Helper()
	if s.Data == nil {
		return nil
	}
	b := make([]byte, s.Size)
	if _, err := s.Data.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// installed is a file of the system's, by its usual name. Where it is missing the test is skipped, in CI it fails if need
// says so.
func installed(t testing.TB, need bool, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, _ := filepath.Glob(name); len(found) > 0 {
			return found[0]
		}
	}
	if need && os.Getenv("CI") == "true" {
		t.Fatalf("CI lacks %v", names)
	}
	t.Skipf("none of %v is installed", names)
	return ""
}

// built is where programs are that several tests read.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "unwind"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// goPrograms are programs with their debug information, by architecture.
var goPrograms = map[string]func() (string, error){
	"amd64": sync.OnceValues(func() (string, error) { return buildHello("amd64") }),
	"arm64": sync.OnceValues(func() (string, error) { return buildHello("arm64") }),
}

func buildHello(arch string) (string, error) {
	out := filepath.Join(built, "hello-"+arch)
	cmd := exec.Command("go", "build", "-o", out, "./testdata/hello")
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
}

func goProgram(t testing.TB, arch string) string {
	t.Helper()
	out, err := goPrograms[arch]()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// vdsoImage is the code that the kernel maps into this process.
func vdsoImage(t testing.TB) Image {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var start, limit int64
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &limit); err != nil || !strings.HasSuffix(line, " [vdso]\n") {
			continue
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			t.Fatal(err)
		}
		defer mem.Close()
		b := make([]byte, limit-start)
		if _, err := mem.ReadAt(b, start); err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return readELF("[vdso]", f)
	}
	t.Skip("no vdso is mapped")
	return Image{}
}
