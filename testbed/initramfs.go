package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// An archive is an initramfs in the making. It is not compressed: to unpack it
// would cost the guest's slow CPU more than to copy it.
type archive struct {
	w    *cpio.Writer
	made map[string]bool // directories so far
}

func newArchive(w io.Writer) *archive {
	return &archive{w: cpio.NewWriter(w), made: map[string]bool{}}
}

// directory adds a directory with those above it, once.
func (a *archive) directory(name string) error {
	if name == "." || a.made[name] {
		return nil
	}
	if err := a.directory(path.Dir(name)); err != nil {
		return err
	}
	a.made[name] = true
	return a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2})
}

// add adds a file with its content. Names are below the guest's root.
func (a *archive) add(name string, mode cpio.FileMode, content []byte) error {
	if err := a.directory(path.Dir(name)); err != nil {
		return err
	}
	if err := a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := a.w.Write(content)
	return err
}

// addFile adds a file of the host.
func (a *archive) addFile(name, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return a.add(name, cpio.FileMode(info.Mode().Perm()), content)
}

// addTree adds the files below dir; it may be missing.
func (a *archive) addTree(name, dir string) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) && file == dir {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return a.addFile(path.Join(name, below), file)
	})
}

// addProgram adds a program to /bin with the libraries that it asks for, which
// are in the tree of a packageSet, and its loader.
func (a *archive) addProgram(tree, program string) error {
	if err := a.addFile("bin/"+path.Base(program), filepath.Join(tree, program)); err != nil {
		return err
	}
	var find func(file string) error
	find = func(file string) error {
		binary, err := elf.Open(file)
		if err != nil {
			return err
		}
		defer binary.Close()
		names, err := binary.ImportedLibraries()
		if err != nil {
			return err
		}
		for _, name := range names {
			to := "lib/x86_64-linux-gnu/" + name
			if strings.HasPrefix(name, "ld-linux") {
				to = "lib64/" + name
			}
			if a.made[to] {
				continue
			}
			a.made[to] = true
			library, err := findLibrary(tree, name)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			if err := a.addFile(to, library); err != nil {
				return err
			}
			if err := find(library); err != nil {
				return err
			}
		}
		return nil
	}
	return find(filepath.Join(tree, program))
}

func findLibrary(tree, name string) (string, error) {
	for _, dir := range []string{"lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64"} {
		file := filepath.Join(tree, dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("no package has the library %s", name)
}

// stockModules are the kernel's own drivers of the testbed, below
// /lib/modules/RELEASE/kernel. A kernel can have one built in.
var stockModules = []string{
	"arch/x86/kernel/msr", "arch/x86/events/rapl", "arch/x86/platform/intel/iosf_mbi",
	"drivers/powercap/intel_rapl_common", "drivers/powercap/intel_rapl_msr",
}

// addStockModules adds the drivers from a kernel's tree to /mod and returns the
// names of those that there are.
func (a *archive) addStockModules(tree string) (map[string]bool, error) {
	there := map[string]bool{}
	for _, m := range stockModules {
		found, err := filepath.Glob(filepath.Join(tree, "lib/modules/*/kernel", m+".ko*"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		name := path.Base(m)
		there[name] = true
		if !strings.HasSuffix(found[0], ".xz") {
			if err := a.addFile("mod/"+name+".ko", found[0]); err != nil {
				return nil, err
			}
			continue
		}
		if err := need("xz", "xz-utils"); err != nil {
			return nil, err
		}
		text, err := exec.Command("xz", "-dc", found[0]).Output()
		if err != nil {
			return nil, fmt.Errorf("xz -dc %s: %w", found[0], err)
		}
		if err := a.add("mod/"+name+".ko", 0o644, text); err != nil {
			return nil, err
		}
	}
	return there, nil
}
