package perfring

import (
	"context"
	"math/bits"
	"reflect"
	"testing"
	"unsafe"

	"github.com/elastic/go-perf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// oracleID is the id of the oracle's event: go-perf drops samples whose
// stream id is another.
const oracleID = 77

// oracleOn makes a go-perf event that reads the fake ring as if it were the
// kernel's. The library has no way to do this, so its fields are set.
func oracleOn(k *fakeRing, a *perf.Attr) *perf.Event {
	ev := new(perf.Event)
	set := func(name string, value any) {
		field := reflect.ValueOf(ev).Elem().FieldByName(name)
		at := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
		at.Set(reflect.ValueOf(value).Convert(field.Type()))
	}
	set("state", 1) // opened
	set("id", oracleID)
	set("a", a)
	set("ring", k.mem)
	set("ringdata", k.data)
	set("meta", (*unix.PerfEventMmapPage)(unsafe.Pointer(&k.mem[0])))
	return ev
}

func oracleAttr(a *Attr) *perf.Attr {
	f := func(bit SampleFormat) bool { return a.SampleFormat&bit != 0 }
	return &perf.Attr{
		SampleFormat: perf.SampleFormat{
			IP: f(SampleIP), Tid: f(SampleTID), Time: f(SampleTime), Addr: f(SampleAddr), Count: f(SampleRead),
			Callchain: f(SampleCallchain), ID: f(FormatID), CPU: f(SampleCPU), Period: f(SamplePeriod),
			StreamID: f(SampleStreamID), Raw: f(SampleRaw), BranchStack: f(SampleBranchStack),
			UserRegisters: f(SampleRegsUser), UserStack: f(SampleStackUser), Weight: f(SampleWeight),
			DataSource: f(SampleDataSrc), Identifier: f(SampleIdentifier), Transaction: f(SampleTransaction),
			IntrRegisters: f(SampleRegsIntr), PhysicalAddress: f(SamplePhysAddr),
		},
		CountFormat: perf.CountFormat{
			Enabled: a.ReadFormat&ReadTotalTimeEnabled != 0, Running: a.ReadFormat&ReadTotalTimeRunning != 0,
			ID: a.ReadFormat&ReadID != 0, Group: a.ReadFormat&ReadGroup != 0,
		},
		Options:             perf.Options{SampleIDAll: a.Flags&FlagSampleIDAll != 0},
		SampleRegistersUser: a.RegsUser,
		SampleRegistersIntr: a.RegsIntr,
	}
}

// fromOracle turns a record of go-perf into ours.
func fromOracle(rec perf.Record) Record {
	h := rec.Header()
	head := Header{RecordType(h.Type), h.Misc, h.Size}
	switch r := rec.(type) {
	case *perf.SampleRecord:
		values := []ReadValue{{Value: r.Count.Value, ID: r.Count.ID}}
		return sampleOf(head, r, uint64(r.Count.Enabled), uint64(r.Count.Running), values)
	case *perf.SampleGroupRecord:
		var values []ReadValue
		for _, v := range r.Count.Values {
			values = append(values, ReadValue{Value: v.Value, ID: v.ID})
		}
		single := new(perf.SampleRecord)
		from, to := reflect.ValueOf(r).Elem(), reflect.ValueOf(single).Elem()
		for i := range from.NumField() {
			name := from.Type().Field(i).Name
			if name != "_" && name != "Count" {
				to.FieldByName(name).Set(from.Field(i))
			}
		}
		return sampleOf(head, single, uint64(r.Count.Enabled), uint64(r.Count.Running), values)
	case *perf.LostRecord:
		return &Lost{head, idOf(r.SampleID), r.ID, r.Lost}
	case *perf.ExitRecord:
		return &Exit{head, idOf(r.SampleID), r.Pid, r.Ppid, r.Tid, r.Ptid, r.Time}
	case *perf.ForkRecord:
		return &Fork{head, idOf(r.SampleID), r.Pid, r.Ppid, r.Tid, r.Ptid, r.Time}
	case *perf.ThrottleRecord:
		return &Throttle{head, idOf(r.SampleID), r.Time, r.ID, r.StreamID}
	case *perf.UnthrottleRecord:
		return &Unthrottle{head, idOf(r.SampleID), r.Time, r.ID, r.StreamID}
	case *perf.AuxRecord:
		return &Aux{head, idOf(r.SampleID), r.Offset, r.Size, uint64(r.Flags)}
	case *perf.ItraceStartRecord:
		return &ItraceStart{head, idOf(r.SampleID), r.Pid, r.Tid}
	case *perf.LostSamplesRecord:
		return &LostSamples{head, idOf(r.SampleID), r.Lost}
	case *perf.SwitchRecord:
		return &Switch{head, idOf(r.SampleID), r.Out(), r.Preempted()}
	case *perf.SwitchCPUWideRecord:
		return &SwitchCPUWide{head, idOf(r.SampleID), r.Pid, r.Tid, r.Out(), r.Preempted()}
	case *perf.NamespacesRecord:
		n := &Namespaces{Header: head, SampleID: idOf(r.SampleID), PID: r.Pid, TID: r.Tid}
		for _, l := range r.Namespaces {
			n.Links = append(n.Links, NamespaceLink{l.Dev, l.Inode})
		}
		return n
	case *perf.MmapRecord:
		return &Mmap{head, idOf(r.SampleID), r.Pid, r.Tid, r.Addr, r.Len, r.PageOffset, []byte(r.Filename)}
	case *perf.CommRecord:
		return &Comm{head, idOf(r.SampleID), r.Pid, r.Tid, []byte(r.NewName), r.WasExec()}
	case *perf.Mmap2Record:
		return &Mmap2{Header: head, SampleID: idOf(r.SampleID), PID: r.Pid, TID: r.Tid, Addr: r.Addr, Len: r.Len,
			PgOff: r.PageOffset, Maj: r.MajorID, Min: r.MinorID, Ino: r.Inode, InoGeneration: r.InodeGeneration,
			Prot: r.Prot, Flags: r.Flags, Filename: []byte(r.Filename)}
	}
	return nil
}

func idOf(id perf.SampleID) SampleID {
	return SampleID{PID: id.Pid, TID: id.Tid, Time: id.Time, ID: id.ID | id.Identifier, StreamID: id.StreamID, CPU: id.CPU}
}

func sampleOf(h Header, r *perf.SampleRecord, enabled, running uint64, values []ReadValue) *Sample {
	s := &Sample{
		Header: h, IP: r.IP, PID: r.Pid, TID: r.Tid, Time: r.Time, Addr: r.Addr, ID: r.ID | r.Identifier,
		StreamID: r.StreamID, CPU: r.CPU, Period: r.Period, Read: values, Enabled: enabled, Running: running,
		Callchain: r.Callchain, RawData: r.Raw, UserRegsABI: r.UserRegisterABI, UserRegs: r.UserRegisters,
		UserStack: r.UserStack[:r.UserStackDynamicSize], Weight: r.Weight, DataSrc: uint64(r.DataSource),
		Transaction: uint64(r.Transaction), IntrRegsABI: r.IntrRegisterABI, IntrRegs: r.IntrRegisters, PhysAddr: r.PhysicalAddress,
	}
	for _, b := range r.BranchStack {
		f := BranchFlags(b.Cycles) << 4
		for i, set := range []bool{b.Mispredicted, b.Predicted, b.InTransaction, b.TransactionAbort} {
			if set {
				f |= 1 << i
			}
		}
		s.Branches = append(s.Branches, Branch{b.From, b.To, f})
	}
	return s
}

// On the same bytes go-perf finds the same, as far as it is right. Left out is
// what it gets wrong: names followed by an identity, registers without an
// ABI, the type of a branch; and what it does not know.
func TestAgainstGoPerf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := drawSampleAttr(rt)
		a.SampleFormat &= SamplePhysAddr<<1 - 1
		a.ReadFormat &^= ReadLost
		a.BranchFormat = 0
		k, oracle := newFakeRing(1<<14), newFakeRing(1<<14)
		start := rapid.Uint64().Draw(rt, "start") &^ 7
		k.start(start)
		oracle.start(start)
		written := 0
		for range rapid.IntRange(1, 20).Draw(rt, "records") {
			raw := drawOracleRecord(rt, &a)
			if k.write(raw) {
				oracle.write(raw)
				written++
			}
		}
		ev := oracleOn(oracle, oracleAttr(&a))
		d := decoderOf(t, &a)
		n := k.open(t).Drain(func(raw []byte) {
			got, err := d.Decode(raw)
			if err != nil {
				rt.Fatal(err)
			}
			rec, err := ev.ReadRecord(context.Background())
			if err != nil {
				rt.Fatalf("go-perf: %v", err)
			}
			want := fromOracle(rec)
			if s, ok := want.(*Sample); ok && a.SampleFormat&SampleRead == 0 {
				s.Read = nil
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("go-perf -, perfring +:\n%s", diff)
			}
		})
		if n != written || ev.HasRecord() {
			rt.Fatalf("%d records of %d", n, written)
		}
	})
}

func drawOracleRecord(t *rapid.T, a *Attr) []byte {
	word := rapid.Uint64()
	id := SampleID{PID: 1, TID: 2, Time: word.Draw(t, "time"), ID: 3, StreamID: oracleID, CPU: 4}
	trailer := encodeTrailer(a, id)
	record := func(typ RecordType, parts ...any) []byte { return encode(typ, 0, append(parts, trailer...)...) }
	types := []RecordType{
		RecordSample, RecordLost, RecordExit, RecordThrottle, RecordUnthrottle, RecordFork, RecordAux,
		RecordItraceStart, RecordLostSamples, RecordSwitch, RecordSwitchCPUWide, RecordNamespaces,
	}
	if len(trailer) == 0 {
		types = append(types, RecordMmap, RecordComm, RecordMmap2)
	}
	switch typ := rapid.SampledFrom(types).Draw(t, "type"); typ {
	case RecordLost:
		return record(typ, word.Draw(t, "id"), word.Draw(t, "lost"))
	case RecordExit, RecordFork:
		return record(typ, word.Draw(t, "pids"), word.Draw(t, "tids"), word.Draw(t, "time"))
	case RecordThrottle, RecordUnthrottle, RecordAux:
		return record(typ, word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c"))
	case RecordItraceStart, RecordLostSamples, RecordSwitchCPUWide:
		return record(typ, word.Draw(t, "a"))
	case RecordSwitch:
		return record(typ)
	case RecordNamespaces:
		n := rapid.IntRange(0, 7).Draw(t, "links")
		return record(typ, word.Draw(t, "tid"), uint64(n), counted(2*n, 5))
	case RecordMmap:
		return record(typ, counted(4, word.Draw(t, "a")), "/bin/ls")
	case RecordComm:
		return record(typ, word.Draw(t, "tid"), "a name")
	case RecordMmap2:
		return record(typ, counted(8, word.Draw(t, "a")), "/bin/ls")
	}
	s := drawSample(t, a)
	s.StreamID = oracleID
	s.UserRegsABI, s.UserRegs = 2, counted(bits.OnesCount64(a.RegsUser), 1)
	s.IntrRegsABI, s.IntrRegs = 2, counted(bits.OnesCount64(a.RegsIntr), 1)
	for i := range s.Branches {
		s.Branches[i].Flags &= 1<<20 - 1
	}
	return encodeSample(a, &s)
}
