package bpf

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// kernelBTF is where the kernel describes its types.
const kernelBTF = "/sys/kernel/btf/vmlinux"

// kernelTypes are the types of the kernel, once they have been read, which takes much longer than anything else does when programs are
// loaded. They take 3.5 MB.
var kernelTypes struct {
	sync.Mutex
	cache *btf.Cache
}

// withKernelTypes loads programs that refer to types of the kernel, one collection at a time.
func withKernelTypes(load func(ebpf.CollectionOptions) error) error {
	if _, err := os.Stat(kernelBTF); errors.Is(err, fs.ErrNotExist) {
		return ErrNoBTF
	}
	kernelTypes.Lock()
	defer kernelTypes.Unlock()
	if kernelTypes.cache == nil {
		kernelTypes.cache = btf.NewCache()
	}
	// Without these types it would decode those of every loaded module, too.
	types, err := kernelTypes.cache.Kernel()
	if err != nil {
		return err
	}
	return load(ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}, Cache: kernelTypes.cache})
}
