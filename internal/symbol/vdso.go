package symbol

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

// maxVDSO is far above the 4 to 16 KiB that the kernel maps.
const maxVDSO = 1 << 20

// openVDSO gives the functions that the kernel maps into every process. Its
// image is in no file; ours is everybody's, but for 32-bit processes.
func (r *Resolver) openVDSO(m Mapping) (*Binary, error) {
	if m.Limit <= 1<<32 {
		return nil, fmt.Errorf("%s of a 32-bit process: %w", m.File, ErrNoFile)
	}
	if r.vdso != nil {
		return r.vdso, nil
	}
	data, err := readVDSO()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	im, err := readImage(bytes.NewReader(data), int64(len(data)), r.opt.Limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	r.vdso = &Binary{Path: m.File, BuildID: im.buildID(), lim: r.opt.Limits, image: im}
	return r.vdso, nil
}

// readVDSO copies the image out of our own memory, always through the real
// /proc: a captured one has no memory.
func readVDSO() ([]byte, error) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer maps.Close()
	for sc := bufio.NewScanner(maps); sc.Scan(); {
		if !strings.HasSuffix(sc.Text(), " [vdso]") {
			continue
		}
		var start, limit int64
		if _, err := fmt.Sscanf(sc.Text(), "%x-%x", &start, &limit); err != nil || limit-start > maxVDSO {
			return nil, formatError("%q in /proc/self/maps", sc.Text())
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			return nil, err
		}
		defer mem.Close()
		data := make([]byte, limit-start)
		_, err = mem.ReadAt(data, start)
		return data, err
	}
	return nil, ErrNoFile
}
