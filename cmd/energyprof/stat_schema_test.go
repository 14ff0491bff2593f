package main

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

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
