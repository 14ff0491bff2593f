package pebs

import (
	"strconv"
	"strings"
)

// String is what perf script -F data_src prints after the number, whole (perf cuts it at 82 characters):
//
//	|OP LOAD|LVL L3 or L3 hit|SNP None|TLB L1 or L2 hit|LCK No|BLK  N/A
//
// The words are those of perf 6.1, which prints both what mem_lvl and what mem_lvl_num say. Later ones
// print the number alone where there is one: "L3 hit". Numbers that perf 6.1 has no name for, and prints
// as "L5" to "L8", are named as the kernel's header and later perf name them: "L2 MHB" and "Memory-side
// Cache" (kernel 6.11), "L0" (7.0), "Uncached" (6.6). What is in the bits from 46 on is printed only where
// it is set, as by a perf that knows it: "STORE SIMD", "AFF PRED SG".
func (d DataSource) String() string {
	var b strings.Builder
	b.Grow(96)
	b.WriteString("|OP ")
	b.WriteString(d.OpWords())
	b.WriteString("|LVL ")
	b.WriteString(d.LevelWords())
	b.WriteString("|SNP ")
	b.WriteString(d.SnoopWords())
	b.WriteString("|TLB ")
	b.WriteString(d.TLBWords())
	b.WriteString("|LCK ")
	b.WriteString(d.LockWords())
	b.WriteString("|BLK  ") // perf writes one blank before the words and one before each word
	b.WriteString(d.BlockWords())
	if words := d.affiliateWords(); words != "" {
		b.WriteString("|AFF ")
		b.WriteString(words)
	}
	return b.String()
}

// OpWords says what was done: "LOAD", "STORE", "PFETCH", "EXEC", "N/A", or "No" where nothing is set.
// An access that loads and stores is called a load, as perf calls it.
func (d DataSource) OpWords() string {
	word := "No"
	switch {
	case d.has(OpNA):
		word = "N/A"
	case d.has(OpLoad):
		word = "LOAD"
	case d.has(OpStore):
		word = "STORE"
	case d.has(OpPrefetch):
		word = "PFETCH"
	case d.has(OpExec):
		word = "EXEC"
	}
	if more := d.extendedOpWords(); more != "" {
		return word + " " + more
	}
	return word
}

var (
	levelWords = [...]string{"N/A", "HIT", "MISS", "L1", "LFB/MAB", "L2", "L3", "Local RAM", "Remote RAM (1 hop)",
		"Remote RAM (2 hops)", "Remote Cache (1 hop)", "Remote Cache (2 hops)", "I/O", "Uncached"}
	numWords = [16]string{1: "L1", 2: "L2", 3: "L3", 4: "L4", 5: "L2 MHB", 6: "Memory-side Cache", 7: "L0", 8: "Uncached",
		9: "CXL", 10: "I/O", 11: "Any cache", 12: "LFB/MAB", 13: "RAM", 14: "PMEM", 15: "N/A"}
	hopsWords  = [...]string{1: "core, same node", 2: "node, same socket", 3: "socket, same board", 4: "board"}
	snoopWords = [...]string{"N/A", "None", "Hit", "Miss", "HitM"}
	moreSnoop  = [...]string{"Fwd", "Peer"}
	tlbWords   = [...]string{"N/A", "HIT", "MISS", "L1", "L2", "Walker", "Fault"}
)

// LevelWords says where it was found or missed: "L3 or L3 hit", "Remote Any cache hit", "N/A". This is
// what perf mem report names it.
func (d DataSource) LevelWords() string {
	var b strings.Builder
	if d.has(RemoteBit) {
		b.WriteString("Remote ")
	}
	named := false
	if h := d & hopsMask >> hopsShift; h != 0 {
		// perf leaves the bits of mem_lvl out then. It has no words for the numbers above 4.
		if int(h) < len(hopsWords) {
			b.WriteString(hopsWords[h])
		} else {
			b.WriteString(strconv.Itoa(int(h)-1) + " hops")
		}
		b.WriteByte(' ')
	} else {
		bits := (d &^ (LvlHit | LvlMiss)) >> 5 & (1<<len(levelWords) - 1)
		named = bits != 0
		choose(&b, levelWords[:], bits)
	}
	if n := d & NumMask >> numShift; n != 0 {
		if named {
			b.WriteString(" or ")
		}
		b.WriteString(numWords[n])
	}
	hitOrMiss(&b, d.has(LvlHit), d.has(LvlMiss))
	return b.String()
}

// SnoopWords says what other caches had: "None", "Hit", "HitM", "Hit or Fwd", "N/A".
func (d DataSource) SnoopWords() string {
	low, high := d>>19&0x1f, d>>38&0x3
	switch {
	case low == 0 && high == 0:
		return "N/A"
	case high == 0 && low&(low-1) == 0, low == 0 && high&(high-1) == 0: // one bit: no need to build
		return one(snoopWords[:], low) + one(moreSnoop[:], high)
	}
	var b strings.Builder
	choose(&b, snoopWords[:], low)
	if low != 0 && high != 0 {
		b.WriteString(" or ")
	}
	choose(&b, moreSnoop[:], high)
	return b.String()
}

// TLBWords says what translated the address: "L1 or L2 hit", "L2 miss", "Walker hit", "N/A".
func (d DataSource) TLBWords() string {
	var b strings.Builder
	choose(&b, tlbWords[:], (d&^(TLBHit|TLBMiss))>>26&(1<<len(tlbWords)-1))
	hitOrMiss(&b, d.has(TLBHit), d.has(TLBMiss))
	return b.String()
}

// LockWords says whether the instruction was locked: "Yes", "No" or "N/A".
func (d DataSource) LockWords() string {
	switch {
	case d.has(LockNA):
		return "N/A"
	case d.has(LockLocked):
		return "Yes"
	}
	return "No"
}

// BlockWords says why the access had to wait: "Data", "Addr", "Data Addr" or "N/A".
func (d DataSource) BlockWords() string {
	switch {
	case d.has(BlockNA), !d.has(BlockData | BlockAddr):
		return "N/A"
	case !d.has(BlockAddr):
		return "Data"
	case !d.has(BlockData):
		return "Addr"
	}
	return "Data Addr"
}

// choose writes the words of the bits that are set, from the lowest.
func choose(b *strings.Builder, words []string, bits DataSource) {
	first := true
	for i, word := range words {
		if bits>>i&1 == 0 {
			continue
		}
		if !first {
			b.WriteString(" or ")
		}
		first = false
		b.WriteString(word)
	}
}

// one is the word of the one bit that is set, if any.
func one(words []string, bits DataSource) string {
	for i, word := range words {
		if bits>>i&1 != 0 {
			return word
		}
	}
	return ""
}

// hitOrMiss ends what was named so far, or says that nothing was.
func hitOrMiss(b *strings.Builder, hit, miss bool) {
	if b.Len() == 0 {
		b.WriteString("N/A")
	}
	if hit {
		b.WriteString(" hit")
	}
	if miss {
		b.WriteString(" miss")
	}
}
