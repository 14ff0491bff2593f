package collect

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The names of compiled code are read while the process lives, and again as there is more of it.
func TestPerfMapIsReadWhileItIsThere(t *testing.T) {
	opt := withKernel(t, map[string]string{
		"10/status":       fmt.Sprintf("Uid:\t%d\t%d\t0\t0\n", os.Getuid(), os.Getuid()),
		"tmp/perf-10.map": "1000 10 first\n",
		"11/status":       fmt.Sprintf("Uid:\t%d\t%d\t0\t0\n", os.Getuid(), os.Getuid()),
	})
	path := filepath.Join(opt.Proc, "tmp/perf-10.map")
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x1000, 0, anonymous)
	s.mmap(10, 0x3000, 0x1000, 0, anonymous)
	s.sample(10, 10, 0x1000)
	if err := os.WriteFile(path, []byte("1000 10 first\n1010 10 second\n3000 10 third\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.sample(10, 10, 0x1010)
	s.fork(10, 11) // runs what its parent compiled
	s.sample(11, 11, 0x1011)
	s.sample(11, 11, 0x3000)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.exit(10, 10)
	s.expect(t,
		"app/app 10/10 1×1ms first",
		"app/app 10/10 1×1ms second",
		"app/app 11/11 1×1ms second",
		"app/app 11/11 1×1ms third")
}

func TestParseMaps(t *testing.T) {
	const text = `55d0c0a00000-55d0c0a21000 r--p 00000000 103:02 131 /usr/bin/a file (deleted)
55d0c0a21000-55d0c0a42000 r-xp 00021000 103:02 131                       /usr/bin/a file (deleted)
7f00-8000 rwxp 00000000 00:00 0 
9000-a000 rw-p 00000000 00:00 0                          [heap]
7ffd1000-7ffd3000 r-xp 00000000 00:00 0                  [vdso]
b000-c000 --xs 00001000 00:1f 18446744073709551615 /line\012feed
`
	all, err := parseMaps([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		i := m.image.Value()
		got = append(got, fmt.Sprintf("%x-%x+%x %d:%d %d %q", m.start, m.limit, m.offset, i.major, i.minor, i.inode, i.file))
	}
	want := []string{
		`55d0c0a21000-55d0c0a42000+21000 259:2 131 "/usr/bin/a file (deleted)"`,
		`7f00-8000+0 0:0 0 "//anon"`,
		`7ffd1000-7ffd3000+0 0:0 0 "[vdso]"`,
		`b000-c000+1000 0:31 18446744073709551615 "/line\nfeed"`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for _, bad := range []string{"\n", "x", "1-2 r-xp 0 0:0\n", "2-1 r-xp 0 0:0 0\n", "12 r-xp 0 0:0 0\n", "1-2 r-x 0 0:0 0\n",
		"1-2 r-xp g 0:0 0\n", "1-2 r-xp 0 00 0\n", "1-2 r-xp 0 0:0 -1\n"} {
		if _, err := parseMaps([]byte("1-2 r-xp 0 0:0 0\n" + bad)); err == nil || err.Error()[:7] != "line 2:" {
			t.Errorf("%q: error %v, want one for line 2", bad, err)
		}
	}
}

// A process of which no record told is read from /proc at its first sample, and one that ran before at once.
func TestProcessesFromProc(t *testing.T) {
	opt := withKernel(t, map[string]string{
		"10/task/10/comm": "server\n",
		"10/task/15/comm": "worker\n",
		"10/maps":         "1000-2000 r-xp 00000000 00:01 5 /bin/server\n3000-4000 r--p 00000000 00:01 5 /bin/server\n",
		"20/task/20/comm": "cron\n",
		"20/maps":         "1000-2000 r-xp 00000000 00:01 6 /bin/cron\n",
		// The first thread has ended, and the process has not.
		"40/task/40/comm": "pool\n",
		"40/task/40/maps": "",
		"40/task/41/comm": "pool\n",
		"40/task/41/maps": "1000-2000 r-xp 00000000 00:01 7 /bin/pool\n",
		"40/maps":         "",
	})
	s := newStream(t, opt)
	if err := s.Existing(10); err != nil {
		t.Fatal(err)
	}
	if err := s.Existing(10); err != nil || s.table.processes[10].threads != 2 {
		t.Errorf("the same again: %d threads, error %v", s.table.processes[10].threads, err)
	}
	if err := s.Existing(11); err == nil {
		t.Error("a process that is not there: no error")
	}
	s.sample(10, 15, 0x1010)
	s.sample(20, 20, 0x1010)
	s.mmap(20, 0x1000, 0x1000, 0, "/bin/other")
	s.sample(20, 20, 0x1010)
	s.sample(30, 31, 0x3010)
	s.sample(40, 41, 0x1010)
	r := s.expect(t,
		":30/:30 30/31 1×1ms [unknown] 0x3010",
		"cron/cron 20/20 1×1ms /bin/cron+0x10",
		"cron/cron 20/20 1×1ms /bin/other+0x10",
		"pool/pool 40/41 1×1ms /bin/pool+0x10",
		"server/worker 10/15 1×1ms /bin/server+0x10")
	if m := r.Data.Main; m == nil || m.File != "/bin/server" {
		t.Errorf("main mapping %+v", m)
	}
}
