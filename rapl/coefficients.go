package rapl

import "strings"

// coefficients are the power of one logical CPU of a microarchitecture in W, idle
// and fully busy, linear between.
type coefficients struct {
	arch       string
	idle, busy float64 // W per logical CPU
	band       float64 // relative error of the whole
	source     string
}

const (
	ccf = "Cloud Carbon Footprint coefficients (ccf-coefficients, 2024-04), from SPECpower_ssj2008"
	// A server's power at the plug includes memory, disks, fans and the loss of
	// power supplies: the processor is 40 to 70 % of it, by load. The regressions that Boavizta
	// publishes for the same families differ by as much.
	knownBand = 0.5
	// Between the families below, watts per busy logical CPU differ by a factor of five.
	genericBand = 0.8
)

// Coefficients by microarchitecture. Left out on purpose: Graviton, whose rows in
// the source are copies of EPYC 2, and EPYC 5, an outlier of 9 W per thread.
var byArch = map[string]coefficients{
	"sandy bridge":    {idle: 2.212, busy: 8.631},
	"ivy bridge":      {idle: 1.707, busy: 5.557},
	"haswell":         {idle: 1.857, busy: 5.595},
	"broadwell":       {idle: 0.713, busy: 3.685},
	"skylake":         {idle: 0.613, busy: 4.104},
	"cascade lake":    {idle: 0.690, busy: 4.063},
	"coffee lake":     {idle: 1.138, busy: 5.422},
	"ice lake":        {idle: 0.767, busy: 3.758},
	"sapphire rapids": {idle: 1.036, busy: 4.160},
	"emerald rapids":  {idle: 0.814, busy: 4.482},
	"granite rapids":  {idle: 0.582, busy: 2.527},
	"epyc 1":          {idle: 0.847, busy: 2.604},
	"epyc 2":          {idle: 0.474, busy: 1.693},
	"epyc 3":          {idle: 0.456, busy: 1.957},
	"epyc 4":          {idle: 0.739, busy: 2.282},
}

// generic is for a processor that is not in the table: the means that Cloud
// Carbon Footprint uses where it does not know the machine (AWS).
var generic = coefficients{arch: "unknown processor", idle: 0.74, busy: 3.5, band: genericBand,
	source: "Cloud Carbon Footprint's means for AWS"}

// intelArch is the microarchitecture of an Intel model of family 6
// (arch/x86/include/asm/intel-family.h).
var intelArch = map[int]string{
	0x2a: "sandy bridge", 0x2d: "sandy bridge",
	0x3a: "ivy bridge", 0x3e: "ivy bridge",
	0x3c: "haswell", 0x3f: "haswell", 0x45: "haswell", 0x46: "haswell",
	0x3d: "broadwell", 0x47: "broadwell", 0x4f: "broadwell", broadwellD: "broadwell",
	0x4e: "skylake", 0x5e: "skylake", 0x55: "skylake",
	0x8e: "coffee lake", 0x9e: "coffee lake",
	0x6a: "ice lake", 0x6c: "ice lake",
	0x8f: "sapphire rapids", 0xcf: "emerald rapids", 0xad: "granite rapids", 0xae: "granite rapids",
}

// coefficientsOf chooses by vendor, family, model and, where one model number
// stands for two generations, stepping.
func coefficientsOf(p processor) coefficients {
	arch := ""
	switch {
	case p.intel() && p.family == 6:
		arch = intelArch[p.model]
		if p.model == 0x55 && p.stepping >= 5 { // 5 to 7 Cascade Lake, 10 and 11 Cooper Lake
			arch = "cascade lake"
		}
	case p.amd() && strings.Contains(p.name, "EPYC"):
		// The table is of servers: a desktop part of the same family is not in it.
		switch {
		case p.family == 0x17 && p.model < 0x30:
			arch = "epyc 1"
		case p.family == 0x17:
			arch = "epyc 2"
		case p.family == 0x19 && p.model < 0x10:
			arch = "epyc 3"
		case p.family == 0x19:
			arch = "epyc 4"
		}
	}
	c, ok := byArch[arch]
	if !ok {
		return generic
	}
	c.arch, c.band, c.source = arch, knownBand, ccf
	return c
}
