package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed init.sh
var initScript []byte

// An image is a guest that is ready to boot.
type image struct {
	guest  guest
	kernel string // file
	qemu   string // the tree of the packageSet
	// initramfs is a file whose first base bytes hold everything but /tests/list,
	// which each boot appends as an archive of its own.
	initramfs string
	base      int64
	tests     []packageTests
}

// prepare fetches and builds all that the guests need, and writes their
// initramfs below work. It returns the lock that keeps the sets as they are, which
// is to be closed when no guest runs any more.
func prepare(ctx context.Context, repo, work string, o options) ([]image, *os.File, error) {
	c, err := openCache()
	if err != nil {
		return nil, nil, err
	}
	// One at a time: what is built goes into the initramfs before another run replaces it.
	change, err := c.lockChange(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer change.Close()
	if err := c.sweep(time.Now()); err != nil {
		return nil, nil, fmt.Errorf("sweeping the cache: %w", err)
	}
	images, err := c.prepare(ctx, repo, work, o)
	if err != nil {
		return nil, nil, err
	}
	guests, err := c.lockGuests(ctx)
	return images, guests, err
}

func (c cache) prepare(ctx context.Context, repo, work string, o options) ([]image, error) {
	out := filepath.Join(repo, "bin", "testbed")
	built := make(chan error, 1)
	go func() { built <- buildGo(ctx, repo, out, o) }() // while packages come
	var sets []packageSet
	for _, g := range o.guests {
		for _, s := range setsFor(g) {
			if !slices.ContainsFunc(sets, func(have packageSet) bool { return have.name == s.name }) {
				sets = append(sets, s)
			}
		}
	}
	err := c.fetch(ctx, sets, o.refresh)
	if e := <-built; err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	var images []image
	for _, g := range o.guests {
		i, err := c.image(ctx, repo, out, work, g, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
		images = append(images, i)
	}
	return images, nil
}

// buildGo builds the programs and the tests of all guests into out/ARCH.
func buildGo(ctx context.Context, repo, out string, o options) error {
	tests := map[string][]packageTests{}
	for _, g := range o.guests {
		for _, p := range suitesOf(g, o.short) {
			same := func(have packageTests) bool { return have.Package == p.Package }
			if !slices.ContainsFunc(tests[g.arch], same) {
				tests[g.arch] = append(tests[g.arch], p)
			}
		}
	}
	for arch, list := range tests {
		if err := buildPrograms(ctx, repo, arch, filepath.Join(out, arch)); err != nil {
			return err
		}
		if err := buildTests(ctx, repo, arch, filepath.Join(out, arch, "tests"), list); err != nil {
			return err
		}
	}
	return nil
}

// image writes one guest's initramfs.
func (c cache) image(ctx context.Context, repo, out, work string, g guest, o options) (image, error) {
	tree := c.tree(kernelSet(g.kernel, g.arch))
	kernels, err := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if err != nil {
		return image{}, err
	}
	if len(kernels) != 1 {
		return image{}, fmt.Errorf("%d kernels in %s, expected one", len(kernels), tree)
	}
	i := image{guest: g, kernel: kernels[0], qemu: c.tree(qemuSet()), tests: suitesOf(g, o.short)}
	i.initramfs = filepath.Join(work, g.name+".cpio")
	f, err := os.Create(i.initramfs)
	if err != nil {
		return image{}, err
	}
	defer f.Close()
	a := newArchive(f)
	if err := c.fill(ctx, a, repo, filepath.Join(out, g.arch), i); err != nil {
		return image{}, err
	}
	if err := a.w.Close(); err != nil {
		return image{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return image{}, err
	}
	i.base = (info.Size() + 511) &^ 511 // an archive begins at a multiple of 4
	return i, f.Truncate(i.base)
}

func (c cache) fill(ctx context.Context, a *archive, repo, out string, i image) error {
	g := i.guest
	for name, text := range map[string]string{
		"etc/passwd":   "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n",
		"etc/group":    "root:x:0:\nuser:x:1000:\n",
		"etc/hostname": g.name + "\n",
		"etc/hosts":    "127.0.0.1 localhost\n",
	} {
		if err := a.add(name, 0o644, []byte(text)); err != nil {
			return err
		}
	}
	if err := a.add("init", 0o755, initScript); err != nil {
		return err
	}
	if err := a.addFile("bin/busybox", filepath.Join(c.tree(busyboxSet(g.arch)), "bin/busybox")); err != nil {
		return err
	}
	for _, p := range []string{"energyprof", "workload"} {
		if err := a.addFile("bin/"+p, filepath.Join(out, p)); err != nil {
			return err
		}
	}
	if g.perf {
		if err := a.addProgram(c.tree(perfSet()), "usr/bin/perf"); err != nil {
			return err
		}
	}
	for _, p := range i.tests {
		if err := a.addFile("tests/"+p.Package+"/"+testBinary(p), filepath.Join(out, "tests", testBinary(p))); err != nil {
			return err
		}
		if err := a.addTree("tests/"+p.Package+"/testdata", filepath.Join(repo, p.Package, "testdata")); err != nil {
			return err
		}
	}
	return c.addModules(ctx, a, repo, g)
}

// addModules adds the stock drivers and ours, and the list in which init loads them.
func (c cache) addModules(ctx context.Context, a *archive, repo string, g guest) error {
	if len(g.modules) == 0 {
		return a.add("mod/list", 0o644, nil)
	}
	kernel := kernelSet(g.kernel, g.arch)
	there, err := a.addStockModules(c.tree(kernel))
	if err != nil {
		return err
	}
	ours, err := buildModules(ctx, c, repo, kernel)
	if err != nil {
		return err
	}
	for _, file := range ours {
		if err := a.addFile("mod/"+filepath.Base(file), file); err != nil {
			return err
		}
		there[strings.TrimSuffix(filepath.Base(file), ".ko")] = true
	}
	var list bytes.Buffer
	for _, m := range g.modules {
		if there[m.name] {
			fmt.Fprintln(&list, m.name, m.parameters)
		}
	}
	return a.add("mod/list", 0o644, list.Bytes())
}

// list appends /tests/list to the initramfs: what this boot runs. Without any
// the guest gives a shell.
func (i image) list(lines []string) error {
	f, err := os.OpenFile(i.initramfs, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(i.base); err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	if _, err := f.Seek(i.base, 0); err != nil {
		return err
	}
	a := newArchive(f)
	if err := a.add("tests/list", 0o644, []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		return err
	}
	return a.w.Close()
}
