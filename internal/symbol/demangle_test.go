package symbol

import (
	"strings"
	"testing"
)

func TestReadable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"main", "main"},
		{"_ZN5outer3BoxIiE3getEi", "outer::Box<int>::get"},
		{"_ZNK5outer3BoxIiE3getEi", "outer::Box<int>::get"},
		{"_Z3sumRKSt6vectorIlSaIlEE", "sum"},
		{"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"},
		{"_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()"},
		{"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"},
		{"_RNvC6_123foo3bar", "123foo::bar"},
		{"_RNvMNtCs1234_4core3stre3len", "<str>::len"},
		{"memcpy@@GLIBC_2.14", "memcpy"},
		{"puts@plt", "puts@plt"},
		{"_ZN1a1bEv@plt", "a::b@plt"},
		{"gopkg.in/yaml%2ev3.(*Decoder).Decode", "gopkg.in/yaml.v3.(*Decoder).Decode"},
		{"runtime.asmcgocall.abi0", "runtime.asmcgocall"},
		{"main.F[go.shape.int]", "main.F[go.shape.int]"},
		{"main.f%zz", "main.f%zz"},
		{"helper.part.0", "helper.part.0"},
		{"_Znot mangled", "_Znot mangled"},
		{"@", "@"},
		{"", ""},
	} {
		if got := readable(tt.in, DefaultNameBytes); got != tt.want {
			t.Errorf("readable(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestReadableBounds feeds names that are short and mean something enormous.
func TestReadableBounds(t *testing.T) {
	doubling := "_Z1fI1AS_" + strings.Repeat("IS0_S0_E", 400) + "EvT_"
	pairs := "_Z1f" + "St4pairI" + strings.Repeat("St4pairIS0_S0_E", 300) + "E"
	deep := "_Z1f" + strings.Repeat("P", 8000) + "i"
	nested := "_Z1f" + strings.Repeat("1AI", 2000) + "i" + strings.Repeat("E", 2000)
	// T_ = pair<T_, T_> by substitution, doubled at each step.
	bomb := "_Z1f1A"
	for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		bomb += "1BIS" + string(c) + "_S" + string(c) + "_E"
	}
	for _, name := range []string{doubling, pairs, deep, nested, bomb, strings.Repeat("_Z", 1<<20)} {
		if got := readable(name, DefaultNameBytes); len(got) > 1<<maxReadable+DefaultNameBytes && got != name {
			t.Errorf("%.40s... of %d bytes became %d", name, len(name), len(got))
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":          "plain",
		"café":           "café",
		"a\x1b[31mb":     "a?[31mb",
		"bad\xff":        "bad?",
		"line\nfeed\x7f": "line?feed?",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}
