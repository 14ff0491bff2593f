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
		ev.Term = 1
		if err != nil || len(list) != 3 || !cmp.Equal(list[1], ev) {
			t.Fatalf("%q in a list: %+v, %v", spec, list, err)
		}
	})
}

// FuzzParseGroups: whatever is typed, groups that make sense or a one-line error;
// and a list without braces is the same as ParseList reads it.
func FuzzParseGroups(f *testing.F) {
	server, _ := openTree(f, "server")
	server = server.WithNames(table)
	for _, spec := range []string{
		"cycles,{instructions,branches:k}:u,faults", "g{uncore_imc/cas_count_read/,uncore_imc/cas_count_write/}:W", "{cas_count_read}:S",
		"{cpu/cycles,name='a}b,c'/u,mem:0x10/4:w}:D", "UNC_READS:D,READS", "uncore_imc*/event=4,period=3,no-inherit/", "4:0x10/config1=1/P,r1a8",
	} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		groups, err := server.ParseGroups(spec)
		if err != nil {
			var bad *EventError
			if !errors.As(err, &bad) || bad.Reason == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: %#v", spec, err)
			}
			return
		}
		terms, plain := 0, true
		var flat []Event
		for _, g := range groups {
			plain = plain && !g.Braces && !g.Sample && !g.Weak
			if len(g.Events) == 0 || !g.Braces && len(g.Events) != 1 {
				t.Fatalf("%q: %+v", spec, g)
			}
			for i, ev := range g.Events {
				if ev.Precise > 3 || ev.ExcludeUser && ev.ExcludeKernel && ev.ExcludeHV || ev.ExcludeHost && ev.ExcludeGuest || i > 0 && (ev.Pinned || ev.Exclusive) {
					t.Fatalf("%q: %+v", spec, ev)
				}
				if ev.Term > terms || i > 0 && ev.Term != g.Events[i-1].Term+1 {
					t.Fatalf("%q: %+v is not the next of its list", spec, ev)
				}
				terms = max(terms, ev.Term+1)
				flat = append(flat, ev)
			}
		}
		if !plain {
			return
		}
		list, err := server.ParseList(spec)
		if diff := cmp.Diff(flat, list); err != nil || diff != "" {
			t.Fatalf("%q as a list: %v\n%s", spec, err, diff)
		}
	})
}
