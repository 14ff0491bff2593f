package memory

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// LineSize is the size of a cache line of the machine whose sysfs is at sys, in bytes, for Options.Line; 0 if it does not
// tell (virtual machines may hide their caches), or tells something else than a power of two up to a page. It
// is what the cores keep coherent: sharing is of whole lines.
func LineSize(sys string) int {
	text, err := os.ReadFile(filepath.Join(sys, "devices/system/cpu/cpu0/cache/index0/coherency_line_size"))
	if err != nil {
		return 0
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || size < 8 || size > defaultPage || size&(size-1) != 0 {
		return 0
	}
	return size
}
