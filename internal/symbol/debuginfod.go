package symbol

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Debuginfod says which servers of debug files to ask for what is not installed.
// The zero value asks none. The variables, the protocol and the layout of the
// cache are those of elfutils (debuginfod-find(1), debuginfod(8)), so the cache is
// shared with gdb, perf and others.
type Debuginfod struct {
	URLs  []string
	Cache string
	// Timeout is how long a server may be silent, MaxTime how long all servers
	// together may keep us busy. A server that was silent is not asked again.
	Timeout, MaxTime time.Duration
	MaxSize          int64 // bytes of a file
	// Fetching, unless it is nil, is told of each file that a server has before it is fetched: its size is -1 if the server does not say.
	Fetching func(url string, size int64)
}

// The defaults: a recording does not wait for a quarter of an hour to be named.
const (
	DefaultDebuginfodTimeout = 10 * time.Second
	DefaultDebuginfodMaxTime = 3 * time.Minute
	DefaultDebuginfodMaxSize = 4 << 30
)

// missFor is how long the answer that a server has nothing is believed: the
// default of elfutils (cache_miss_s).
const missFor = 10 * time.Minute

// DebuginfodFrom reads the environment: DEBUGINFOD_URLS (without it no server is
// asked), DEBUGINFOD_CACHE_PATH, DEBUGINFOD_TIMEOUT and DEBUGINFOD_MAXTIME
// in seconds, DEBUGINFOD_MAXSIZE in bytes.
func DebuginfodFrom(getenv func(string) string) Debuginfod {
	seconds := func(name string) time.Duration {
		n, err := strconv.ParseUint(getenv(name), 10, 31)
		if err != nil {
			return 0
		}
		return time.Duration(n) * time.Second
	}
	// Between servers there may be what is expected of signatures of files that are fetched (ima:enforcing,
	// ima:ignore), which are those of packages, and not checked here: build ids are.
	servers := slices.DeleteFunc(strings.Fields(getenv("DEBUGINFOD_URLS")), func(word string) bool { return strings.HasPrefix(word, "ima:") })
	d := Debuginfod{
		URLs:    servers,
		Cache:   getenv("DEBUGINFOD_CACHE_PATH"),
		Timeout: seconds("DEBUGINFOD_TIMEOUT"),
		MaxTime: seconds("DEBUGINFOD_MAXTIME"),
	}
	if n, err := strconv.ParseInt(getenv("DEBUGINFOD_MAXSIZE"), 10, 64); err == nil {
		d.MaxSize = n
	}
	home := getenv("HOME")
	if d.Cache == "" && home != "" {
		d.Cache = filepath.Join(cmp.Or(getenv("XDG_CACHE_HOME"), filepath.Join(home, ".cache")), "debuginfod_client")
	}
	return d
}

// debuginfod asks the servers. It may be used by several Binaries at once, which
// then wait for one another.
type debuginfod struct {
	opt    Debuginfod
	client *http.Client

	mu     sync.Mutex
	silent map[string]bool // servers that are not asked again
	spent  time.Duration
}

func newDebuginfod(opt Debuginfod) *debuginfod {
	if len(opt.URLs) == 0 || opt.Cache == "" {
		return nil
	}
	opt.Timeout = cmp.Or(opt.Timeout, DefaultDebuginfodTimeout)
	opt.MaxTime = cmp.Or(opt.MaxTime, DefaultDebuginfodMaxTime)
	opt.MaxSize = cmp.Or(opt.MaxSize, DefaultDebuginfodMaxSize)
	return &debuginfod{
		opt:    opt,
		silent: map[string]bool{},
		client: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: opt.Timeout}).DialContext,
			TLSHandshakeTimeout:   opt.Timeout,
			ResponseHeaderTimeout: opt.Timeout,
		}},
	}
}

// errNotThere means that a server has no such file.
var errNotThere = errors.New("no such debug file")

// find gives the path of the debug file of a build id in the cache, fetched if it
// is new; "" if no server has it, and why if that is not known for sure.
func (d *debuginfod) find(id string, lim Limits) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := filepath.Join(d.opt.Cache, id)
	path := filepath.Join(dir, "debuginfo")
	if st, err := os.Stat(path); err == nil {
		if st.Size() > 0 {
			return path, nil
		}
		// An empty file tells that nobody had it.
		if time.Since(st.ModTime()) < missFor {
			return "", nil
		}
	}
	var errs []error
	nobody := true
	for _, server := range d.opt.URLs {
		if d.silent[server] {
			nobody = false
			continue
		}
		err := d.fetch(server, id, dir, path, lim)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, errNotThere) {
			nobody = false
			errs = append(errs, fmt.Errorf("debuginfod: %w", err))
		}
	}
	if nobody {
		// The cache is a convenience: without this file the servers are asked again.
		_ = store(strings.NewReader(""), dir, path, func(*os.File, int64) error { return nil }, 0)
	}
	return "", errors.Join(errs...)
}

// fetch gets a file from a server, checks that it is what was asked for, and puts
// it into the cache.
func (d *debuginfod) fetch(server, id, dir, path string, lim Limits) error {
	base, err := url.Parse(server)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		d.silent[server] = true
		return fmt.Errorf("%q is no http or https address", server)
	}
	left := d.opt.MaxTime - d.spent
	if left <= 0 {
		d.silent[server] = true
		return fmt.Errorf("%s: not asked any more: servers have taken %s", base.Host, d.opt.MaxTime)
	}
	start := time.Now()
	defer func() { d.spent += time.Since(start) }()
	ctx, done := context.WithTimeoutCause(context.Background(), left, fmt.Errorf("servers have taken %s", d.opt.MaxTime))
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("buildid", id, "debuginfo").String(), nil)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.silent[server] = true
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%s: %w", req.URL, cause)
		}
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return errNotThere
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", req.URL, resp.Status)
	case resp.ContentLength > d.opt.MaxSize:
		return fmt.Errorf("%s: %w: %d bytes", req.URL, ErrLimit, resp.ContentLength)
	}
	if d.opt.Fetching != nil {
		d.opt.Fetching(req.URL.String(), resp.ContentLength)
	}
	silence := fmt.Errorf("silent for %s", d.opt.Timeout)
	body := &watched{r: resp.Body, patience: d.opt.Timeout, timer: time.AfterFunc(d.opt.Timeout, func() { cancel(silence) })}
	defer body.timer.Stop()
	err = store(body, dir, path, func(f *os.File, size int64) error {
		if size > d.opt.MaxSize {
			return fmt.Errorf("%w: more than %d bytes", ErrLimit, d.opt.MaxSize)
		}
		return isDebugFile(f, size, id, lim)
	}, d.opt.MaxSize)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			d.silent[server] = true
			err = cause
		}
		return fmt.Errorf("%s: %w", req.URL, err)
	}
	return nil
}

// isDebugFile says why a file is not the one of a build id.
func isDebugFile(f *os.File, size int64, id string, lim Limits) error {
	return guard(func() error {
		im, err := readImage(f, size, lim)
		if err != nil { // also what an answer that was cut short looks like
			return err
		}
		if got := im.buildID(); got != id {
			return fmt.Errorf("%w: build id %q, asked for %q", ErrReplaced, got, id)
		}
		return nil
	})
}

// store writes what is read into a file, up to one byte more than limit, and gives it
// its name if it is good, so that no half of a file is ever seen there.
func store(r io.Reader, dir, path string, good func(*os.File, int64) error, limit int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "debuginfo.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // not there any more if all went well
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(r, limit+1))
	if err != nil {
		return err
	}
	if err := good(f, n); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// watched reads as long as something comes.
type watched struct {
	r        io.Reader
	patience time.Duration
	timer    *time.Timer // ends the request
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.timer.Reset(w.patience)
	}
	return n, err
}
