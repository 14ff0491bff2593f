package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// Kinds of types in BTF (include/uapi/linux/btf.h).
const (
	kindInt       = 1
	kindPtr       = 2
	kindArray     = 3
	kindStruct    = 4
	kindUnion     = 5
	kindEnum      = 6
	kindTypedef   = 8
	kindVolatile  = 9
	kindConst     = 10
	kindRestrict  = 11
	kindFunc      = 12
	kindFuncProto = 13
	kindVar       = 14
	kindDatasec   = 15
	kindDeclTag   = 17
	kindTypeTag   = 18
	kindEnum64    = 19
)

// Bounds of what types may refer to, which in a damaged description may be themselves.
const (
	maxChain   = 32
	maxNesting = 8
)

var errBTF = errors.New("the kernel's description of its types is damaged")

// types is a kernel's BTF as it lies there. Of its 100,000 types a few are looked at:
// decoding all of them would cost more than the rest of an Account.
type types struct {
	types, names []byte
	at           []uint32 // by id: where a type is in types
}

// parse finds out where each type is, and calls found for each that has a name.
func (t *types) parse(raw []byte, found func(id, kind, name uint32)) error {
	const headerLen, magic = 24, 0xeb9f
	le := binary.LittleEndian
	if len(raw) < headerLen || le.Uint16(raw) != magic {
		return errBTF
	}
	n := uint64(len(raw))
	h := uint64(le.Uint32(raw[4:]))
	to, tl := h+uint64(le.Uint32(raw[8:])), uint64(le.Uint32(raw[12:]))
	so, sl := h+uint64(le.Uint32(raw[16:])), uint64(le.Uint32(raw[20:]))
	if to+tl > n || so+sl > n {
		return errBTF
	}
	t.types, t.names = raw[to:to+tl], raw[so:so+sl]
	t.at = append(make([]uint32, 0, len(t.types)/24), 0) // id 0 is void
	for at := 0; at < len(t.types); {
		if len(t.types)-at < 12 {
			return errBTF
		}
		name, info := le.Uint32(t.types[at:]), le.Uint32(t.types[at+4:])
		kind, vlen := info>>24&0x1f, int(info&0xffff)
		size := 12
		switch kind {
		case kindInt, kindVar, kindDeclTag:
			size += 4
		case kindArray:
			size += 12
		case kindStruct, kindUnion, kindDatasec, kindEnum64:
			size += 12 * vlen
		case kindEnum, kindFuncProto:
			size += 8 * vlen
		}
		if len(t.types)-at < size {
			return errBTF
		}
		if name != 0 {
			found(uint32(len(t.at)), kind, name)
		}
		t.at = append(t.at, uint32(at))
		at += size
	}
	return nil
}

// is compares the name at an offset.
func (t *types) is(name uint32, want string) bool {
	n := uint64(name)
	return n+uint64(len(want)) < uint64(len(t.names)) && t.names[n+uint64(len(want))] == 0 && string(t.names[n:n+uint64(len(want))]) == want
}

// word is the i-th word of a type: its name, its info, its size or what it refers to,
// then those of its kind.
func (t *types) word(id, i uint32) uint32 {
	return binary.LittleEndian.Uint32(t.types[t.at[id]+4*i:])
}

// plain is a type without its qualifiers and other names, and its kind.
func (t *types) plain(id uint32) (uint32, uint32, error) {
	for range maxChain {
		if id == 0 || id >= uint32(len(t.at)) {
			return 0, 0, errBTF
		}
		kind := t.word(id, 1) >> 24 & 0x1f
		switch kind {
		case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
			id = t.word(id, 2)
		default:
			return id, kind, nil
		}
	}
	return 0, 0, errBTF
}

// convert gives as much of a member's type as a relocation compares.
func (t *types) convert(id uint32, depth int) (btf.Type, error) {
	id, kind, err := t.plain(id)
	if err != nil {
		return nil, err
	}
	if depth > maxNesting {
		return nil, errBTF
	}
	switch kind {
	case kindInt:
		return &btf.Int{Name: "int", Size: t.word(id, 2)}, nil
	case kindPtr:
		return &btf.Pointer{Target: (*btf.Void)(nil)}, nil
	case kindArray:
		of, err := t.convert(t.word(id, 3), depth+1)
		return &btf.Array{Index: &btf.Int{Name: "index", Size: 4}, Type: of, Nelems: t.word(id, 5)}, err
	case kindStruct:
		return &btf.Struct{Size: t.word(id, 2)}, nil
	case kindUnion:
		return &btf.Union{Size: t.word(id, 2)}, nil
	}
	return nil, fmt.Errorf("%w: kind %d", errBTF, kind)
}

// members adds those of a struct that are wanted, those of its unnamed ones included.
func (t *types) members(s *btf.Struct, id uint32, base uint32, want *btf.Struct, depth int) error {
	if depth > maxNesting {
		return errBTF
	}
	info := t.word(id, 1)
	for i := range info & 0xffff {
		name, typ, off := t.word(id, 3+3*i), t.word(id, 4+3*i), t.word(id, 5+3*i)
		if info>>31 != 0 {
			if off>>24 != 0 {
				continue
			}
			off &= 1<<24 - 1
		}
		if name == 0 {
			inner, kind, err := t.plain(typ)
			if err != nil {
				return err
			}
			if kind == kindStruct || kind == kindUnion {
				if err := t.members(s, inner, base+off, want, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		for _, w := range want.Members {
			if t.is(name, w.Name) {
				m, err := t.convert(typ, 0)
				if err != nil {
					return err
				}
				s.Members = append(s.Members, btf.Member{Name: w.Name, Type: m, Offset: btf.Bits(base + off)})
			}
		}
	}
	return nil
}

// need is what the programs need to know of a kernel.
type need struct {
	targets map[string]btf.TypeID // what programs attach to, by name
	spec    *btf.Spec             // the wanted members of the wanted structs
}

// look finds the targets, typedefs and functions, and the structs.
func look(raw []byte, targets []string, structs []*btf.Struct) (*need, error) {
	n := &need{targets: map[string]btf.TypeID{}}
	var t types
	ids := map[uint32]*btf.Struct{}
	var order []uint32
	err := t.parse(raw, func(id, kind, name uint32) {
		switch kind {
		case kindTypedef, kindFunc:
			for _, w := range targets {
				if t.is(name, w) {
					n.targets[w] = btf.TypeID(id)
				}
			}
		case kindStruct:
			for _, w := range structs {
				if t.is(name, w.Name) {
					ids[id] = w
					order = append(order, id)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, w := range targets {
		if n.targets[w] == 0 {
			return nil, fmt.Errorf("%s: %w", w, btf.ErrNotFound)
		}
	}
	var all []btf.Type
	for _, id := range order {
		s := &btf.Struct{Name: ids[id].Name, Size: t.word(id, 2)}
		if err := t.members(s, id, 0, ids[id], 0); err != nil {
			return nil, err
		}
		if len(s.Members) < len(ids[id].Members) {
			return nil, fmt.Errorf("members of struct %s: %w", s.Name, btf.ErrNotFound)
		}
		all = append(all, s)
	}
	b, err := btf.NewBuilder(all, nil)
	if err != nil {
		return nil, err
	}
	small, err := b.Marshal(nil, nil)
	if err != nil {
		return nil, err
	}
	n.spec, err = btf.LoadSpecFromReader(bytes.NewReader(small))
	return n, err
}
