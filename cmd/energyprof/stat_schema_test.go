package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// statSchema is the documented one.
func statSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../../docs/stat.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// statSchemaHolds wants every JSON value of a file to be as documented: stat-schema file
func statSchemaHolds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: stat-schema file")
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(ts.Getenv("MODULE"), "../../docs/stat.schema.json"))
	ts.Check(err)
	values := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	n := 0
	for ; values.More(); n++ {
		var v any
		ts.Check(values.Decode(&v))
		if err := schema.Validate(v); err != nil {
			ts.Fatalf("%s: object %d: %v", args[0], n+1, err)
		}
	}
	if n == 0 {
		ts.Fatalf("%s has no JSON", args[0])
	}
}

// TestStatSchema holds the JSON to the documented schema, and the schema to refusing
// what a reader could not rely on.
func TestStatSchema(t *testing.T) {
	schema := statSchema(t)
	validate := func(r *statResult) error {
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
	for name, results := range statCases() {
		for _, r := range results {
			if err := validate(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	zero := 0.0
	for name, spoil := range map[string]func(r *statResult){
		"0 for what was not counted": func(r *statResult) { r.Counts[4].Value = &zero },
		"a state nobody knows":       func(r *statResult) { r.Counts[0].State = "lost" },
		"energy and its estimate":    func(r *statResult) { r.Model = r.Energy },
		"energy of no source":        func(r *statResult) { r.Source = nil },
		"another version":            func(r *statResult) { r.Version = 2 },
		"both ends of a command":     func(r *statResult) { r.Command.Signal = "SIGINT" },
		"counts that are null":       func(r *statResult) { r.Counts = nil },
	} {
		r := statCases()["command"][0]
		spoil(r)
		if validate(r) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

// TestStatDocumented: a field or a column that the user's page does not explain is a
// surprise.
func TestStatDocumented(t *testing.T) {
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
	for _, name := range statCSVHeader {
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
