package stat

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documented is the schema that users have.
func documented(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../../docs/stat.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema holds the JSON to the documented schema, and the schema to refusing
// what a reader could not rely on.
func TestSchema(t *testing.T) {
	schema := documented(t)
	validate := func(r *Result) error {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, results := range cases() {
		for _, r := range results {
			if err := validate(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	zero := 0.0
	for name, spoil := range map[string]func(r *Result){
		"0 for what was not counted": func(r *Result) { r.Counts[4].Value = &zero },
		"a state nobody knows":       func(r *Result) { r.Counts[0].State = "lost" },
		"energy and its estimate":    func(r *Result) { r.Model = r.Energy },
		"energy of no source":        func(r *Result) { r.Source = nil },
		"another version":            func(r *Result) { r.Version = 2 },
		"both ends of a command":     func(r *Result) { r.Command.Signal = "SIGINT" },
		"counts that are null":       func(r *Result) { r.Counts = nil },
	} {
		r := cases()["command"][0]
		spoil(r)
		if validate(r) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

// TestDocumented: a field or a column that the user's page does not explain is a
// surprise.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/stat.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/stat.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			if p, ok := v["properties"].(map[string]any); ok {
				for name := range p {
					names[name] = true
				}
			}
			for _, e := range v {
				collect(e)
			}
		}
	}
	collect(schema)
	for _, name := range csvHeader {
		names[name] = true
	}
	if len(names) < 40 {
		t.Fatalf("only %d names of fields were found", len(names))
	}
	for name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/stat.md does not explain `%s`", name)
		}
	}
}
