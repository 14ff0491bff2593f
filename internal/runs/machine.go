package runs

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// ThisMachine reads what a manifest tells of the machine. sys and proc are the roots of sysfs and procfs; what they do
// not tell is left out.
func ThisMachine(sys, proc string) Machine {
	m := Machine{Architecture: runtime.GOARCH, Governor: governors(sys)}
	m.Kernel = strings.TrimSpace(text(filepath.Join(proc, "sys/kernel/osrelease")))
	if online, err := pmu.NewFS(sys, proc).OnlineCPUs(); err == nil {
		m.CPUs = len(online)
	}
	m.CPU, m.Virtualization = processor(filepath.Join(proc, "cpuinfo"))
	if kind := hypervisor(sys); kind != "" {
		m.Virtualization = kind
	}
	return m
}

// text is a file's first kilobytes, "" where there is none.
func text(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data[:min(len(data), 64<<10)])
}

// processor is the model of the first CPU, and "hypervisor" where CPUID says that there is one (leaf 1, ECX bit 31).
// On arm64 /proc/cpuinfo has no names: the model is the numbers of implementer, part and revision (MIDR_EL1).
func processor(cpuinfo string) (model, virtual string) {
	fields := map[string]string{}
	for line := range strings.Lines(text(cpuinfo)) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			if len(fields) > 0 {
				break // of the first CPU
			}
			continue
		}
		fields[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	model = fields["model name"]
	if part := fields["CPU part"]; model == "" && part != "" {
		model = "implementer " + fields["CPU implementer"] + " part " + part + " variant " + fields["CPU variant"] + " revision " + fields["CPU revision"]
	}
	if slices.Contains(strings.Fields(fields["flags"]), "hypervisor") {
		virtual = "hypervisor"
	}
	return model, virtual
}

// hypervisor names the hypervisor where sysfs tells: Xen by its own directory, others by the firmware's tables, whose
// vendor or product is the hypervisor's ("" also on real machines).
func hypervisor(sys string) string {
	if kind := strings.TrimSpace(text(filepath.Join(sys, "hypervisor/type"))); kind != "" {
		return kind
	}
	names := text(filepath.Join(sys, "class/dmi/id/sys_vendor")) + " " + text(filepath.Join(sys, "class/dmi/id/product_name"))
	for _, known := range []struct{ word, kind string }{
		{"QEMU", "qemu"}, {"KVM", "kvm"}, {"Google Compute Engine", "google"}, {"Amazon EC2", "amazon"}, {"VMware", "vmware"},
		{"VirtualBox", "virtualbox"}, {"Virtual Machine", "hyper-v"}, {"OpenStack", "openstack"}, {"Firecracker", "firecracker"},
	} {
		// The metal machines of Amazon have its name as well, and say so.
		if strings.Contains(names, known.word) && !strings.Contains(names, ".metal") {
			return known.kind
		}
	}
	return ""
}

// governors are those of cpufreq, each once; "" without cpufreq, as in virtual machines.
func governors(sys string) string {
	paths, _ := filepath.Glob(filepath.Join(sys, "devices/system/cpu/cpu*/cpufreq/scaling_governor"))
	var all []string
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil {
			all = append(all, string(bytes.TrimSpace(data)))
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}
