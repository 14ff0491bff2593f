package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAction holds action.yml to the script of its steps: every input is used and every one that is used is declared, each
// step gives the script all the variables that it reads, and no input gets into a script by any other way.
func TestAction(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	action, script := read("action.yml"), read(".ci/action")
	find := func(text, pattern string) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	head, rest, _ := strings.Cut(action, "\noutputs:\n")
	_, head, _ = strings.Cut(head, "\ninputs:\n")
	if declared, used := find(head, `(?m)^  ([a-z-]+):$`), find(rest, `\binputs\.([a-z-]+)`); !slices.Equal(declared, used) {
		t.Errorf("the inputs are %v, of which %v are used", declared, used)
	}
	steps := map[string]string{}
	for _, step := range strings.Split(rest, "\n    - ")[1:] {
		run := find(step, `(?m)^ *run: (.*)$`)
		if len(run) == 0 {
			continue
		}
		words := strings.Fields(run[0])
		if name := strings.TrimSuffix(words[len(words)-1], "'"); run[0] == `'"$GITHUB_ACTION_PATH/.ci/action" `+name+`'` {
			steps[name] = step
		} else {
			t.Errorf("a step runs %s, and not the script alone", run[0])
		}
	}
	for _, part := range strings.Split(script, "\n}\n") {
		name := find(part, `(?m)^(build|bench|check)\(\) \{$`)
		if len(name) == 0 {
			continue
		}
		wants := find(part, `\$\{?(ENERGYPROF_[A-Z_]+)\b`)
		if strings.Contains(part, "ENERGYPROF_MAX_${") {
			for _, q := range []string{"ENERGY", "TIME", "ELAPSED", "POWER"} {
				wants = append(wants, "ENERGYPROF_MAX_"+q)
			}
			wants = slices.DeleteFunc(wants, func(v string) bool { return v == "ENERGYPROF_MAX_" })
			slices.Sort(wants)
		}
		if gets := find(steps[name[0]], `(?m)^ *(ENERGYPROF_[A-Z_]+): \$\{\{`); !slices.Equal(wants, gets) {
			t.Errorf("the step %s reads %v and is given %v", name[0], wants, gets)
		}
		delete(steps, name[0])
	}
	for name := range steps {
		t.Errorf("the script has no step %s", name)
	}
}
