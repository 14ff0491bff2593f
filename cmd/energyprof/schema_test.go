package main

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaHolds makes a command that wants every JSON value of a file to be as documented: stat-schema file
func schemaHolds(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) != 1 || neg {
			ts.Fatalf("usage: stat-schema file, mem-schema file")
		}
		asDocumented(ts, name, args[0])
	}
}

func asDocumented(ts *testscript.TestScript, schemaName, file string) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(ts.Getenv("MODULE"), "../../docs", schemaName))
	ts.Check(err)
	values := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	n := 0
	for ; values.More(); n++ {
		var v any
		ts.Check(values.Decode(&v))
		if err := schema.Validate(v); err != nil {
			ts.Fatalf("%s: object %d: %v", file, n+1, err)
		}
	}
	if n == 0 {
		ts.Fatalf("%s has no JSON", file)
	}
}
