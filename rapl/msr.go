package rapl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
)

// The unit registers: MSR_RAPL_POWER_UNIT (SDM volume 4, table 2-20) and AMD's
// of the same layout (PPR of family 17h, MSRC001_0299).
const (
	msrUnitIntel = 0x606
	msrUnitAMD   = 0xc0010299
)

// The counters are the low 32 bits. What AMD shows above them on some parts is
// not documented, and the kernel's drivers mask it.
const msrRange = 1 << 32

func openMSR(m Machine) (Source, error) {
	cpu, err := m.processor()
	if err != nil {
		return nil, err
	}
	if cpu.vendor == "" {
		return nil, fmt.Errorf("energy registers are x86 processors': %w", ErrNoHardware)
	}
	if !cpu.hasRAPL() && !(m.offersRAPL() && (cpu.intel() || cpu.amd())) {
		return nil, fmt.Errorf("no energy registers in processor %q: %w", cpu.name, ErrNoHardware)
	}
	online, err := m.online()
	if err != nil {
		return nil, err
	}
	mt := &meter{info: Info{Name: "msr", Measured: true}}
	open := func(id int) (io.ReaderAt, error) {
		f, err := os.Open(m.msrPath(id))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
			return nil, fmt.Errorf("%w: %w", err, ErrNoDriver) // the msr module makes the files
		case err != nil:
			return nil, err
		}
		mt.closers = append(mt.closers, f.Close)
		return f, nil
	}
	if err := mt.addRegisters(cpu, online, open); err != nil {
		return nil, errors.Join(err, mt.Close())
	}
	mt.info.Notes = append(mt.info.Notes, m.energyNotes()...)
	return mt, mt.begin()
}

// offersRAPL tells whether a driver of the kernel found energy registers, which a
// virtual machine may have against all expectation.
func (m Machine) offersRAPL() bool {
	if _, err := m.pmus().PMU(powerPMUs[0]); err == nil {
		return true
	}
	entries, _ := os.ReadDir(m.sys("class/powercap"))
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "intel-rapl:") })
}

// addRegisters opens one file for each package or die, and on AMD for each core.
func (m *meter) addRegisters(cpu processor, online []pmu.CPU, openFile func(cpu int) (io.ReaderAt, error)) error {
	files := map[int]io.ReaderAt{}
	open := func(id int) (f io.ReaderAt, err error) {
		if f = files[id]; f == nil {
			f, err = openFile(id)
			files[id] = f
		}
		return f, err
	}
	packages := scopes(online, nil, !cpu.amd())
	for _, k := range known {
		register, unitRegister := k.intel, int64(msrUnitIntel)
		if cpu.amd() {
			register, unitRegister = k.amd, msrUnitAMD
		}
		if register == 0 {
			continue
		}
		where := packages
		switch k.name {
		case "core":
			where = cores(online, nil)
		case "psys":
			where = []scope{platform(packages[0], online)}
		}
		for _, s := range where {
			f, err := open(s.cpu)
			if err != nil {
				return err
			}
			units, err := readMSR(f, unitRegister)
			if errors.Is(err, unix.EIO) {
				return fmt.Errorf("%w: %w", err, ErrNoHardware)
			}
			if err != nil {
				return err
			}
			unit := cpu.unit(k.name, uint(units>>8&0x1f))
			d := Domain{Name: k.name, Package: s.pkg, CPUs: s.cpus, Sum: k.sum, Unit: unit}
			if err := m.addRegister(f, open, register, d); err != nil {
				return err
			}
		}
	}
	if sumless(m.info.Domains) {
		return fmt.Errorf("%s: %w", strings.Join(m.info.Notes, "; "), ErrNotCounting)
	}
	return nil
}

// addRegister adds a domain if its register exists and counts. Models lack some
// of them, and which ones is best asked of the register: reading one that is
// not there is an error (a general protection fault, which the driver catches).
func (m *meter) addRegister(f io.ReaderAt, open func(cpu int) (io.ReaderAt, error), register int64, d Domain) error {
	read := func() (uint64, error) {
		v, err := readMSR(f, register)
		// A CPU that went offline; all others of the domain show the same register.
		for i := 0; errors.Is(err, unix.ENXIO) && i < len(d.CPUs); i++ {
			if other, failed := open(d.CPUs[i]); failed == nil {
				f = other
				v, err = readMSR(f, register)
			}
		}
		return v & (msrRange - 1), err
	}
	value, err := read()
	switch {
	case errors.Is(err, unix.EIO) && d.Name == "package":
		return fmt.Errorf("%w: %w", err, ErrNoHardware)
	case errors.Is(err, unix.EIO):
		return nil
	case err != nil:
		return err
	case value == 0:
		m.info.Notes = append(m.info.Notes, fmt.Sprintf("%s (MSR %#x) is left out: it stands at zero", d, register))
		return nil
	}
	c := counter{unit: d.Unit, moduli: []uint64{msrRange}, maxWatts: plausibleWatts(d.Name)}
	m.channels = append(m.channels, channel{counter: c, steady: d.Sum, read: read})
	m.info.Domains = append(m.info.Domains, d)
	return nil
}
