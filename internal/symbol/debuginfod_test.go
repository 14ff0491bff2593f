package symbol

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDebuginfod: what is not installed is asked for, by build id, and kept; a server
// that does not answer, or with something else, costs a bounded time and nothing more.
func TestDebuginfod(t *testing.T) {
	bin, debug, at := stripped(t)
	good, err := os.ReadFile(debug)
	if err != nil {
		t.Fatal(err)
	}
	_, otherDebug, _ := stripped(t, "-Wl,--build-id=0x1234")
	other, err := os.ReadFile(otherDebug)
	if err != nil {
		t.Fatal(err)
	}
	id := open(t, bin).BuildID
	released := make(chan struct{})
	defer close(released)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // the function, if the name is known
		err    string // what is told
		asked  int    // how often, by two Resolvers one after the other
		// patience and time are for a server that tries them: others are not hurried on a loaded machine.
		patience, time time.Duration
	}{
		{"has it", func(w http.ResponseWriter, r *http.Request) { w.Write(good) }, "hidden", "", 1, 0, 0},
		{"does not have it", http.NotFound, "", "", 1, 0, 0},
		{"another file", func(w http.ResponseWriter, r *http.Request) { w.Write(other) }, "", `build id "1234", asked for`, 2, 0, 0},
		{"no file at all", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("<html>", 100)) }, "", "no ELF magic", 2, 0, 0},
		{"half of it", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			w.Write(good[:len(good)/2])
		}, "", "unexpected EOF", 2, 0, 0},
		{"half of it without a length", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\n\r\n%s", good[:len(good)/2])
		}, "", "section headers", 2, 0, 0},
		{"is broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, "", "500 Internal Server Error", 2, 0, 0},
		{"says nothing", func(w http.ResponseWriter, r *http.Request) { <-released }, "", "timeout", 2, 100 * time.Millisecond, 0},
		{"falls silent", func(w http.ResponseWriter, r *http.Request) {
			w.Write(good[:len(good)/2])
			w.(http.Flusher).Flush()
			<-released
		}, "", "silent for 200ms", 2, 200 * time.Millisecond, 0},
		{"never ends", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(good); err != nil {
					return
				}
			}
		}, "", ErrLimit.Error(), 2, 0, 0},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := w.Write(good[:1]); err != nil || r.Context().Err() != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
		}, "", "servers have taken 200ms", 2, 0, 200 * time.Millisecond},
		{"sends elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "", "unsupported protocol", 2, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1); r.URL.Path != "/buildid/"+id+"/debuginfo" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				tt.answer(w, r)
			}))
			t.Cleanup(server.CloseClientConnections)
			cache := t.TempDir()
			var told []string
			opt := Options{Debug: t.TempDir(), Debuginfod: Debuginfod{
				URLs: []string{server.URL + "/"}, Cache: cache,
				Timeout: cmp.Or(tt.patience, time.Minute), MaxTime: cmp.Or(tt.time, time.Minute), MaxSize: 1 << 20,
				Fetching: func(url string, _ int64) { told = append(told, url) },
			}}
			for range 2 {
				name, _, err := nameAt(t, opt, bin, at)
				if name != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%q (%v), want %q, and told %q", name, err, tt.want, tt.err)
				}
			}
			if n := int(asked.Load()); n != tt.asked {
				t.Errorf("asked %d times, want %d", n, tt.asked)
			}
			if want := server.URL + "/buildid/" + id + "/debuginfo"; tt.want != "" && !slices.Equal(told, []string{want}) {
				t.Errorf("told of %q, want %q", told, want)
			}
			kept, err := os.ReadFile(filepath.Join(cache, id, "debuginfo"))
			switch {
			case tt.err != "":
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the cache has %d bytes (%v), want none", len(kept), err)
				}
			case tt.want == "" && len(kept) > 0 || tt.want != "" && !bytes.Equal(kept, good):
				t.Errorf("the cache has %d bytes, want what the server had", len(kept))
			}
			left, err := filepath.Glob(filepath.Join(cache, id, "debuginfo.*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// TestDebuginfodSilent: a server that does not answer is asked once, whatever else is
// wanted, and the next one takes its place.
func TestDebuginfodSilent(t *testing.T) {
	released := make(chan struct{})
	defer close(released)
	var asked, others atomic.Int32
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); <-released }))
	t.Cleanup(silent.CloseClientConnections)
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { others.Add(1); http.NotFound(w, r) }))
	t.Cleanup(next.Close)
	d := newDebuginfod(Debuginfod{URLs: []string{silent.URL, next.URL, "file:///tmp"}, Cache: t.TempDir(), Timeout: 100 * time.Millisecond})
	for i := range 5 {
		path, err := d.find(fmt.Sprintf("%040x", i), Limits{}.withDefaults())
		if path != "" || (err != nil) != (i == 0) {
			t.Errorf("%d: %q (%v), want the silence to be told once", i, path, err)
		}
	}
	if a, o := asked.Load(), others.Load(); a != 1 || o != 5 {
		t.Errorf("the silent one was asked %d times, the other one %d times, want 1 and 5", a, o)
	}
}

// TestDebuginfodCache: the cache may be another user's, who put links into it: nothing is written through them, and what
// is not the file that was asked for is told.
func TestDebuginfodCache(t *testing.T) {
	bin, _, at := stripped(t)
	id := open(t, bin).BuildID
	server := httptest.NewServer(http.HandlerFunc(http.NotFound))
	t.Cleanup(server.Close)
	cache, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Mkdir(filepath.Join(cache, id), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, id, "debuginfo")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	opt := Options{Debug: t.TempDir(), Debuginfod: Debuginfod{URLs: []string{server.URL}, Cache: cache}}
	if name, _, err := nameAt(t, opt, bin, at); name != "" || err != nil {
		t.Errorf("%q (%v), want nothing", name, err)
	}
	if _, err := os.Lstat(elsewhere); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want nothing to be written through a link", elsewhere, err)
	}
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() || st.Size() != 0 || st.Mode().Perm() != 0o600 {
		t.Errorf("%v (%v), want an empty file of ours", st, err)
	}
	_, other, _ := stripped(t, "-Wl,--build-id=0x1234")
	move(t, other, path)
	if name, _, err := nameAt(t, opt, bin, at); name != "" || !errors.Is(err, ErrReplaced) {
		t.Errorf("%q (%v), want no name, and told %v", name, err, ErrReplaced)
	}
}

func TestDebuginfodFrom(t *testing.T) {
	env := map[string]string{"HOME": "/home/x"}
	getenv := func(name string) string { return env[name] }
	if d := DebuginfodFrom(getenv); newDebuginfod(d) != nil {
		t.Errorf("%+v: servers without DEBUGINFOD_URLS", d)
	}
	env["DEBUGINFOD_URLS"] = "ima:enforcing https://a.example/ ima:ignore http://b.example"
	d := DebuginfodFrom(getenv)
	if len(d.URLs) != 2 || d.URLs[1] != "http://b.example" || d.Cache != "/home/x/.cache/debuginfod_client" {
		t.Errorf("%+v", d)
	}
	env["XDG_CACHE_HOME"] = "/cache"
	if d := DebuginfodFrom(getenv); d.Cache != "/cache/debuginfod_client" {
		t.Errorf("%+v", d)
	}
	env["DEBUGINFOD_CACHE_PATH"], env["DEBUGINFOD_TIMEOUT"], env["DEBUGINFOD_MAXTIME"], env["DEBUGINFOD_MAXSIZE"] = "/c", "5", "60", "1000"
	if d := DebuginfodFrom(getenv); d.Cache != "/c" || d.Timeout != 5*time.Second || d.MaxTime != time.Minute || d.MaxSize != 1000 {
		t.Errorf("%+v", d)
	}
}
