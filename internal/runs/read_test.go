package runs

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/report"
)

// What cannot be compared is refused with the name of the file and the reason.
func TestRefused(t *testing.T) {
	two := func(t *testing.T) string { return directory(t, manifest(), recording(), recording()) }
	of := func(change func(r *report.Recording)) func(t *testing.T) []string {
		return func(t *testing.T) []string {
			other := recording()
			change(other)
			return []string{directory(t, manifest(), recording(), other)}
		}
	}
	for name, test := range map[string]struct {
		paths func(t *testing.T) []string
		file  string // the base name in the error; "": that of the first path
		want  string
	}{
		"empty directory": {func(t *testing.T) []string { return []string{t.TempDir()} }, "", "an empty directory: it has no runs"},
		"other directory": {func(t *testing.T) []string {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "notes"), []byte("x"))
			return []string{dir}
		}, "", "not a directory of runs: it has no manifest.json"},
		"two sides": {func(t *testing.T) []string {
			dir := t.TempDir()
			for _, side := range []string{SideA, SideB} {
				if err := os.Mkdir(filepath.Join(dir, side), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			return []string{dir}
		}, "", "the runs of two commands: name "},
		"no run": {func(t *testing.T) []string { return []string{directory(t, manifest())} }, ManifestName, "it lists no run"},
		"missing profile": {func(t *testing.T) []string {
			dir := two(t)
			os.Remove(filepath.Join(dir, "run-002.pb.gz"))
			return []string{dir}
		}, "", "run 2 of 2 is missing: open "},
		"missing summary": {func(t *testing.T) []string {
			dir := two(t)
			os.Remove(filepath.Join(dir, "run-001.json"))
			return []string{dir}
		}, "", "run 1 of 2 is missing: open "},
		"truncated profile": {func(t *testing.T) []string {
			dir := two(t)
			if err := os.Truncate(filepath.Join(dir, "run-002.pb.gz"), 300); err != nil {
				t.Fatal(err)
			}
			return []string{dir}
		}, "run-002.pb.gz", "the file is cut off"},
		"empty profile": {func(t *testing.T) []string {
			dir := two(t)
			put(t, filepath.Join(dir, "run-001.pb.gz"), nil)
			return []string{dir}
		}, "run-001.pb.gz", "empty, not a profile"},
		"truncated summary": {func(t *testing.T) []string {
			dir := two(t)
			if err := os.Truncate(filepath.Join(dir, "run-001.json"), 100); err != nil {
				t.Fatal(err)
			}
			return []string{dir}
		}, "run-001.json", "the file is cut off: it ends within JSON"},
		"truncated manifest": {func(t *testing.T) []string {
			dir := two(t)
			if err := os.Truncate(filepath.Join(dir, ManifestName), 40); err != nil {
				t.Fatal(err)
			}
			return []string{dir}
		}, ManifestName, "not a manifest of runs: the file is cut off"},
		"later manifest": {func(t *testing.T) []string {
			dir := two(t)
			edit(t, dir, func(m map[string]any) { m["version"], m["machine"] = 2, "another form" })
			return []string{dir}
		}, ManifestName, "a manifest of version 2: this energyprof reads 1 at most"},
		"manifest without version": {func(t *testing.T) []string {
			dir := two(t)
			edit(t, dir, func(m map[string]any) { delete(m, "version") })
			return []string{dir}
		}, ManifestName, "it has no version"},
		"file elsewhere": {func(t *testing.T) []string {
			dir := two(t)
			edit(t, dir, func(m map[string]any) { m["runs"].([]any)[1].(map[string]any)["profile"] = "../x.pb.gz" })
			return []string{dir}
		}, ManifestName, `run 2: "../x.pb.gz" is no name of a file in the directory`},
		"file twice": {func(t *testing.T) []string {
			dir := two(t)
			edit(t, dir, func(m map[string]any) { m["runs"].([]any)[1].(map[string]any)["profile"] = "run-001.pb.gz" })
			return []string{dir}
		}, ManifestName, `run 2: "run-001.pb.gz" is a file of run 1 already`},
		"profile of another run": {func(t *testing.T) []string {
			r := recording()
			r.Data.Start = time.Unix(1700000000, 0)
			dir := directory(t, manifest(), recording(), r)
			edit(t, dir, func(m map[string]any) { m["runs"].([]any)[1].(map[string]any)["start"] = "2023-11-14T22:13:20.5Z" })
			return []string{dir}
		}, "run-002.pb.gz", "it began at 2023-11-14T22:13:20Z, and that one at 2023-11-14T22:13:20.5Z"},
		"all failed": {func(t *testing.T) []string {
			code := 3
			failed := recording()
			failed.Command.ExitCode = &code
			return []string{directory(t, manifest(), failed, failed)}
		}, ManifestName, "all 2 runs failed"},
		"other command": {of(func(r *report.Recording) { r.Command.Args = []string{"./other"} }), "run-002.pb.gz",
			`a run of another command: "./other", but `},
		"estimate among measurements": {of(func(r *report.Recording) { r.Data.Measured, r.Source = false, "model" }), "run-002.pb.gz",
			"it has estimated joules (energy_model), but "},
		"other source": {of(func(r *report.Recording) { r.Source = "powercap" }), "run-002.pb.gz", "its joules are from powercap, but those of "},
		"one without joules": {of(func(r *report.Recording) {
			r.Data.Columns = nil
			for i := range r.Data.Stacks {
				r.Data.Stacks[i].Joules = nil
			}
		}), "run-002.pb.gz", "it has no joules, but "},
		"profile and summary": {func(t *testing.T) []string {
			dir := two(t)
			return []string{filepath.Join(dir, "run-001.pb.gz"), filepath.Join(dir, "run-002.json")}
		}, "run-002.json", "summaries and profiles do not go together"},
		"directory among files": {func(t *testing.T) []string {
			dir := two(t)
			return []string{filepath.Join(dir, "run-001.pb.gz"), dir}
		}, "*", "a directory among several files"},
		"one file twice": {func(t *testing.T) []string {
			dir := two(t)
			path := filepath.Join(dir, "run-001.pb.gz")
			return []string{path, filepath.Dir(path) + "/./run-001.pb.gz"}
		}, "run-001.pb.gz", "named twice (as "},
		"manifest as a run": {func(t *testing.T) []string { return []string{filepath.Join(two(t), ManifestName)} }, ManifestName,
			"a manifest of runs: name its directory"},
		"other JSON": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "x.json")
			put(t, path, []byte(`{"version": 1}`))
			return []string{path}
		}, "x.json", "not a summary of a recording"},
		"later summary": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "x.json")
			put(t, path, []byte(`{"version": 2, "functions": {}}`))
			return []string{path}
		}, "x.json", "a summary of version 2: this energyprof reads 1 at most"},
		"text": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "x.txt")
			put(t, path, []byte("hello\n"))
			return []string{path}
		}, "x.txt", "not a pprof profile: "},
		"joules in another unit": {func(t *testing.T) []string { return []string{typed(t, "cpu/nanoseconds", "energy/millijoules")} }, "p.pb.gz",
			"energy is in millijoules, and is compared in microjoules alone"},
		"measured and estimated": {func(t *testing.T) []string {
			return []string{typed(t, "cpu/nanoseconds", "energy/microjoules", "energy_model/microjoules")}
		}, "p.pb.gz", "joules of a measurement and of an estimate in one profile"},
		"no CPU time": {func(t *testing.T) []string { return []string{typed(t, "alloc_space/bytes", "inuse_space/bytes")} }, "p.pb.gz",
			"it has no CPU time: there is alloc_space/bytes, inuse_space/bytes"},
		"CPU time twice": {func(t *testing.T) []string {
			return []string{typed(t, "cpu/nanoseconds", "cpu/nanoseconds")}
		}, "p.pb.gz", "cpu is there twice"},
		"a difference":    {func(t *testing.T) []string { return []string{sampled(t, 5, -5)} }, "p.pb.gz", "no profile of a run: a sample has -5 ns"},
		"beyond integers": {func(t *testing.T) []string { return []string{sampled(t, math.MaxInt64, 3)} }, "p.pb.gz", "its amounts add up to more than a profile can have"},
		"negative joules": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "s.json")
			put(t, path, []byte(`{"version":1,"source":{"name":"x","measured":true},"baseline_joules":0,"functions":[{"name":"f","cpu_seconds":1,"joules":-2},{"name":"g","cpu_seconds":1,"joules":5}]}`))
			return []string{path}
		}, "s.json", "function f has 1 s and -2 J"},
		"beyond numbers": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "s.json")
			put(t, path, []byte(`{"version":1,"source":{"name":"x","measured":true},"functions":[{"name":"f","cpu_seconds":1e308},{"name":"g","cpu_seconds":1e308}]}`))
			return []string{path}
		}, "s.json", "with +Inf s of CPU time"},
		"pipe": {func(t *testing.T) []string {
			path := filepath.Join(t.TempDir(), "pipe")
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{path}
		}, "pipe", "neither a file nor a directory of runs"},
	} {
		t.Run(name, func(t *testing.T) {
			paths := test.paths(t)
			_, err := Read(paths...)
			var invalid *Invalid
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want an Invalid with %q", err, test.want)
			}
			if test.file == "" {
				test.file = filepath.Base(paths[0])
			}
			if test.file != "*" && filepath.Base(invalid.Path) != test.file {
				t.Errorf("error %q is of %q, want %q", err, invalid.Path, test.file)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that there is no such file", err)
	}
}

// Runs that failed are left out, or kept where that was asked for.
func TestFailures(t *testing.T) {
	code := 3
	failed := recording()
	failed.Command.ExitCode = &code
	for _, test := range []struct {
		ignore bool
		runs   int
		want   string
	}{{false, 2, "the command failed in 1 of 3 runs, which are left out"}, {true, 3, "which are compared all the same"}} {
		s := read(t, directory(t, manifest(func(m *Manifest) { m.IgnoreFailures = test.ignore }), recording(), failed, recording()))
		if s.Len() != test.runs || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], test.want) {
			t.Errorf("ignore %v: %d runs, notes %q; want %d and %q", test.ignore, s.Len(), s.Notes, test.runs, test.want)
		}
	}
}

// What was chosen differently from run to run is said.
func TestMixedAttribution(t *testing.T) {
	other := recording()
	other.Attribution = report.Attribution{Method: "proportional"}
	s := read(t, directory(t, manifest(), recording(), other))
	want := []string{"joules were shared out by proportional in 1 and regression in 1 of the runs", "static power is fitted in 1 and none in 1 of the runs"}
	if len(s.Notes) != 2 || !strings.Contains(s.Notes[0], want[0]) || !strings.Contains(s.Notes[1], want[1]) {
		t.Errorf("notes %q, want %q", s.Notes, want)
	}
}

// Copies of a run are counted, and told of.
func TestCopies(t *testing.T) {
	r := recording()
	r.Data.Start = time.Unix(1700000000, 123456789)
	s, err := Read(directory(t, manifest(), r, r))
	if err != nil {
		t.Fatal(err)
	}
	want := "1 of 2 runs began in the same nanosecond as another one"
	if s.Len() != 2 || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], want) {
		t.Errorf("%d runs, notes %q, want 2 and %q", s.Len(), s.Notes, want)
	}
}

// Wherever a bench is cut off, the runs before it can be read.
func TestCutOff(t *testing.T) {
	for writes := range 4 {
		dir := t.TempDir()
		w, err := Create(dir, manifest(func(m *Manifest) { m.Planned = 3 }), plainWrite)
		if err != nil {
			t.Fatal(err)
		}
		left := writes
		w.write = func(path string, fill func(io.Writer) error) error {
			if left--; left < 0 {
				put(t, path+".part", []byte("{"))
				return errors.New("no space left")
			}
			return plainWrite(path, fill)
		}
		for range 3 {
			profile, summary := w.Next()
			write(t, recording(), profile, summary)
			if err := w.Add(Run{Elapsed: 1}); err != nil {
				break
			}
		}
		s, err := Read(dir)
		if writes == 0 {
			if err == nil || !strings.Contains(err.Error(), "it lists no run") {
				t.Errorf("nothing written: error %v, want that there is no run", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if cut := writes < 3; s.Len() != min(writes, 3) || cut != (len(s.Notes) == 1) {
			t.Errorf("%d manifests written: %d runs, notes %q", writes, s.Len(), s.Notes)
		}
	}
}

// A directory that has something is left alone.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "mine"), nil)
	if _, err := Create(dir, manifest(), plainWrite); err == nil || !strings.Contains(err.Error(), dir+" is not empty (it has mine)") {
		t.Errorf("error %v, want that %s is not empty", err, dir)
	}
}

// FuzzRead holds that no file makes Read panic, and that what it takes has finite amounts.
func FuzzRead(f *testing.F) {
	dir := directory(f, manifest(), recording())
	for _, name := range []string{"run-001.pb.gz", "run-001.json", ManifestName} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		put(t, path, data)
		if s, err := Read(path); err == nil {
			total := Match(s, s, Program).New[0].Total
			for _, v := range []float64{total.Seconds, total.Joules, total.Cycles} {
				if v < 0 || math.IsInf(v, 0) {
					t.Errorf("a total of %+v: no amounts", total)
				}
			}
		}
		put(t, filepath.Join(dir, ManifestName), data)
		if s, err := Read(dir); err == nil {
			t.Errorf("%d runs of a directory without any file of a run", s.Len())
		}
	})
}
