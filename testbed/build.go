package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// guestTests are the tests that are written for guests.
const guestTests = "testbed/guest"

// suitesOf returns the packages whose tests run in a guest: testbed/guest, and
// unless short those of the table in packages.go.
func suitesOf(g guest, short bool) []packageTests {
	list := []packageTests{{Package: guestTests}}
	if !short {
		for _, p := range packages {
			if slices.Contains(p.Guests, g.name) {
				list = append(list, p)
			}
		}
	}
	return list
}

// buildTests builds the test binaries of packages into out.
func buildTests(ctx context.Context, repo, arch, out string, list []packageTests) error {
	if len(list) == 0 {
		return nil
	}
	args := []string{"test", "-c", "-ldflags=-w", "-o", out + "/"}
	for _, p := range list {
		args = append(args, "./"+p.Package)
	}
	return goBuild(ctx, repo, arch, args...)
}

// testBinary is the name that go test -c gives to a package's.
func testBinary(p packageTests) string { return path.Base(p.Package) + ".test" }

// goBuild runs the go command for an architecture, without cgo: guests have no
// shared libraries.
func goBuild(ctx context.Context, repo, arch string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// buildPrograms builds what guests of an architecture have in /bin.
func buildPrograms(ctx context.Context, repo, arch, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return goBuild(ctx, repo, arch, "build", "-ldflags=-w", "-o", out+"/", "./cmd/energyprof", "./testbed/guest/workload")
}

// buildModules builds the modules of testbed/modules for the kernel in tree and
// returns their files. The outcome is kept by a hash of the sources and the
// kernel's packages.
func buildModules(ctx context.Context, c cache, repo string, kernel packageSet) ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(repo, "testbed/modules/*/Kbuild"))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, d := range dirs {
		f, err := buildModule(ctx, c, filepath.Dir(d), kernel)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func buildModule(ctx context.Context, c cache, source string, kernel packageSet) (string, error) {
	name := filepath.Base(source)
	hash, err := hashTree(source, strings.Join(c.packages(kernel), " "))
	if err != nil {
		return "", err
	}
	done := filepath.Join(c.dir, modulesDir, kernel.name+"-"+hash, name+".ko")
	now := time.Now()
	if err := os.Chtimes(filepath.Dir(done), now, now); err == nil {
		if _, err := os.Stat(done); err == nil {
			return done, nil
		}
	}
	for _, p := range [][2]string{{"make", "make"}, {"gcc", "gcc"}, {"strip", "binutils"}} {
		if err := need(p[0], p[1]); err != nil {
			return "", err
		}
	}
	headers, err := kernelHeaders(c.tree(kernel))
	if err != nil {
		return "", err
	}
	build, err := os.MkdirTemp(c.dir, buildPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(build)
	if err := os.CopyFS(filepath.Join(build, name), os.DirFS(source)); err != nil {
		return "", err
	}
	// pahole would be needed for the modules' type information, which nothing reads.
	cmd := exec.CommandContext(ctx, "make", "-s", "-C", headers, "M="+filepath.Join(build, name), "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("module %s for %s: %w\n%s", name, kernel.name, err, out)
	}
	if bytes.Contains(out, []byte("warning:")) {
		fmt.Printf("testbed: module %s for %s:\n%s", name, kernel.name, out)
	}
	stripped := filepath.Join(build, "stripped.ko")
	if out, err := exec.CommandContext(ctx, "strip", "--strip-debug", "-o", stripped, filepath.Join(build, name, name+".ko")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("strip: %w\n%s", err, out)
	}
	if err := os.MkdirAll(filepath.Dir(done), 0o755); err != nil {
		return "", err
	}
	return done, os.Rename(stripped, done)
}

var absoluteInclude = regexp.MustCompile(`(?m)^include \S*/usr/src`)

// kernelHeaders returns the directory to build modules in, its Makefile's one
// absolute path changed to where the tree is.
func kernelHeaders(tree string) (string, error) {
	found, err := filepath.Glob(filepath.Join(tree, "usr/src/linux-headers-*cloud*/Makefile"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d kernel headers in %s, expected one", len(found), tree)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return "", err
	}
	if absoluteInclude.Match(text) {
		text = absoluteInclude.ReplaceAll(text, []byte("include "+tree+"/usr/src"))
		if err := os.WriteFile(found[0], text, 0o644); err != nil {
			return "", err
		}
	}
	return filepath.Dir(found[0]), nil
}

// hashTree hashes the names and contents of the files below dir, and more.
func hashTree(dir, more string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, more)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintln(h, strings.TrimPrefix(path, dir), len(text))
		h.Write(text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}
