package memory

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/energyprof/energyprof/pebs"
)

const schemaFile = "../../docs/mem.schema.json"

// TestSchema holds the JSON to the documented schema, and the schema to refusing what a reader could not rely on.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(r *Result) error {
		var text bytes.Buffer
		if err := r.WriteJSON(&text); err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(&text)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, r := range results(t) {
		if err := validate(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	node := -1
	for name, spoil := range map[string]func(r *Result){
		"a node below 0":          func(r *Result) { r.Pages[0].Node = &node },
		"a level nobody knows":    func(r *Result) { r.Functions[0].Level = "L9" },
		"pages of such a level":   func(r *Result) { r.Pages[0].Levels["L9"] = 1 },
		"an address in decimal":   func(r *Result) { r.Pages[0].Address = "4096" },
		"functions that are null": func(r *Result) { r.Functions = nil },
		"heat that is null":       func(r *Result) { r.Pages[0].Heat = nil },
		"another version":         func(r *Result) { r.Version = 2 },
		"both ends of a command":  func(r *Result) { r.Command.ExitCode, r.Command.Signal = new(int), "SIGINT" },
		"joules of a function":    func(r *Result) { r.Synthetic[0].Name = "main" },
	} {
		r := results(t)["machine"]
		spoil(r)
		if validate(r) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

// TestSchemaWhole: the schema has every field of a result and no other, and every level.
func TestSchemaWhole(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]json.RawMessage
		Enum       []string
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	defs := map[string]any{"event": EventRow{}, "sum": Sum{}, "rest": Rest{}, "function": FunctionRow{}, "page": PageRow{},
		"node": NodeRow{}, "thread": Thread{}, "offset": OffsetRow{}, "line": LineRow{}}
	compare := func(name string, v any, has object) {
		fields := map[string]bool{}
		jsonNames(reflect.TypeOf(v), fields)
		for field := range fields {
			if has.Properties[field] == nil {
				t.Errorf("%s: the schema lacks %s", name, field)
			}
		}
		for field := range has.Properties {
			if !fields[field] {
				t.Errorf("%s: the schema has %s, which there is not", name, field)
			}
		}
	}
	compare("the result", Result{}, schema.object)
	for name, v := range defs {
		compare(name, v, schema.Defs[name])
	}
	for l := range pebs.Levels {
		found := false
		for _, name := range schema.Defs["level"].Enum {
			found = found || name == pebs.Level(l).String()
		}
		if !found {
			t.Errorf("the schema lacks the level %v", pebs.Level(l))
		}
	}
}

// jsonNames collects the names of fields in JSON, those of embedded types too.
func jsonNames(t reflect.Type, names map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			jsonNames(f.Type, names)
		case f.IsExported():
			names[name] = true
		}
	}
}
