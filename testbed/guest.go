package main

// A guest is one machine of the matrix.
type guest struct {
	name    string
	arch    string // as GOARCH has it
	kernel  string // series: names the package set kernel-SERIES-ARCH
	cpu     string // QEMU's -cpu
	smp     string // QEMU's -smp
	nodes   []node // of memory, 1024 MiB in all; nil: one node
	perf    bool   // Debian's perf is aboard
	modules []module
}

// A node of memory, with the CPUs that are near it as QEMU takes them: "0-1", "" for none.
// Linux tells memory apart in blocks of 128 MiB.
type node struct {
	cpus string
	mib  int
}

// A module is loaded at boot, in the order of the list, where its file exists.
type module struct{ name, parameters string }

// mainGuest is where most tests run and what -short boots.
const mainGuest = "icx-6.1"

// shortTests are those of testbed/guest that -short runs, one of each kind: every
// source of energy, a fault, the simulated PMUs, Debian's perf beside ours.
var shortTests = []string{
	"TestSteadyPower", "TestStampedEnergy", "TestEnergyOfPerfStat", "TestNoSource", "TestNoMSRModule",
	"TestOpenPowerRefused", "TestListAndDoctor", "TestUncoreCounts", "TestMemSamples", "TestBranchStack",
}

// Families and models are those of Intel's and AMD's manuals; the stock drivers
// look at nothing else. max has all instructions that TCG emulates; without the
// hypervisor bit rapl.ko loads, and the kernel believes in the TSC. Without the fast
// string operations nobody takes them for fast: TCG spends an instruction on each byte.
const (
	iceLakeSP      = "max,vendor=GenuineIntel,family=6,model=106,stepping=6,-hypervisor,-erms,-fsrm"
	sapphireRapids = "max,vendor=GenuineIntel,family=6,model=143,stepping=8,-hypervisor,-erms,-fsrm"
	zen3           = "max,vendor=AuthenticAMD,family=25,model=1,stepping=1,-hypervisor,-erms,-fsrm"
)

// x86Modules are the stock drivers around simrapl, whose registers they read
// when they load, and then the simulated PMUs. parameters are simrapl's and
// simpmu's.
func x86Modules(simrapl, simpmu string) []module {
	return []module{
		{"msr", ""}, {"simrapl", simrapl}, {"rapl", ""},
		{"iosf_mbi", ""}, {"intel_rapl_common", ""}, {"intel_rapl_msr", ""},
		{"simpmu", simpmu},
	}
}

var guests = []guest{
	{name: mainGuest, arch: "amd64", kernel: "6.1", cpu: iceLakeSP, smp: "2", perf: true, modules: x86Modules("", "")},
	{name: "spr-6.12", arch: "amd64", kernel: "6.12", cpu: sapphireRapids, smp: "2", modules: x86Modules("", "")},
	{name: "amd-6.12", arch: "amd64", kernel: "6.12", cpu: zen3, smp: "2", modules: x86Modules("", "")},
	{name: "icx2s-6.12", arch: "amd64", kernel: "6.12", cpu: iceLakeSP, smp: "4,sockets=2,cores=2,threads=1",
		nodes: []node{{"0-1", 384}, {"2-3", 512}, {"", 128}}, modules: x86Modules("", "")},
	{name: "arm64-6.1", arch: "arm64", kernel: "6.1", cpu: "max,pauth-impdef=on", smp: "2"},
}

func guestNames() []string {
	var names []string
	for _, g := range guests {
		names = append(names, g.name)
	}
	return names
}

func guestNamed(name string) (guest, bool) {
	for _, g := range guests {
		if g.name == name {
			return g, true
		}
	}
	return guest{}, false
}
