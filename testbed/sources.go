package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A source is one stanza of apt's sources: where packages are and whose key
// signs them.
type source struct {
	uri        string
	suites     []string
	components []string
	signedBy   string // a file, fingerprints or a key itself (several lines), as it stands there
}

// release is Debian's whose kernels the guests run, whatever the host is.
const release = "bookworm"

// hostSources reads what the host's apt is set up with, below etc (/etc/apt).
func hostSources(etc string) ([]source, error) {
	var found []source
	files, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.sources"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		found = append(found, stanzas(string(text))...)
	}
	files, err = filepath.Glob(filepath.Join(etc, "sources.list.d", "*.list"))
	if err != nil {
		return nil, err
	}
	for _, f := range append([]string{filepath.Join(etc, "sources.list")}, files...) {
		text, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, oneLine(string(text))...)
	}
	return found, nil
}

// stanzas parses the deb822 form, sources.list(5).
func stanzas(text string) []source {
	var found []source
	for _, paragraph := range strings.Split(withoutComments(text), "\n\n") {
		fields := map[string]string{}
		last := ""
		for _, line := range strings.Split(paragraph, "\n") {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				if last != "" {
					fields[last] += "\n" + line
				}
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				continue
			}
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
		}
		if !slices.Contains(strings.Fields(fields["types"]), "deb") || strings.EqualFold(fields["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(fields["uris"]) {
			found = append(found, source{
				uri:        uri,
				suites:     strings.Fields(fields["suites"]),
				components: strings.Fields(fields["components"]),
				signedBy:   fields["signed-by"],
			})
		}
	}
	return found
}

// withoutComments drops the lines that start with #, and makes lines of blanks
// empty: both end no paragraph otherwise.
func withoutComments(text string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.TrimSpace(line) == "" {
			line = ""
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}

// oneLine parses the older form: deb [options] uri suite component...
func oneLine(text string) []source {
	var found []source
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		var s source
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			inside, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			for _, option := range strings.Fields(inside) {
				if value, ok := strings.CutPrefix(option, "signed-by="); ok {
					s.signedBy = value
				}
			}
			rest = after
		}
		words := strings.Fields(rest)
		if len(words) < 3 {
			continue
		}
		s.uri, s.suites, s.components = words[0], words[1:2], words[2:]
		found = append(found, s)
	}
	return found
}

// debianSuites are the names under which hosts have the archive; a mirror of it
// has the guests' release beside the host's own.
var debianSuites = []string{"bullseye", release, "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}

// guestSources derives the sources of the guests' packages from the host's: the
// same archives and keys, the guests' release.
func guestSources(host []source) (string, error) {
	find := func(suffix string) (source, bool) {
		for _, s := range host {
			for _, suite := range s.suites {
				name, ok := strings.CutSuffix(suite, suffix)
				if ok && slices.Contains(debianSuites, name) && slices.Contains(s.components, "main") {
					return s, true
				}
			}
		}
		return source{}, false
	}
	archive, ok := find("")
	if !ok {
		return "", errors.New("apt has no source of Debian (no main of bookworm or its like in sources.list)")
	}
	security, ok := find("-security")
	if !ok {
		return "", errors.New("apt has no source of Debian's security updates (no bookworm-security or its like in sources.list)")
	}
	return stanza(archive, release, release+"-updates", release+"-backports") + "\n" + stanza(security, release+"-security"), nil
}

func stanza(s source, suites ...string) string {
	text := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: amd64 arm64\n", s.uri, strings.Join(suites, " "))
	if s.signedBy != "" {
		text += "Signed-By: " + s.signedBy + "\n"
	}
	return text
}
