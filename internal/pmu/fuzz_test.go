package pmu

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: whatever is typed, an event or a one-line error; and an event means
// the same alone, by its own Name and in a list.
func FuzzParse(f *testing.F) {
	server, _ := openTree(f, "server")
	for _, spec := range []string{
		"cycles:upp", "L1-dcache-load-misses", "r1a8:k", "sched:sched_switch:u", "mem:0x1000/8:rw:u",
		"cpu/mem-loads,ldlat=30/ppp", "uncore_imc/event=4,umask=0x1ff/", "wide/all,config4=1/", "hv_24x7/HPM_CYC,core=1/", "i915/rcs0-busy/:h",
	} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		ev, err := server.Parse(spec)
		if err != nil {
			var bad *EventError
			if !errors.As(err, &bad) || bad.Reason == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: %#v", spec, err)
			}
			return
		}
		if ev.Precise > 3 || ev.ExcludeUser && ev.ExcludeKernel && ev.ExcludeHV {
			t.Fatalf("%q: %+v", spec, ev)
		}
		again, err := server.Parse(ev.Name)
		if diff := cmp.Diff(ev, again); err != nil || diff != "" {
			t.Fatalf("%q by its name %q: %v\n%s", spec, ev.Name, err, diff)
		}
		list, err := server.ParseList("dummy," + spec + ",dummy")
		if err != nil || len(list) != 3 || !cmp.Equal(list[1], ev) {
			t.Fatalf("%q in a list: %+v, %v", spec, list, err)
		}
	})
}
