package bpf

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"weak"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// kernelBTF is where the kernel describes its types.
const kernelBTF = "/sys/kernel/btf/vmlinux"

// kernelTypes are the types of the kernel as they were read last, if they are still in memory: to read them takes much longer than
// anything else does when programs are loaded.
var kernelTypes struct {
	sync.Mutex
	cache weak.Pointer[btf.Cache]
}

// withKernelTypes loads programs that refer to types of the kernel, one collection at a time.
func withKernelTypes(load func(ebpf.CollectionOptions) error) error {
	if _, err := os.Stat(kernelBTF); errors.Is(err, fs.ErrNotExist) {
		return ErrNoBTF
	}
	kernelTypes.Lock()
	defer kernelTypes.Unlock()
	cache := kernelTypes.cache.Value()
	if cache == nil {
		cache = btf.NewCache()
		kernelTypes.cache = weak.Make(cache)
	}
	// Without these types it would decode those of every loaded module, too.
	types, err := cache.Kernel()
	if err != nil {
		return err
	}
	return load(ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}, Cache: cache})
}
