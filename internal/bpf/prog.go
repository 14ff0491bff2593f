package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// noLocalID: no relocation of ours is about the types of the object itself.
func noLocalID(t btf.Type) (btf.TypeID, error) {
	return 0, fmt.Errorf("%s: %w", t, errors.ErrUnsupported)
}

// progLoad is what BPF_PROG_LOAD takes of union bpf_attr (include/uapi/linux/bpf.h).
type progLoad struct {
	progType, insnCnt            uint32
	insns, license               uint64
	logLevel, logSize            uint32
	logBuf                       uint64
	kernVersion, progFlags       uint32
	name                         [16]byte
	ifindex, expectedAttachType  uint32
	btfFd, funcInfoRecSize       uint32
	funcInfo                     uint64
	funcInfoCnt, lineInfoRecSize uint32
	lineInfo                     uint64
	lineInfoCnt, attachBtfID     uint32
	attachProgFd, _              uint32
}

// btfOfKernel gives the kernel's own description to use.
func btfOfKernel(use func([]byte) error) error {
	f, err := os.Open(kernelBTF)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	raw, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		defer unix.Munmap(raw)
		return use(raw)
	}
	// Before Linux 6.16 it cannot be mapped.
	raw = make([]byte, info.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return fmt.Errorf("%s: %w", kernelBTF, err)
	}
	return use(raw)
}

// kernelNeed looks up what the programs of the object refer to.
func kernelNeed(spec *ebpf.CollectionSpec) (n *need, err error) {
	var structs []*btf.Struct
	for _, name := range []string{"task_struct", "pid", "upid", "bpf_iter__task", "bpf_iter_meta"} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			return nil, err
		}
		structs = append(structs, s)
	}
	var targets []string
	for _, p := range spec.Programs {
		if p.Type == ebpf.Tracing {
			targets = append(targets, targetOf(p))
		}
	}
	err = btfOfKernel(func(raw []byte) error {
		n, err = look(raw, targets, structs)
		return err
	})
	return n, err
}

// targetOf names the type by which the kernel knows what a program attaches to.
func targetOf(p *ebpf.ProgramSpec) string {
	if p.AttachType == ebpf.AttachTraceIter {
		return "bpf_iter_" + p.AttachTo
	}
	return "btf_trace_" + p.AttachTo
}

// loadProgram loads a program, as the ebpf package would but for the types of the
// kernel, all of which it decodes to find one (and of its modules as well).
func loadProgram(p *ebpf.ProgramSpec, n *need, maps map[string]*ebpf.Map) (*ebpf.Program, error) {
	insns := append(asm.Instructions(nil), p.Instructions...)
	var relos []*btf.CORERelocation
	var at []int
	for i := range insns {
		if r := btf.CORERelocationMetadata(&insns[i]); r != nil {
			relos, at = append(relos, r), append(at, i)
		}
		if m := maps[insns[i].Reference()]; m != nil && insns[i].IsLoadFromMap() {
			if err := insns[i].AssociateMap(m); err != nil {
				return nil, err
			}
		}
	}
	if len(relos) > 0 {
		fixups, err := btf.CORERelocate(relos, []*btf.Spec{n.spec}, binary.LittleEndian, noLocalID)
		if err != nil {
			return nil, err
		}
		for k := range fixups {
			if err := fixups[k].Apply(&insns[at[k]]); err != nil {
				return nil, err
			}
		}
	}
	var code bytes.Buffer
	if err := insns.Marshal(&code, binary.LittleEndian); err != nil {
		return nil, err
	}
	b, lic := code.Bytes(), append([]byte(p.License), 0)
	var pinner runtime.Pinner // their addresses are numbers in attr
	defer pinner.Unpin()
	pinner.Pin(&b[0])
	pinner.Pin(&lic[0])
	attr := progLoad{insns: uint64(uintptr(unsafe.Pointer(&b[0]))), insnCnt: uint32(len(b) / 8), license: uint64(uintptr(unsafe.Pointer(&lic[0])))}
	copy(attr.name[:15], p.Name)
	switch p.Type {
	case ebpf.Tracing:
		attr.progType, attr.expectedAttachType = unix.BPF_PROG_TYPE_TRACING, uint32(p.AttachType)
		attr.attachBtfID = uint32(n.targets[targetOf(p)])
	case ebpf.RawTracepoint:
		attr.progType = unix.BPF_PROG_TYPE_RAW_TRACEPOINT
	}
	const tries = 30 // a signal interrupts the verifier
	for try := 1; ; try++ {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if errno == unix.EAGAIN && try < tries {
			continue
		}
		if errno != 0 {
			return nil, fmt.Errorf("program %s: %w", p.Name, errno)
		}
		return ebpf.NewProgramFromFD(int(fd))
	}
}

// assign loads the maps and the programs; what has been when one fails is taken out again.
func (a *Account) assign(spec *ebpf.CollectionSpec) (err error) {
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	n, err := kernelNeed(spec)
	if err != nil {
		return err
	}
	o := &a.objects
	maps := map[string]*ebpf.Map{}
	for name, to := range map[string]**ebpf.Map{"cpus": &o.CPUs, "members": &o.Members, "wanted": &o.Wanted} {
		s := spec.Maps[name]
		s.Key, s.Value = nil, nil
		if *to, err = ebpf.NewMap(s); err != nil {
			return err
		}
		maps[name] = *to
	}
	constants := spec.Maps[".rodata"]
	constants.Key, constants.Value = nil, nil
	rodata, err := ebpf.NewMap(constants)
	if err != nil {
		return err
	}
	defer rodata.Close() // the programs keep it
	maps[".rodata"] = rodata
	for name, to := range map[string]**ebpf.Program{"switched": &o.Switched, "settle": &o.Settle, "born": &o.Born, "freed": &o.Freed, "find": &o.Find} {
		if *to, err = loadProgram(spec.Programs[name], n, maps); err != nil {
			return err
		}
	}
	return nil
}
