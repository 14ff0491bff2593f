package uncore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxEventFile bounds an event file. Intel's largest, of an uncore, have 8 MB.
const maxEventFile = 64 << 20

// ReadPerfmon reads a file of events as Intel publishes them
// (github.com/intel/perfmon, *_core.json, *_uncore.json and
// *_uncore_experimental.json): an object with Header and Events or, as older
// files and the Linux sources have it, the array of events alone. Name is the
// file's, for messages.
//
// An error names the event and the field. What a file says correctly but the
// kernel cannot be asked for is kept as Unusable, what it leaves open as Doubt.
func ReadPerfmon(r io.Reader, name string) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxEventFile+1))
	if err != nil {
		return nil, fmt.Errorf("event file %s: %w", name, err)
	}
	if len(text) > maxEventFile {
		return nil, fmt.Errorf("event file %s: more than %d MiB", name, maxEventFile>>20)
	}
	t := &Table{Name: name}
	events, err := t.perfmonEvents(text)
	if err != nil {
		return nil, fmt.Errorf("event file %s: %w", name, err)
	}
	for i, fields := range events {
		e, err := fields.entry()
		if err != nil {
			return nil, fmt.Errorf("event file %s: event %d: %w", name, i+1, err)
		}
		e.Platform = t.Platform
		t.addAgain(e)
	}
	if len(t.entries) == 0 {
		return nil, fmt.Errorf("event file %s: no events in it", name)
	}
	return t, nil
}

// addAgain keeps an entry, and of two of one name the first, with a word about the other.
func (t *Table) addAgain(e Entry) {
	if t.add(e) {
		return
	}
	first := &t.entries[t.index[strings.ToLower(e.Name)]]
	if first.PMU != e.PMU || first.Terms != e.Terms {
		first.doubt("the file has the name twice, also as " + e.Spec())
	}
}

func (e *Entry) doubt(what string) {
	if e.Doubt != "" {
		e.Doubt += "; "
	}
	e.Doubt += what
}

// perfmonEvents takes the file apart, and the platform from its header.
func (t *Table) perfmonEvents(text []byte) ([]perfmonEvent, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var events []perfmonEvent
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return events, decodeJSON(text, &events)
	}
	var file struct {
		Header  struct{ Info string }
		Events  []perfmonEvent
		Metrics json.RawMessage
	}
	if err := decodeJSON(text, &file); err != nil {
		return nil, err
	}
	if file.Events == nil {
		if file.Metrics != nil {
			return nil, errors.New("it holds metrics, not events")
		}
		return nil, errors.New("no field Events")
	}
	t.Platform = file.Header.Info
	return file.Events, nil
}

// decodeJSON says at which line a mistake is.
func decodeJSON(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("unexpected %s: a file of events is a list of objects, or an object with such a list as Events", kind.Value)
	}
	if offset < 0 || offset > int64(len(text)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:offset], []byte("\n")), err)
}

// perfmonEvent is the fields of one event as the file has them.
type perfmonEvent map[string]perfmonText

// perfmonText is a value: text nearly always, a number in some files.
type perfmonText string

// UnmarshalJSON takes what can be text.
func (t *perfmonText) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = perfmonText(strings.TrimSpace(s))
		return nil
	}
	// null is nothing; of lists and objects no field that is read here is made.
	if b[0] != 'n' && b[0] != '{' && b[0] != '[' {
		*t = perfmonText(b)
	}
	return nil
}
