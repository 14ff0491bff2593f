package runs

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The manifest is as documented, and the schema refuses what a reader could not rely on.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	code, first := 0, true
	whole := func() Manifest {
		return manifest(func(m *Manifest) {
			m.Version = Version
			m.Machine.Virtualization = "kvm"
			m.Attribution = Attribution{Method: "auto", Baseline: "measure", Weight: "cycles", MeasuredWatts: []float64{3}}
			m.Pair = &Pair{Side: SideA, Other: []string{"b"}, Seed: 1<<64 - 1}
			m.IgnoreFailures = true
			m.Runs = []Run{{Profile: "p", Summary: "s", Elapsed: 1, ExitCode: &code, First: &first}, {Profile: "p2", Summary: "s2", Signal: "SIGTERM"}, {Profile: "p3", Summary: "s3"}}
		})
	}
	validate := func(m Manifest) error {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	least := Manifest{Version: Version, Source: Source{Name: "none"}, Attribution: Attribution{Method: "auto", Baseline: "auto"}, Command: []string{"x"}, Planned: 1, Runs: []Run{}}
	for name, m := range map[string]Manifest{"all": whole(), "the least": least} {
		if err := validate(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoil := range map[string]func(m *Manifest){
		"another version":       func(m *Manifest) { m.Version = 2 },
		"both ends of a run":    func(m *Manifest) { m.Runs[0].Signal = "SIGINT" },
		"a file elsewhere":      func(m *Manifest) { m.Runs[0].Profile = "../p" },
		"a third side":          func(m *Manifest) { m.Pair.Side = "c" },
		"runs that are null":    func(m *Manifest) { m.Runs = nil },
		"a source of no name":   func(m *Manifest) { m.Source.Name = "" },
		"no command":            func(m *Manifest) { m.Command = nil },
		"a method nobody knows": func(m *Manifest) { m.Attribution.Method = "fair" },
	} {
		m := whole()
		spoil(&m)
		if validate(m) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}
