package compare

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchema holds the JSON to the documented schema, and the schema to refusing what a
// reader could not rely on.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/diff.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(r *Result) error {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.String() {
			if c != '\n' && (c < ' ' || c == 0x7f || c == 0x202e) {
				t.Errorf("a terminal obeys %q of the JSON", c)
			}
		}
		v, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for name, r := range cases() {
		if err := validate(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := 1.0
	for name, spoil := range map[string]func(r *Result){
		"a quantity nobody knows":            func(r *Result) { r.Totals[0].Quantity = "heat" },
		"what is significant and not tested": func(r *Result) { r.Totals[0].Adjusted = nil },
		"a reason for what did not change":   func(r *Result) { r.Others[0].Because = "power" },
		"joules and their estimate":          func(r *Result) { r.Added[0].Model = &one },
		"a function of no quantity":          func(r *Result) { r.Changed[0].Quantities = nil },
		"another version":                    func(r *Result) { r.Version = 2 },
		"half of the parts":                  func(r *Result) { r.Changed[0].TimeJoules = nil },
		"totals that are null":               func(r *Result) { r.Totals = nil },
		"a probability above 1":              func(r *Result) { p := 1.5; r.Totals[0].P = &p },
		"a side without runs":                func(r *Result) { r.New.Runs = 0 },
	} {
		r := cases()["ten"]
		spoil(r)
		if validate(r) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

// TestDocumented: a field that the user's page does not explain is a surprise.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/diff.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/diff.schema.json")
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
	if len(names) < 30 {
		t.Fatalf("only %d names of fields were found", len(names))
	}
	for name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/diff.md does not explain `%s`", name)
		}
	}
}
