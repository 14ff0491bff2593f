package verdict

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report/gate"
)

// TestJUnitSchema holds the XML to the rules of JUnit.xsd of Ant's JUnitReport: which attributes and children an element
// has, in which order, and what they hold.
func TestJUnitSchema(t *testing.T) {
	passed := example()
	passed.Verdicts, passed.Unmatched = passed.Verdicts[1:2], nil
	empty := about()
	empty.Host = ""
	for name, c := range map[string]struct {
		report                           *Report
		tests, failures, errors, skipped int
		time                             string
	}{
		"all":     {New(example(), about()), 6, 2, 0, 3, "4.280"}, // 3 totals of 1.01 s, functions of 1 and 0.25 s
		"passed":  {New(passed, about()), 1, 0, 0, 0, "1.010"},
		"refused": {Refuse("no", empty), 1, 0, 1, 0, "0.000"},
	} {
		text := write(t, func(w io.Writer) error { return c.report.JUnit(w, escape) })
		root, err := parse(text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if err := root.check("testsuites"); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		suite := root.children[0]
		for attr, want := range map[string]string{"tests": strconv.Itoa(c.tests), "failures": strconv.Itoa(c.failures), "errors": strconv.Itoa(c.errors),
			"skipped": strconv.Itoa(c.skipped), "time": c.time, "timestamp": "2026-03-04T04:06:07"} {
			if got := suite.attrs[attr]; got != want {
				t.Errorf("%s: %s is %q, want %q", name, attr, got, want)
			}
		}
		found, seconds := map[string]int{}, 0.0
		for _, test := range suite.children {
			if test.name != "testcase" {
				continue
			}
			found["testcase"]++
			for _, child := range test.children {
				found[child.name]++
			}
			s, err := strconv.ParseFloat(test.attrs["time"], 64)
			if err != nil {
				t.Fatal(err)
			}
			seconds += s
		}
		if found["testcase"] != c.tests || found["failure"] != c.failures || found["error"] != c.errors || found["skipped"] != c.skipped {
			t.Errorf("%s: the file has %v, and its attributes say otherwise", name, found)
		}
		if got := strconv.FormatFloat(seconds, 'f', 3, 64); got != c.time {
			t.Errorf("%s: the cases took %s s together, the suite %s", name, got, c.time)
		}
	}
}

// TestJUnitRefused: the check of the schema finds what is wrong.
func TestJUnitRefused(t *testing.T) {
	good := write(t, func(w io.Writer) error { return New(example(), about()).JUnit(w, escape) })
	for _, change := range [][2]string{
		{` tests="6"`, ``}, {` tests="6"`, ` tests="six"`}, {`<system-err>`, `<stderr>`}, {`time="1.010"`, `time="1e3"`},
		{`04:06:07"`, `04:06:07Z"`}, {` type="limit exceeded"`, ``}, {` tests="6"`, ` tests="6" disabled="0"`}, {`<properties>`, `<skipped></skipped><properties>`},
	} {
		bad := strings.ReplaceAll(strings.ReplaceAll(good, change[0], change[1]), "</system-err>", strings.Replace(strings.ReplaceAll("</system-err>", strings.Trim(change[0], "<>"), strings.Trim(change[1], "<>")), "<>", "", 1))
		if bad == good {
			t.Fatalf("%q is not in the file:\n%s", change[0], good)
		}
		root, err := parse(bad)
		if err == nil {
			err = root.check("testsuites")
		}
		if err == nil {
			t.Errorf("with %q in place of %q the file is found to be valid", change[1], change[0])
		}
	}
}

// TestJUnitText: whatever a name holds, what the file says can be read back.
func TestJUnitText(t *testing.T) {
	result := example()
	result.Verdicts = result.Verdicts[3:4]
	result.Verdicts[0].Key = &gate.Key{Name: "a\x00b\x0b<c>&\"']]>\xff"}
	root, err := parse(write(t, func(w io.Writer) error {
		return New(result, about()).JUnit(w, func(s string) string { return s })
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range root.children[0].children {
		if test.name == "testcase" {
			if want := "energy +10 %: a\ufffdb\ufffd<c>&\"']]>\ufffd"; test.attrs["name"] != want {
				t.Errorf("the case is called %q, want %q", test.attrs["name"], want)
			}
			return
		}
	}
	t.Fatal("there is no case")
}

type node struct {
	name     string
	attrs    map[string]string
	children []*node
	text     string
}

func parse(text string) (*node, error) {
	d, top := xml.NewDecoder(strings.NewReader(text)), &node{}
	stack := []*node{top}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		last := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			last.children = append(last.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			last.text += string(token)
		}
	}
	if len(top.children) != 1 {
		return nil, fmt.Errorf("%d root elements", len(top.children))
	}
	return top.children[0], nil
}

// The types of JUnit.xsd.
var (
	anyText  = regexp.MustCompile(`(?s)^.*$`)
	token    = regexp.MustCompile(`^\S+( \S+)*$`) // xs:token as it is after whitespace is collapsed, of a length of 1 at least
	integer  = regexp.MustCompile(`^[0-9]+$`)
	decimal  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	dateTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$`)
	blank    = regexp.MustCompile(`^\s*$`)
)

// rule is an element: its attributes, all needed but those in optional, and the order of its children: a regular
// expression over "name,name,".
type rule struct {
	attrs    map[string]*regexp.Regexp
	optional map[string]*regexp.Regexp
	children *regexp.Regexp
	text     *regexp.Regexp
}

var problem = rule{attrs: map[string]*regexp.Regexp{"type": anyText}, optional: map[string]*regexp.Regexp{"message": anyText}, text: anyText}

var schema = map[string]rule{
	"testsuites": {children: regexp.MustCompile(`^(testsuite,)*$`), text: blank},
	"testsuite": {
		attrs: map[string]*regexp.Regexp{"package": token, "id": integer, "name": token, "timestamp": dateTime, "hostname": token,
			"tests": integer, "failures": integer, "errors": integer, "time": decimal},
		optional: map[string]*regexp.Regexp{"skipped": integer},
		children: regexp.MustCompile(`^properties,(testcase,)*system-out,system-err,$`), text: blank,
	},
	"properties": {children: regexp.MustCompile(`^(property,)*$`), text: blank},
	"property":   {attrs: map[string]*regexp.Regexp{"name": token, "value": anyText}, text: blank},
	"testcase": {
		attrs:    map[string]*regexp.Regexp{"name": token, "classname": token, "time": decimal},
		children: regexp.MustCompile(`^((skipped|error|failure),)?$`), text: blank,
	},
	"skipped":    {optional: map[string]*regexp.Regexp{"message": anyText}, text: anyText}, // of any type in the schema
	"error":      problem,
	"failure":    problem,
	"system-out": {text: anyText},
	"system-err": {text: anyText},
}

// check tells what about an element is not as the schema has it.
func (n *node) check(want string) error {
	r, ok := schema[n.name]
	if !ok || want != "" && n.name != want {
		return fmt.Errorf("there is an element %s", n.name)
	}
	for name, kind := range r.attrs {
		if value, ok := n.attrs[name]; !ok || !kind.MatchString(value) {
			return fmt.Errorf("%s: attribute %s is %q, which is not like %s", n.name, name, value, kind)
		}
	}
	for name, value := range n.attrs {
		kind, ok := r.optional[name]
		if r.attrs[name] == nil && (!ok || !kind.MatchString(value)) {
			return fmt.Errorf("%s has an attribute %s, %q", n.name, name, value)
		}
	}
	order := ""
	for _, child := range n.children {
		order += child.name + ","
	}
	if r.children == nil && order != "" || r.children != nil && !r.children.MatchString(order) {
		return fmt.Errorf("%s has the children %s", n.name, order)
	}
	if !r.text.MatchString(n.text) {
		return fmt.Errorf("%s has the text %q", n.name, n.text)
	}
	for _, child := range n.children {
		if err := child.check(""); err != nil {
			return err
		}
	}
	return nil
}
