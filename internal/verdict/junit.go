package verdict

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The elements of a JUnit file, after the XSD of Ant's JUnitReport (github.com/windyroad/JUnit-Schema), which is the
// strictest in use: attributes and elements that others allow and it does not are left out, and what it wants is there.

type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	ID         int             `xml:"id,attr"`
	Package    string          `xml:"package,attr"`
	Name       string          `xml:"name,attr"`
	Timestamp  string          `xml:"timestamp,attr"` // UTC, which the schema wants without a zone
	Hostname   string          `xml:"hostname,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"` // s
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// junitCase has at most one of Skipped, Error and Failure.
type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	Time      string        `xml:"time,attr"` // s
	Skipped   *junitSkipped `xml:"skipped"`
	Error     *junitProblem `xml:"error"`
	Failure   *junitProblem `xml:"failure"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the report as a test suite with a case for each verdict. What is undecided is skipped, and a check that
// was refused is an error. The time of a case is that of a run of the new side: of the total the wall time, of a function
// its CPU time; that of the suite is their sum.
func (r *Report) JUnit(w io.Writer, printable func(string) string) error {
	s := junitSuite{Name: "energyprof check", Package: "energyprof", Hostname: r.Host, Timestamp: r.When.UTC().Format("2006-01-02T15:04:05")}
	if s.Hostname == "" {
		s.Hostname = "localhost" // as the schema has it
	}
	s.Properties = []junitProperty{{"baseline", printable(r.Baseline.describe())}, {"new", printable(r.New.describe())}, {"decision", r.Decision}}
	s.Out = r.text(printable)
	for i, text := range r.Warnings {
		if i > 0 {
			s.Err += "\n"
		}
		s.Err += printable(text)
	}
	milliseconds := 0.0 // whole ones, so that the sum is that of what is printed
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		ms := math.Round(1000 * v.seconds)
		milliseconds += ms
		c := junitCase{Name: printable(v.Limit.String() + ": " + v.title()), Classname: "energyprof." + v.Limit.Quantity, Time: seconds(ms)}
		switch text := printable(v.Reason); v.Decision {
		case Fail:
			c.Failure = &junitProblem{Message: text, Type: "limit exceeded", Text: text}
			s.Failures++
		case Undecided:
			c.Skipped = &junitSkipped{Message: "undecided: " + text}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	for i := range r.Unmatched {
		l := &r.Unmatched[i]
		s.Cases = append(s.Cases, junitCase{Name: printable(l.String() + ": functions like " + l.Pattern), Classname: "energyprof." + l.Quantity, Time: seconds(0),
			Skipped: &junitSkipped{Message: "undecided: " + printable(r.sentence(l))}})
		s.Skipped++
	}
	if r.Refused != "" {
		text := printable(r.Refused)
		s.Cases = append(s.Cases, junitCase{Name: "the two sides can be compared", Classname: "energyprof.check", Time: seconds(0),
			Error: &junitProblem{Message: text, Type: "refused", Text: text}})
		s.Errors++
	}
	s.Tests, s.Time = len(s.Cases), seconds(milliseconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suite: s}); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	return nil
}

// seconds prints milliseconds as an xs:decimal, which has no exponent.
func seconds(ms float64) string { return strconv.FormatFloat(ms/1000, 'f', 3, 64) }
