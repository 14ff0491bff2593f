package memory

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/pebs"
)

// TestSharing: who shares what with whom.
func TestSharing(t *testing.T) {
	of := func(offset uint32, cpu int32, tid uint32, reads, writes uint64) use {
		return use{useKey: useKey{offset: offset, cpu: cpu, tid: tid}, read: reads > 0, written: writes > 0, tally: tally{samples: reads + writes}}
	}
	for _, c := range []struct {
		name     string
		uses     []use
		want     Sharing
		meetings uint64
	}{
		{"nothing", nil, NotShared, 0},
		{"one thread", []use{of(0, 0, 1, 5, 5), of(8, 0, 1, 5, 5)}, NotShared, 0},
		{"one thread on two CPUs", []use{of(0, 0, 1, 5, 5), of(0, 1, 1, 5, 5)}, NotShared, 0},
		{"two threads on one CPU", []use{of(0, 0, 1, 5, 5), of(8, 0, 2, 5, 5)}, NotShared, 0},
		{"read by both", []use{of(0, 0, 1, 5, 0), of(8, 1, 2, 5, 0)}, NotShared, 0},
		{"written by one, read by the other elsewhere", []use{of(0, 0, 1, 0, 5), of(8, 1, 2, 7, 0)}, FalselyShared, 5},
		{"written by both, each at its place", []use{of(0, 0, 1, 1, 2), of(8, 1, 2, 0, 4)}, FalselyShared, 3},
		{"a flag", []use{of(0, 0, 1, 0, 5), of(0, 1, 2, 3, 0)}, TrulyShared, 3},
		{"a lock and what is beside it", []use{of(0, 0, 1, 0, 5), of(0, 1, 2, 0, 5), of(8, 1, 2, 3, 0)}, SharedBoth, 8},
		{"two counters that a third thread made", []use{of(0, 0, 1, 0, 1000), of(8, 1, 2, 0, 1000), of(0, 1, 3, 0, 8), of(8, 0, 3, 0, 8)}, FalselyShared, 1016},
	} {
		if got, meetings := sharing(c.uses); got != c.want || meetings != c.meetings {
			t.Errorf("%s: %q by %d meetings, want %q by %d", c.name, got, meetings, c.want, c.meetings)
		}
	}
}

// TestMeetings: the sums over pairs of uses are made without looking at pairs.
func TestMeetings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var uses []use
		for range rapid.IntRange(0, 12).Draw(t, "uses") {
			how := rapid.IntRange(0, 2).Draw(t, "read, written, both")
			uses = append(uses, use{useKey: useKey{offset: rapid.Uint32Range(0, 2).Draw(t, "offset"), cpu: rapid.Int32Range(-1, 2).Draw(t, "cpu"),
				tid: rapid.Uint32Range(0, 3).Draw(t, "tid")}, read: how != 1, written: how > 0, tally: tally{samples: rapid.Uint64Range(1, 9).Draw(t, "samples")}})
		}
		var falsely, truly uint64
		for i, u := range uses {
			for _, v := range uses[:i] {
				switch n := min(u.samples, v.samples); {
				case u.cpu == v.cpu, u.tid == v.tid && u.tid != 0, !u.written && !v.written:
				case u.offset == v.offset:
					truly += n
				default:
					falsely += n
				}
			}
		}
		got, meetings := sharing(uses)
		if meetings != falsely+truly || (got == FalselyShared || got == SharedBoth) && falsely == 0 || (got == TrulyShared || got == SharedBoth) && truly == 0 {
			t.Errorf("%+v: %q by %d meetings, want %d at one offset and %d at two", uses, got, meetings, truly, falsely)
		}
	})
}

// TestCoherence: what perf c2c has no rule for, or counts twice.
func TestCoherence(t *testing.T) {
	hit := pebs.OpLoad | pebs.LvlHit
	for _, c := range []struct {
		name string
		d    pebs.DataSource
		want Coherence
	}{
		{"Lunar Lake, another core's", pebs.OpLoad | pebs.LvlMiss | pebs.LvlL3 | pebs.NumL3 | pebs.SnoopHitM, Coherence{SampledLoads: 1, LocalHitM: 1}},
		{"AMD, of two names for another CCX", hit | pebs.LvlL3 | pebs.LvlRemoteCache1 | pebs.SnoopHitM, Coherence{SampledLoads: 1, RemoteHitM: 1}},
		{"POWER, another core of this node", hit | pebs.NumCache | pebs.RemoteBit | pebs.HopsCore | pebs.SnoopHitM, Coherence{SampledLoads: 1, LocalHitM: 1}},
		{"Arm, a peer core", hit | pebs.LvlL3 | pebs.NumL3 | pebs.SnoopPeer, Coherence{SampledLoads: 1, LocalPeer: 1}},
		{"Arm, a peer core of another node", hit | pebs.NumCache | pebs.RemoteBit | pebs.SnoopPeer, Coherence{SampledLoads: 1, RemotePeer: 1}},
		{"a clean line of another node", hit | pebs.LvlRemoteCache2 | pebs.SnoopHit, Coherence{SampledLoads: 1}},
		{"a locked addition is a load", pebs.OpLoad | pebs.OpStore | pebs.LvlHit | pebs.LvlL1 | pebs.LockLocked, Coherence{SampledLoads: 1, Locked: 1}},
		{"a store that went to L2", pebs.OpStore | pebs.LvlHit | pebs.LvlL2 | pebs.NumL2, Coherence{SampledStores: 1, StoreMisses: 1}},
		{"a prefetch", pebs.OpPrefetch | pebs.LvlHit | pebs.LvlL2 | pebs.SnoopHitM, Coherence{}},
	} {
		var got Coherence
		got.count(c.d)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
