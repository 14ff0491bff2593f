package runs

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files are as Linux 6.1 writes them.
func TestThisMachine(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  Machine
	}{
		"server": {map[string]string{
			"proc/cpuinfo":                                         "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Gold 6330\nflags\t\t: fpu vme\n\nprocessor\t: 1\nmodel name\t: another\nflags\t\t: hypervisor\n",
			"proc/sys/kernel/osrelease":                            "6.1.0-18-amd64\n",
			"sys/devices/system/cpu/online":                        "0-1\n",
			"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
			"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
			"sys/class/dmi/id/sys_vendor":                          "Dell Inc.\n",
		}, Machine{CPU: "Intel(R) Xeon(R) Gold 6330", CPUs: 2, Kernel: "6.1.0-18-amd64", Governor: "performance"}},
		"virtual": {map[string]string{
			"proc/cpuinfo":                  "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n",
			"sys/devices/system/cpu/online": "0\n",
			"sys/class/dmi/id/sys_vendor":   "QEMU\n",
		}, Machine{CPU: "AMD EPYC", CPUs: 1, Virtualization: "qemu"}},
		"hypervisor of no name": {map[string]string{"proc/cpuinfo": "model name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n"}, Machine{CPU: "AMD EPYC", Virtualization: "hypervisor"}},
		"metal of a cloud": {map[string]string{
			"proc/cpuinfo":                  "model name\t: Intel(R) Xeon(R)\nflags\t\t: fpu\n",
			"sys/class/dmi/id/sys_vendor":   "Amazon EC2\n",
			"sys/class/dmi/id/product_name": "c5.metal\n",
		}, Machine{CPU: "Intel(R) Xeon(R)"}},
		"arm64": {map[string]string{
			"proc/cpuinfo":                  "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n",
			"sys/devices/system/cpu/online": "0-63\n",
		}, Machine{CPU: "implementer 0x41 part 0xd0c variant 0x3 revision 1", CPUs: 64}},
		"two governors": {map[string]string{
			"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
			"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
		}, Machine{Governor: "performance,schedutil"}},
		"nothing": {nil, Machine{}},
	} {
		root := t.TempDir()
		for file, text := range test.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, path, []byte(text))
		}
		test.want.Architecture = runtime.GOARCH
		if diff := cmp.Diff(test.want, ThisMachine(filepath.Join(root, "sys"), filepath.Join(root, "proc"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
