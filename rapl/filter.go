package rapl

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Filtering is what is known of Intel's energy filtering: since 2020 the
// microcode blurs the energy counters where SGX is in use, or where the firmware
// asks for it, because they gave away secrets (CVE-2020-8694, Intel SA-00389).
// Short differences of a blurred counter can be off by half.
type Filtering struct {
	SGX     bool  // /proc/cpuinfo has the flag: the kernel has SGX enabled
	Enabled bool  // IA32_MISC_PACKAGE_CTLS says that the filter is on
	Err     error // why the register could not be read; nil if it was, or if there is none
}

// Registers of energy filtering (SDM volume 4, table 2-2).
const (
	msrArchCapabilities = 0x10a // bit 10: the next one exists
	msrMiscPackageCtls  = 0xbc  // bit 0: ENERGY_FILTERING_ENABLE
)

// EnergyFiltering finds out whether the counters are blurred. Reading the
// register takes the rights of the "msr" source.
func (m Machine) EnergyFiltering() (Filtering, error) {
	cpu, err := m.processor()
	if err != nil {
		return Filtering{}, err
	}
	f := Filtering{SGX: cpu.flags["sgx"]}
	if !cpu.intel() || !cpu.hasRAPL() || !cpu.flags["arch_capabilities"] {
		return f, nil
	}
	online, err := m.online()
	if err != nil {
		return f, err
	}
	file, err := os.Open(m.msrPath(online[0].ID))
	if err != nil {
		f.Err = err
		return f, nil
	}
	defer file.Close()
	capabilities, err := readMSR(file, msrArchCapabilities)
	if err != nil || capabilities&(1<<10) == 0 {
		f.Err = err
		return f, nil
	}
	ctls, err := readMSR(file, msrMiscPackageCtls)
	f.Enabled, f.Err = ctls&1 != 0, err
	return f, nil
}

// energyNotes is what every source on RAPL must say besides its own.
func (m Machine) energyNotes() []string {
	var notes []string
	cpu, err := m.processor()
	if err != nil {
		return []string{err.Error()}
	}
	if cpu.virtual() {
		notes = append(notes, virtualNote)
	}
	f, err := m.EnergyFiltering()
	switch {
	case err != nil:
		notes = append(notes, fmt.Sprintf("whether energy filtering is on is not known: %v", err))
	case f.Enabled:
		notes = append(notes, "energy filtering is on: the processor blurs its energy counters, short intervals may be off by half")
	case f.SGX && f.Err != nil:
		notes = append(notes, "SGX is enabled, and the processor may blur its energy counters (energy filtering): short intervals may be off by half")
	case f.SGX:
		notes = append(notes, "SGX is enabled: the processor blurs its energy counters while enclaves are in use")
	}
	return notes
}

func (m Machine) msrPath(cpu int) string { return m.dev("cpu", fmt.Sprint(cpu), "msr") }

// readMSR reads one register: the offset in the file is its number (msr(4)).
// Whatever runs, only registers named in this package are read.
func readMSR(f io.ReaderAt, register int64) (uint64, error) {
	var b [8]byte
	if _, err := f.ReadAt(b[:], register); err != nil {
		return 0, fmt.Errorf("MSR %#x: %w", register, err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
