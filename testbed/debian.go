package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A packageSet is a tree of unpacked packages in the cache. The file PACKAGES in
// it names them with their versions; a set that is there is complete.
type packageSet struct {
	name string
	// resolve asks apt for the packages, as name:arch=version.
	resolve func(context.Context, *aptState) ([]string, error)
}

// setsFor returns what a guest needs.
func setsFor(g guest) []packageSet {
	sets := []packageSet{kernelSet(g.kernel, g.arch), qemuSet(), busyboxSet(g.arch)}
	if g.perf {
		sets = append(sets, perfSet())
	}
	return sets
}

// kernelSet is the newest cloud kernel of a series: the image, and on amd64 what
// modules are built against.
func kernelSet(series, arch string) packageSet {
	return packageSet{"kernel-" + series + "-" + arch, func(ctx context.Context, a *aptState) ([]string, error) {
		meta := "linux-image-" + series + "-cloud-" + arch
		if series == "6.1" { // the release's own
			meta = "linux-image-cloud-" + arch
		}
		images, err := a.depends(ctx, meta, arch)
		if err != nil {
			return nil, err
		}
		if len(images) != 1 {
			return nil, fmt.Errorf("%s depends on %q, expected one kernel", meta, images)
		}
		names := images
		if arch == "amd64" {
			headers := strings.Replace(images[0], "linux-image-", "linux-headers-", 1)
			names = append(names, headers)
			more, err := a.depends(ctx, headers, arch)
			if err != nil {
				return nil, err
			}
			for _, d := range more {
				// linux-compiler-* is an empty package that asks for a gcc.
				if strings.HasPrefix(d, "linux-headers-") || strings.HasPrefix(d, "linux-kbuild-") {
					names = append(names, d)
				}
			}
		}
		return candidates(ctx, a, arch, names)
	}}
}

func busyboxSet(arch string) packageSet {
	return packageSet{"busybox-" + arch, func(ctx context.Context, a *aptState) ([]string, error) {
		return candidates(ctx, a, arch, []string{"busybox-static"})
	}}
}

// perfSet is Debian's perf with all libraries, the C library's too: the guest
// has no others.
func perfSet() packageSet {
	return packageSet{"perf", func(ctx context.Context, a *aptState) ([]string, error) {
		all, err := a.closure(ctx, "linux-perf")
		return slices.DeleteFunc(all, func(p string) bool { return !library(p) && !strings.HasPrefix(p, "linux-perf") }), err
	}}
}

// qemuSet is QEMU for guests of all architectures. It runs on the host's C
// library and compiler libraries, which are not older than the release's.
func qemuSet() packageSet {
	return packageSet{"qemu", func(ctx context.Context, a *aptState) ([]string, error) {
		all, err := a.closure(ctx, "qemu-system-x86", "qemu-system-arm")
		return slices.DeleteFunc(all, func(p string) bool {
			has := func(prefix string) bool { return strings.HasPrefix(p, prefix) }
			if slices.ContainsFunc([]string{"libc6", "libgcc-s1", "libstdc++6", "libpam-"}, has) {
				return true
			}
			return !library(p) && !has("qemu-system-") && !has("seabios")
		}), err
	}}
}

// library tells packages of shared libraries by their names.
func library(p string) bool {
	name, _, _ := strings.Cut(p, ":")
	name, _, _ = strings.Cut(name, "=")
	return strings.HasPrefix(name, "zlib1g") || strings.HasPrefix(name, "lib") && !strings.HasSuffix(name, "-stdlib")
}

func candidates(ctx context.Context, a *aptState, arch string, names []string) ([]string, error) {
	var list []string
	for _, n := range names {
		c, err := a.candidate(ctx, n, arch)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func (c cache) tree(set packageSet) string { return filepath.Join(c.dir, "sets", set.name) }

// packages returns what a set consists of, nil if it is not there.
func (c cache) packages(set packageSet) []string {
	text, err := os.ReadFile(filepath.Join(c.tree(set), "PACKAGES"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// fetch brings the sets into the cache that are not there. With refresh it asks
// for newer packages of all; otherwise a complete cache needs no network.
func (c cache) fetch(ctx context.Context, sets []packageSet, refresh bool) error {
	if !refresh && !slices.ContainsFunc(sets, func(s packageSet) bool { return c.packages(s) == nil }) {
		return nil
	}
	for _, p := range [][2]string{{"apt-get", "apt"}, {"apt-cache", "apt"}, {"apt-config", "apt"}, {"dpkg-deb", "dpkg"}} {
		if err := need(p[0], p[1]); err != nil {
			return err
		}
	}
	apt := &aptState{dir: filepath.Join(c.dir, "apt")}
	err := apt.prepare(ctx)
	if err == nil && refresh && !apt.updated {
		err = apt.update(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // no source, or it does not answer
		return fmt.Errorf("%w: %w", errUnable, err)
	}
	err = c.fetchWith(ctx, apt, sets)
	if err != nil && !apt.updated && ctx.Err() == nil {
		// Old lists name packages that the archive no longer has.
		err = apt.update(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errUnable, err)
		}
		if err == nil {
			err = c.fetchWith(ctx, apt, sets)
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(apt.dir, "cache")) // apt's index of the lists, 100 MB
}

// fetchWith brings the sets into the cache that apt knows other packages of. It returns
// when nothing is being unpacked any more, whatever went wrong.
func (c cache) fetchWith(ctx context.Context, apt *aptState, sets []packageSet) error {
	var wait sync.WaitGroup
	errs := make([]error, len(sets))
	var replace *os.File
	defer func() { replace.Close() }() // of no file it does nothing
	turn := make(chan struct{}, 2)     // downloads and unpacking overlap
	for i, set := range sets {
		have := c.packages(set)
		if have != nil && !apt.updated {
			continue
		}
		want, err := set.resolve(ctx, apt)
		if err != nil {
			errs[i] = err
			break
		}
		slices.Sort(want)
		if slices.Equal(have, want) {
			continue
		}
		if have != nil && replace == nil {
			// Guests of other runs read files of the old tree whenever they please.
			if replace, errs[i] = c.lockReplace(ctx); errs[i] != nil {
				break
			}
		}
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			begun := time.Now()
			if errs[i] = c.unpack(ctx, apt, set, want); errs[i] != nil {
				return
			}
			fmt.Printf("testbed: %s: fetched %d packages in %.1fs\n", set.name, len(want), time.Since(begun).Seconds())
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// unpack downloads the packages and replaces the set's tree by their contents.
func (c cache) unpack(ctx context.Context, apt *aptState, set packageSet, packages []string) error {
	temporary, err := os.MkdirTemp(c.dir, unpackPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	debs, tree := filepath.Join(temporary, "debs"), filepath.Join(temporary, "tree")
	for _, d := range []string{debs, tree, filepath.Dir(c.tree(set))} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := apt.download(ctx, debs, packages); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) != len(packages) {
		return fmt.Errorf("apt downloaded %d packages of %d for %s", len(files), len(packages), set.name)
	}
	for _, f := range files {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", f, tree).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb -x %s: %w\n%s", filepath.Base(f), err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(tree, "PACKAGES"), []byte(strings.Join(packages, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	// A tree is there as a whole or not at all, whenever this is cut off.
	if err := os.Rename(c.tree(set), filepath.Join(temporary, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(tree, c.tree(set))
}

// need says which package has a program that the host lacks; the error wraps errUnable.
func need(program, debian string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%w: it needs %s, of the package %s", errUnable, program, debian)
	}
	return nil
}
