package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A cache is the directory that outlives runs. Two locks keep runs from each other:
// "lock" is held by the one that changes the cache, "guests" is shared by those whose
// guests run from its sets, and is held alone by who replaces one.
type cache struct{ dir string }

// cacheVariable names the environment variable that says where the cache is.
const cacheVariable = "ENERGYPROF_TESTBED_CACHE"

// openCache returns the cache, its directory made and absolute.
func openCache() (cache, error) {
	dir := os.Getenv(cacheVariable)
	if dir == "" {
		user, err := os.UserCacheDir() // $XDG_CACHE_HOME, else ~/.cache
		if err != nil {
			return cache{}, fmt.Errorf("there is no place for the cache of packages: %w; $%s names one", err, cacheVariable)
		}
		dir = filepath.Join(user, "energyprof-testbed")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return cache{}, err
	}
	return cache{dir}, os.MkdirAll(dir, 0o755)
}

// lock takes one of the cache's locks, and says what it waits for if it has to. The
// lock is held until the file is closed, by the end of the process at the latest.
func (c cache) lock(ctx context.Context, name string, how int, waiting string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(c.dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	// Not flock(2)'s own waiting: a guest that a person uses has no end, and who waits
	// for it may give up.
	for said := false; ; said = true {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			if !said {
				fmt.Println("testbed: waiting for", waiting)
			}
			select {
			case <-ctx.Done():
				f.Close()
				return nil, ctx.Err()
			case <-time.After(lockEvery):
				continue
			}
		}
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
}

// lockEvery is how often a lock is tried that somebody else holds.
const lockEvery = 100 * time.Millisecond

// lockChange is for who changes the cache.
func (c cache) lockChange(ctx context.Context) (*os.File, error) {
	return c.lock(ctx, "lock", syscall.LOCK_EX, "another run's preparations")
}

// lockGuests is for who runs guests from the cache. It comes after lockChange.
func (c cache) lockGuests(ctx context.Context) (*os.File, error) {
	return c.lock(ctx, "guests", syscall.LOCK_SH, "a set of packages that is replaced")
}

// lockReplace is for who replaces a set from which guests may run. It comes after
// lockChange: no new guests begin meanwhile.
func (c cache) lockReplace(ctx context.Context) (*os.File, error) {
	return c.lock(ctx, "guests", syscall.LOCK_EX, "the guests of other runs: their packages are to be replaced")
}

// Directories in which a set is unpacked or a module built, by the beginning of
// their names: what a killed run leaves of them is of no use to anybody.
const (
	unpackPrefix = "unpack-"
	buildPrefix  = "build-"
)

// moduleAge is how long a built module stays that no run asks for: sources that
// somebody works on are built anew at each change, and those of another checkout
// stay as long as somebody tests it.
const moduleAge = 7 * 24 * time.Hour

// sweep removes what killed runs left and modules that nobody has asked for in a
// while. It is for who holds lockChange: nothing here is then in the making, and what
// guests have of modules is in their own initramfs.
func (c cache) sweep(now time.Time) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unpackPrefix) || strings.HasPrefix(e.Name(), buildPrefix) {
			if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	modules, err := filepath.Glob(filepath.Join(c.dir, modulesDir, "*"))
	if err != nil {
		return err
	}
	for _, m := range modules {
		info, err := os.Stat(m)
		if err != nil {
			return err
		}
		if now.Sub(info.ModTime()) > moduleAge {
			if err := os.RemoveAll(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// modulesDir has a directory for each hash of a module's sources and its kernel,
// whose time is that of the last run which asked for it.
const modulesDir = "modules"
