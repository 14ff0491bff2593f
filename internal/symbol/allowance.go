package symbol

import "sync/atomic"

// allowance is what all binaries of a [Resolver] may still cost together. [Limits] bound what one costs, but a program
// may map any number of files that are made to cost just that, and the end of a recording waits for their names.
type allowance struct {
	work   atomic.Int64 // bytes examined, as Limits.DebugWork counts them, and decompressed
	tables atomic.Int64 // bytes of symbol tables
	kept   atomic.Int64 // bytes of debug information that stay for later questions: decompressed, indexes, names
}

// What all may cost, in terms of what one may: with the defaults 16 GiB of work, which is about half
// a minute, 1 GiB of symbol tables, and 1 GiB that is kept.
const (
	allWork   = 8
	allTables = 4
	allKept   = 2
)

func newAllowance(lim Limits) *allowance {
	a := &allowance{}
	a.work.Store(allWork * lim.DebugWork)
	a.tables.Store(allTables * lim.TableBytes)
	a.kept.Store(allKept * lim.Decompressed)
	return a
}

// limits are those of the binary, as far as others have left it something.
func (b *Binary) limits() Limits {
	lim := b.lim
	if b.together != nil {
		work := max(b.together.work.Load(), 0)
		lim.DebugWork = min(lim.DebugWork, work)
		lim.Decompressed = min(lim.Decompressed, work)
	}
	return lim
}

// tableLimits are limits for symbol tables.
func (b *Binary) tableLimits() Limits {
	lim := b.limits()
	if b.together != nil {
		lim.TableBytes = min(lim.TableBytes, max(b.together.tables.Load(), 0))
	}
	return lim
}

// worked takes n bytes from what all may examine.
func (b *Binary) worked(n int64) {
	if b.together != nil {
		b.together.work.Add(-n)
	}
}

// searching lets f search d, which it may for what is left, and counts what that took.
func (b *Binary) searching(d *debugInfo, f func() error) error {
	d.lim.DebugWork = b.limits().DebugWork
	d.work = d.lim.DebugWork
	if d.shared != nil {
		d.shared.lim.DebugWork, d.shared.work = d.work, d.work
	}
	err := f()
	b.worked(d.worked())
	if d.shared != nil {
		b.worked(d.shared.worked())
	}
	return err
}

// worked is what the search since work was last set has examined.
func (d *debugInfo) worked() int64 { return d.lim.DebugWork - max(d.work, 0) }

// release counts what is kept of debug information, and forgets it where that is more than all may keep; it is read
// again when asked for.
func (b *Binary) release() {
	d := b.lines
	if d == nil || b.together == nil {
		return
	}
	kept := d.memory()
	if d.shared != nil {
		kept += d.shared.memory()
	}
	left := b.together.kept.Add(d.counted - kept)
	if d.counted = kept; left >= 0 {
		return
	}
	b.together.kept.Add(kept)
	b.supplement.close()
	b.lines, b.supplement, b.released = nil, nil, true
}

// memory is about how many bytes d keeps.
func (d *debugInfo) memory() int64 {
	return d.decompressed() + spanBytes*int64(cap(d.spans)) + 8*int64(cap(d.units)) + int64(maxText-max(d.textLeft, 0))
}
