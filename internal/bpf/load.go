package bpf

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// The program, for either kind of CPU: amd64 and arm64 are both little-endian,
// and what differs between kernels is found in their BTF when it is loaded.
//
//go:generate sh build.sh
//go:embed sched.bpf.o
var object []byte

// Why there can be no account.
var (
	ErrPermission = errors.New("this user may not load BPF programs")
	ErrNoBTF      = errors.New("the kernel does not describe its types in " + kernelBTF + " (CONFIG_DEBUG_INFO_BTF)")
	ErrLockdown   = errors.New("the kernel is in lockdown (confidentiality), which lets no BPF program read it")
	ErrTooOld     = errors.New("the kernel is too old for the BPF programs")
)

// lockdown has the modes of lockdown, the one in force in brackets.
const lockdown = "/sys/kernel/security/lockdown"

// New loads the programs and follows tasks from now on; there is no account
// before Start. The caller closes the Account.
func New() (*Account, error) {
	a := &Account{}
	load := func() error { return withKernelTypes(a.load) }
	err := load()
	if errors.Is(err, unix.EPERM) {
		// Before 5.11 maps and programs count as locked memory.
		err = withLockedMemory(load, err)
	}
	if err == nil {
		err = a.follow()
	}
	if err != nil {
		a.Close()
		if errors.Is(err, ErrNoBTF) {
			return nil, err
		}
		if confidential(lockdown) {
			return nil, ErrLockdown
		}
		return nil, reason(err)
	}
	return a, nil
}

func (a *Account) load(options ebpf.CollectionOptions) error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return err
	}
	possible, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	spec.Maps["cpus"].MaxEntries = uint32(possible)
	if err := spec.LoadAndAssign(&a.objects, &options); err != nil {
		return err
	}
	size := int(a.objects.CPUs.MaxEntries() * a.objects.CPUs.ValueSize())
	a.memory, err = unix.Mmap(a.objects.CPUs.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the account: %w", err)
	}
	a.cpus = view(a.memory, possible)
	a.given, a.full = make([]int64, possible), make([]int64, possible)
	return nil
}

// follow attaches the programs that keep the table of members. Those that free
// their tasks come first, so that none stays.
func (a *Account) follow() error {
	for _, p := range []*ebpf.Program{a.objects.Freed, a.objects.Born} {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attaching %s: %w", p, err)
		}
		a.links = append(a.links, l)
	}
	return nil
}

// withLockedMemory tries again with no limit of locked memory, if there is one
// and this user may lift it. It is put back: a command would inherit it.
func withLockedMemory(load func() error, err error) error {
	var limit unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_MEMLOCK, nil, &limit) != nil || limit.Cur == unix.RLIM_INFINITY {
		return err
	}
	none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &none, nil) != nil {
		return err
	}
	defer unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &limit, nil)
	return load()
}

// confidential tells whether the kernel may not be read. It then refuses the
// helpers that read it, which the verifier's message takes for an unknown function.
func confidential(lockdown string) bool {
	modes, err := os.ReadFile(lockdown)
	return err == nil && bytes.Contains(modes, []byte("[confidentiality]"))
}

// reason says in one sentence why there is no account.
func reason(err error) error {
	var rejected *ebpf.VerifierError
	switch {
	case errors.As(err, &rejected) && len(rejected.Log) > 0:
		// The verifier's word for an access that it does not allow is EACCES, too.
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return ErrPermission
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, btf.ErrNotFound):
		return fmt.Errorf("%w (they need Linux 5.10): %w", ErrTooOld, err)
	}
	return fmt.Errorf("loading the BPF programs: %w", err)
}
