package attribution

// functions knows what keys are spent in.
type functions struct {
	ask    func(Key) (function, pool int32)
	known  []int32 // by key: its function + 1, 0 if not asked yet
	pools  []int32 // by function
	types  int32   // of cores
	typeOf []uint8 // by CPU

	sampled *Sampled // nil: the weights are CPU time
}

func newFunctions(opt *Options) *functions {
	f := &functions{ask: opt.Function, types: 1, typeOf: opt.CoreType}
	f.sampled = opt.Sampled
	for _, t := range opt.CoreType {
		f.types = max(f.types, int32(t)+1)
	}
	if f.ask == nil {
		f.ask = func(k Key) (int32, int32) { return int32(k), 0 }
	}
	return f
}

// of returns the function of a key.
func (f *functions) of(k Key) int32 {
	if int(k) >= len(f.known) {
		f.known = grow(f.known, int(k)+1)
	}
	if f.known[k] == 0 {
		fn, pool := f.ask(k)
		fn, pool = max(fn, 0), max(pool, 0)
		f.known[k] = fn + 1
		if int(fn) >= len(f.pools) {
			f.pools = grow(f.pools, int(fn)+1)
		}
		f.pools[fn] = pool
	}
	return f.known[k] - 1
}

// unit is a function on a type of core, which is what has a power.
func (f *functions) unit(fn int32, cpu int32) int32 {
	if int(cpu) >= len(f.typeOf) {
		return fn * f.types
	}
	return fn*f.types + int32(f.typeOf[cpu])
}

func (f *functions) units() int { return len(f.pools) * int(f.types) }
