package symbol

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// deletedSuffix is what the kernel appends to the path of an unlinked file.
const deletedSuffix = " (deleted)"

// place is where the file of a mapping may be found.
type place struct {
	path string
	open func() (int, unix.Stat_t, error)
	// link: the kernel's own link to what is mapped at these addresses now.
	link bool
	// strict: the path alone is no evidence at all.
	strict bool
}

// places lists where to look, the best evidence first.
func (r *Resolver) places(m Mapping) []place {
	var all []place
	direct := func(path string, link, strict bool) {
		all = append(all, place{path, func() (int, unix.Stat_t, error) { return openPath(path) }, link, strict})
	}
	below := func(root, name string, strict bool) {
		open := func() (int, unix.Stat_t, error) { return openBelow(root, name, false) }
		all = append(all, place{filepath.Join(root, name), open, false, strict})
	}
	name, deleted := strings.CutSuffix(m.File, deletedSuffix)
	proc := filepath.Join(r.opt.Proc, strconv.Itoa(m.PID))
	if m.PID > 0 {
		direct(fmt.Sprintf("%s/map_files/%x-%x", proc, m.Start, m.Limit), true, false)
		if deleted { // a file can really be called so
			below(proc+"/root", m.File, true)
		}
		below(proc+"/root", name, deleted)
		// map_files is for root alone, exe for the owner too.
		direct(proc+"/exe", false, true)
	}
	below(r.opt.Root, name, deleted || m.PID > 0 && !r.sameRoot(proc))
	if r.opt.Cache != "" && len(m.BuildID) > 2 {
		direct(filepath.Join(r.opt.Cache, ".build-id", m.BuildID[:2], m.BuildID[2:], "elf"), false, true)
	}
	return all
}

// sameRoot says whether paths mean the same to the process and to us. Of a
// process that is gone this is not known, and taken to be so.
func (r *Resolver) sameRoot(proc string) bool {
	var theirs, ours unix.Stat_t
	if unix.Stat(proc+"/root/.", &theirs) != nil || unix.Stat(r.opt.Root, &ours) != nil {
		return true
	}
	return theirs.Dev == ours.Dev && theirs.Ino == ours.Ino
}

// check compares the file at a place with a mapping that has no build id.
// known is false when all there is to go by is the path.
func (p place) check(m Mapping, fd int, st *unix.Stat_t) (known bool, err error) {
	replaced := fmt.Errorf("%s: %w: device %d:%d inode %d, mapped %d:%d inode %d", p.path, ErrReplaced,
		unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino, m.Major, m.Minor, m.Inode)
	linked := p.link && linkIs(p.path, m.File)
	if m.Inode == 0 {
		if p.strict || p.link && !linked {
			return false, replaced
		}
		return linked, nil
	}
	if st.Ino == m.Inode && unix.Major(uint64(st.Dev)) == m.Major && unix.Minor(uint64(st.Dev)) == m.Minor {
		return true, nil
	}
	if !restated(fd) || p.strict || p.link && !linked {
		return false, replaced
	}
	return linked, nil
}

// linkIs compares the target of a map_files link with the path of a mapping,
// which may have been deleted since.
func linkIs(path, file string) bool {
	target, err := os.Readlink(path)
	return err == nil && strings.TrimSuffix(target, deletedSuffix) == strings.TrimSuffix(file, deletedSuffix)
}

// restated says whether stat on the file's file system shows other device or
// inode numbers than perf events and /proc/PID/maps do. Btrfs has a device of
// its own for each subvolume; overlays show numbers of the layer to the one
// and of the overlay to the other. (linux/magic.h)
func restated(fd int) bool {
	const aufs = 0x61756673
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.ECRYPTFS_SUPER_MAGIC, aufs:
		return true
	}
	return false
}
