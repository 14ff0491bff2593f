package symbol

import (
	"reflect"
	"testing"
)

// TestThunk: a thunk is not the function behind which it lies, though that may claim its code.
func TestThunk(t *testing.T) {
	const thunk, method = "_ZThn8_N1B1fEv", "_ZN1B1fEv"
	here := sourceLine{file: "b.h", line: 5, start: "b.h", startLine: 5}
	entry := here
	hot := Frame{Function: "hot", SystemName: "hot", File: "b.h", StartLine: 2}
	for _, tt := range []struct {
		symbol, told string
		want         []string
	}{
		{thunk, method, []string{thunk}},
		{thunk, thunk, []string{"hot", thunk}},
		{thunk, "f", []string{"hot", thunk}}, // without a linker's name
		{method, method, []string{"hot", method}},
		{"_ZTv0_n24_N1B1fEv", method, []string{"_ZTv0_n24_N1B1fEv"}},
	} {
		frames := complete([]Frame{{SystemName: tt.symbol}}, []Frame{hot, {Function: tt.told, SystemName: tt.told, File: "b.h", StartLine: 4}}, here, entry)
		var got []string
		for _, f := range frames {
			got = append(got, f.SystemName)
		}
		if !reflect.DeepEqual(got, tt.want) || frames[0].File != "b.h" || frames[0].Line != 5 {
			t.Errorf("symbol %s, entry of %s: %+v, want %s at b.h:5", tt.symbol, tt.told, frames, tt.want)
		}
	}
}
