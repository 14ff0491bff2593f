package gopclntab

import (
	"errors"
	"fmt"
	"io"
)

// Words of runtime.moduledata. Up to text it is the same from Go 1.16 on;
// gofunc came with 1.18 and moved with the coverage counters of 1.20.
const (
	modulePCHeader  = 0
	moduleFuncnames = 1
	moduleUnits     = 4
	moduleText      = 22
	moduleGofunc118 = 38
	moduleGofunc120 = 40
	moduleWords     = 41
)

// maxModuleBytes is how much data and relocations are searched for the module
// data: beyond what programs have but for those that embed whole file systems.
const maxModuleBytes = 256 << 20

// locate finds the start of Go's code, and what offsets of inline trees are
// relative to: in the module data; without it, in the header (Go 1.18 to 1.25).
// Go 1.16 and 1.17 have addresses.
func (t *Table) locate(p Program, textStart uint64) error {
	module, err := t.findModule(p)
	if err != nil {
		return err
	}
	if module != nil {
		t.text = module[moduleText]
		switch t.version {
		case go118:
			t.gofunc = module[moduleGofunc118]
		case go120:
			t.gofunc = module[moduleGofunc120]
		}
		return nil
	}
	if t.version < go118 {
		return nil
	}
	if t.text = textStart; t.text == 0 {
		return fmt.Errorf("%w: nothing tells where Go's code starts", ErrFormat)
	}
	return nil
}

// findModule gives the words of runtime.moduledata: it starts with the address
// of the table, and has those of the table's parts. Nil if it is not there.
func (t *Table) findModule(p Program) ([]uint64, error) {
	budget := uint64(maxModuleBytes)
	var found []uint64
	each := func(addr uint64) (bool, error) {
		words, err := t.moduleAt(p, addr, &budget)
		if err != nil {
			return false, err
		}
		if words[modulePCHeader] == t.table.Start && words[moduleFuncnames] == t.names && words[moduleUnits] == t.units {
			found = words
		}
		return found != nil, nil
	}
	for _, r := range p.Relocations {
		err := eachRelocation(p.Memory, r, &budget, func(at, value uint64) (bool, error) {
			if value != t.table.Start || !inAny(p.Module, at) {
				return false, nil
			}
			return each(at)
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	for _, r := range p.Module {
		err := eachPiece(p.Memory, r, &budget, func(at uint64, b []byte) (bool, error) {
			for ; len(b) >= 8; at, b = at+8, b[8:] {
				if le64(b) == t.table.Start {
					if done, err := each(at); done || err != nil {
						return done, err
					}
				}
			}
			return false, nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}

// moduleAt reads the module data that may be at addr. Pointers that the file
// lacks because the loader puts them there come from the relocations.
func (t *Table) moduleAt(p Program, addr uint64, budget *uint64) ([]uint64, error) {
	b := make([]byte, 8*moduleWords)
	// What is cut short is none: the rest is zero.
	if _, err := p.Memory.ReadAt(b, int64(addr)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	words := make([]uint64, moduleWords)
	for i := range words {
		words[i] = le64(b[8*i:])
	}
	for _, r := range p.Relocations {
		err := eachRelocation(p.Memory, r, budget, func(at, value uint64) (bool, error) {
			if i := (at - addr) / 8; at >= addr && i < moduleWords && (at-addr)%8 == 0 {
				words[i] = value
			}
			return false, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return words, nil
}

func inAny(all []Range, addr uint64) bool {
	for _, r := range all {
		if r.holds(addr) {
			return true
		}
	}
	return false
}

// The relocations that add where the program was loaded to a constant.
const (
	relativeAMD64 = 8    // R_X86_64_RELATIVE
	relativeARM64 = 1027 // R_AARCH64_RELATIVE
	relaSize      = 24   // of Elf64_Rela: offset, info, addend
)

// eachRelocation calls f for the relative relocations of a table of Elf64_Rela,
// until it is done.
func eachRelocation(r io.ReaderAt, table Range, budget *uint64, f func(at, value uint64) (bool, error)) error {
	return eachPiece(r, table, budget, func(_ uint64, b []byte) (bool, error) {
		for ; len(b) >= relaSize; b = b[relaSize:] {
			if kind := le64(b[8:]); kind != relativeAMD64 && kind != relativeARM64 {
				continue
			}
			if done, err := f(le64(b), le64(b[16:])); done || err != nil {
				return done, err
			}
		}
		return false, nil
	})
}

// eachPiece reads a range in pieces, whose size words and relocations divide.
func eachPiece(r io.ReaderAt, whole Range, budget *uint64, f func(at uint64, b []byte) (bool, error)) error {
	buf := make([]byte, min(relaSize<<12, whole.size()))
	for at := whole.Start; at < whole.Limit; at += uint64(len(buf)) {
		n := min(uint64(len(buf)), whole.Limit-at)
		if *budget < n {
			return fmt.Errorf("%w: more than %d bytes searched for the module data", ErrLimit, maxModuleBytes)
		}
		*budget -= n
		got, err := r.ReadAt(buf[:n], int64(at))
		if got == 0 && err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if done, err := f(at, buf[:got]); done || err != nil {
			return err
		}
		if uint64(got) < n {
			return nil
		}
	}
	return nil
}
