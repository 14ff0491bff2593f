package runs

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Writer fills a directory of runs. The manifest is there from the beginning and is replaced by rename after each run,
// so that the directory is readable at any time.
type Writer struct {
	dir      string
	write    WriteFile
	Manifest Manifest
}

// WriteFile writes a file with fill; it appears under its name only when it is complete.
type WriteFile func(path string, fill func(io.Writer) error) error

// Create begins a directory, which must be there and be empty. The manifest is without runs; its Version is set.
func Create(dir string, m Manifest, write WriteFile) (*Writer, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty (it has %s): runs of one bench are in a directory of their own", dir, entries[0].Name())
	}
	m.Version, m.Runs = Version, []Run{}
	w := &Writer{dir: dir, write: write, Manifest: m}
	return w, w.save()
}

// Next names the files of the next run, below the directory.
func (w *Writer) Next() (profile, summary string) {
	name := filepath.Join(w.dir, fmt.Sprintf("run-%03d", len(w.Manifest.Runs)+1))
	return name + ".pb.gz", name + ".json"
}

// Add adds the run whose files Next named, which are written.
func (w *Writer) Add(run Run) error {
	profile, summary := w.Next()
	run.Profile, run.Summary = filepath.Base(profile), filepath.Base(summary)
	w.Manifest.Runs = append(w.Manifest.Runs, run)
	return w.save()
}

func (w *Writer) save() error {
	return w.write(filepath.Join(w.dir, ManifestName), func(out io.Writer) error {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(&w.Manifest)
	})
}
