package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A result is what one test came to.
type result struct {
	suite string // the package's directory
	name  string // of the test, without subtests
	// PASS, FAIL, or SKIP if the test is for other guests; empty: it did not end.
	verdict string
	seconds string // the guest's time, "0.12"
	output  []string
	inner   bool // a subtest was skipped
}

// A suiteEnd says how a test binary ended.
type suiteEnd struct {
	suite  string
	code   int
	output []string // what belongs to no test
	tests  int      // that ended
	failed int      // of these
	begun  time.Time
	wall   time.Duration // on the host
}

// A console reads what a guest writes: the lines of init.sh ("testbed: ..."),
// and the output of test binaries with -test.v=test2json, which put a byte 0x16
// before each line that is the testing package's own.
type console struct {
	// What is to be done as soon as something is known; each may be nil.
	onUp     func()
	onResult func(result)
	onEnd    func(suiteEnd)

	up, done bool
	panicked bool     // the kernel's last words are in tail
	modules  []string // that did not load
	kernel   []string // complaints found in dmesg at the end
	dmesg    []string // where there were some, or tests failed
	results  []result
	ends     []suiteEnd
	tail     []string // the last lines as they came

	rest    []byte // an unfinished line
	suite   *suiteEnd
	test    *result
	inDmesg bool
}

// skipped is why a test fails that was skipped and is not for other guests: a guest
// has all that its tests ask for, and what it lost would never be missed.
const skipped = "    a test may not be skipped in a guest that it is for"

// Lines of the console that are kept: where nothing else is known, and before a
// panic, of which all is.
const (
	tailLines   = 40
	beforePanic = 3
)

var (
	verdictLine = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): ([^ /]+) \(([0-9.]+)s\)$`)
	innerSkip   = regexp.MustCompile(`^ *--- SKIP: [^ /]+/`)
	testLine    = regexp.MustCompile(`^=== (?:RUN|CONT|NAME) +(\S*)`)
	panicLine   = regexp.MustCompile(`^\[ *[0-9]+\.[0-9]+\] (Kernel panic|BUG: |Oops: |general protection fault)`)
)

// Write takes the console's next bytes.
func (c *console) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	for {
		i := bytes.IndexByte(c.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		c.line(printable(c.rest[:i]))
		c.rest = c.rest[i+1:]
	}
}

// printable drops what would move the cursor or reset the terminal that shows a
// report.
func printable(line []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != 0x16 {
			return -1
		}
		return r
	}, string(line))
}

func (c *console) line(line string) {
	if !c.panicked && panicLine.MatchString(line) && !c.inDmesg {
		c.panicked = true
		c.tail = c.tail[max(0, len(c.tail)-beforePanic):]
	}
	c.tail = append(c.tail, strings.ReplaceAll(line, "\x16", ""))
	if c.panicked {
		return
	}
	if len(c.tail) > tailLines {
		c.tail = c.tail[1:]
	}
	if word, ok := strings.CutPrefix(line, "testbed: "); ok && c.word(word) {
		return
	}
	if c.inDmesg {
		c.dmesg = append(c.dmesg, line)
		return
	}
	if c.suite == nil {
		return
	}
	// The byte can follow a line of a test that lacks its end.
	if at := strings.LastIndexByte(line, 0x16); at >= 0 {
		if at > 0 {
			c.output(line[:at])
		}
		if c.framed(line[at+1:]) {
			return
		}
		line = line[at+1:]
	}
	c.output(line)
}

// word takes a line of init.sh.
func (c *console) word(word string) bool {
	kind, rest, _ := strings.Cut(word, " ")
	switch kind {
	case "up":
		c.up = true
		if c.onUp != nil {
			c.onUp()
		}
	case "done":
		c.done = true
	case "module":
		c.modules = append(c.modules, rest)
	case "kernel":
		c.kernel = append(c.kernel, rest)
	case "dmesg":
		c.inDmesg = true
	case "begin":
		c.suite = &suiteEnd{suite: rest, begun: time.Now()}
	case "end-dmesg":
		c.inDmesg = false
	case "end":
		name, code, _ := strings.Cut(rest, " ")
		if c.suite == nil || c.suite.suite != name {
			break
		}
		c.close()
		end := *c.suite
		c.suite = nil
		end.code, _ = strconv.Atoi(code)
		end.wall = time.Since(end.begun)
		c.ends = append(c.ends, end)
		if c.onEnd != nil {
			c.onEnd(end)
		}
	default:
		return false
	}
	return true
}

// framed takes a line of the testing package and says whether that is all it is
// for.
func (c *console) framed(line string) bool {
	if m := testLine.FindStringSubmatch(line); m != nil {
		name, _, _ := strings.Cut(m[1], "/")
		if name != "" && (c.test == nil || c.test.name != name) {
			c.open(name)
		}
		return true
	}
	if m := verdictLine.FindStringSubmatch(line); m != nil {
		if c.test == nil || c.test.name != m[2] {
			c.open(m[2])
		}
		c.test.verdict, c.test.seconds = m[1], m[3]
		return true
	}
	if c.test != nil && innerSkip.MatchString(line) {
		c.test.inner = true
	}
	return strings.HasPrefix(line, "=== ")
}

// open begins or goes on with a test: tests that run in parallel take turns.
func (c *console) open(name string) {
	c.close()
	for i, r := range c.results {
		if r.suite == c.suite.suite && r.name == name && r.verdict == "" {
			c.results = append(c.results[:i], c.results[i+1:]...)
			c.test = &r
			return
		}
	}
	c.test = &result{suite: c.suite.suite, name: name}
}

// close puts the test at hand away; with a verdict it is complete, as its
// subtests' reports follow the verdict.
func (c *console) close() {
	if c.test == nil {
		return
	}
	r := *c.test
	c.test = nil
	if r.verdict == "SKIP" && !r.forOthers() || r.verdict == "PASS" && r.inner {
		r.verdict = "FAIL"
		r.output = append(r.output, skipped)
	}
	c.results = append(c.results, r)
	if r.verdict == "" {
		return
	}
	c.suite.tests++
	if r.verdict == "FAIL" {
		c.suite.failed++
	}
	if c.onResult != nil {
		c.onResult(r)
	}
}

// finish takes the end of the console: what is open has not ended.
func (c *console) finish() {
	if len(c.rest) > 0 {
		c.line(printable(c.rest))
		c.rest = nil
	}
	c.close()
}

// output keeps a line of the test at hand, or of the binary.
func (c *console) output(line string) {
	switch {
	case line == "" || line == "PASS" || line == "FAIL": // the binary's own last word
	case c.test == nil:
		c.suite.output = append(c.suite.output, line)
	default:
		c.test.output = append(c.test.output, line)
	}
}
