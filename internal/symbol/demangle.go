package symbol

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ianlancetaylor/demangle"
)

// maxReadable is the power of two that bounds the bytes of a demangled name:
// substitutions let a short mangled name stand for an enormous one.
const maxReadable = 13

// readable turns a symbol into the name a programmer knows: C++ and Rust are
// demangled without parameters (as perf does; template arguments stay, they
// tell functions apart), Go is unescaped, versions are dropped. Names longer
// than limit stay as they are.
func readable(name string, limit int) string {
	if len(name) > limit {
		return name
	}
	suffix := ""
	if i := strings.IndexByte(name, '@'); i > 0 {
		if name[i:] == "@plt" {
			suffix = "@plt"
		}
		name = name[:i] // memcpy@@GLIBC_2.14
	}
	switch {
	case strings.HasPrefix(name, "_Z"), strings.HasPrefix(name, "_R"), strings.HasPrefix(name, "_GLOBAL_"):
		name = demangled(name)
	case strings.IndexByte(name, '.') > 0:
		name = goName(name)
	}
	return name + suffix
}

// demangled falls back to the name itself, also if the demangler panics on it:
// the name was chosen by the process observed.
func demangled(name string) (out string) {
	defer func() {
		if recover() != nil {
			out = name
		}
	}()
	return demangle.Filter(name, demangle.NoParams, demangle.NoEnclosingParams, demangle.MaxLength(maxReadable))
}

// goName undoes what the Go linker does to names: bytes of import paths
// written as %2e, and the suffixes of the calling convention.
func goName(name string) string {
	for _, abi := range []string{".abi0", ".abiinternal"} {
		name = strings.TrimSuffix(name, abi)
	}
	if !strings.Contains(name, "%") {
		return name
	}
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+2 < len(name) {
			hi, lo := unhex(name[i+1]), unhex(name[i+2])
			if hi >= 0 && lo >= 0 {
				out.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// printable replaces what could drive a terminal or spoil a profile: control
// characters and invalid UTF-8.
func printable(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
