package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuestSources(t *testing.T) {
	const want = `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Architectures: amd64 arm64
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Architectures: amd64 arm64
Signed-By: /keys/debian.gpg
`
	for _, test := range []struct {
		name, file, text string
		want, err        string
	}{
		{"deb822", "sources.list.d/debian.sources", `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main contrib
Signed-By: /keys/debian.gpg
`, want, ""},
		{"one line, of a newer release", "sources.list", `# deb http://old.example/debian bookworm main
deb [signed-by=/keys/node.gpg] http://node.example nodistro main
deb-src http://mirror.example/debian trixie main
deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian trixie main contrib # ours
deb [signed-by=/keys/debian.gpg] http://mirror.example/security trixie-security main
`, want, ""},
		{"a key in the file", "sources.list.d/a.sources", `Types: deb deb-src
URIs: http://mirror.example/debian
Suites: stable stable-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ==
`, "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n", ""},
		{"disabled", "sources.list.d/a.sources", "Types: deb\nEnabled: no\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n", "", "no source of Debian "},
		{"no security", "sources.list", "deb http://mirror.example/debian bookworm main\n", "", "security updates"},
		{"none", "sources.list", "", "", "no source of Debian "},
	} {
		t.Run(test.name, func(t *testing.T) {
			etc := t.TempDir()
			file := filepath.Join(etc, test.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			host, err := hostSources(etc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := guestSources(host)
			if err != nil && (test.err == "" || !strings.Contains(err.Error(), test.err)) || err == nil && test.err != "" {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestInstalled(t *testing.T) {
	got := installed(`Reading package lists...
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []
Inst liblzma5 (5.4.1-1+deb12u2 Debian-Security:12/oldstable-security [amd64])
Inst media-types (10.0.0 Debian:12.15/oldstable [all])
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
`)
	want := "libc6:amd64=2.36-9+deb12u14 liblzma5:amd64=5.4.1-1+deb12u2 media-types=10.0.0"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLibrary(t *testing.T) {
	for name, want := range map[string]bool{
		"libc6:amd64=2.36": true, "zlib1g:amd64=1.2": true, "libpython3.11:amd64=3.11.2": true,
		"libpython3.11-stdlib:amd64=3.11.2": false, "libpython3-stdlib:amd64=3": false, "perl:amd64=5": false,
	} {
		if got := library(name); got != want {
			t.Errorf("library(%q) is %v, want %v", name, got, want)
		}
	}
}
