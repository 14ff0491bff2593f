package symbol

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PerfMap reads the list of compiled functions that a runtime keeps in
// /tmp/perf-PID.map, as it is now: call it again for functions compiled since,
// and once before the process is gone. Resolve takes addresses. uid is the
// owner of the process. The file is looked for where the process sees /tmp,
// under the PID it has there, then in our own /tmp; it must be a regular file
// of the process's owner ([ErrOwner]). fs.ErrNotExist when there is none.
func (r *Resolver) PerfMap(pid int, uid uint32) (*Binary, error) {
	proc := filepath.Join(r.opt.Proc, strconv.Itoa(pid))
	inner := namespacePID(proc, pid)
	var worst error
	for _, at := range []struct {
		root string
		pid  int
	}{{proc + "/root", inner}, {r.opt.Root, inner}, {r.opt.Root, pid}} {
		name := fmt.Sprintf("tmp/perf-%d.map", at.pid)
		b, err := r.readPerfMap(at.root, name, uid)
		if err == nil {
			return b, nil
		}
		if worst == nil || telling(err) > telling(worst) {
			worst = err
		}
	}
	return nil, worst
}

// SavedPerfMap is PerfMap for a process of an earlier recording: what has its PID
// now says nothing of it, so only our own /tmp is looked at.
func (r *Resolver) SavedPerfMap(pid int, uid uint32) (*Binary, error) {
	return r.readPerfMap(r.opt.Root, fmt.Sprintf("tmp/perf-%d.map", pid), uid)
}

// namespacePID is the PID that the process knows itself by: the last field of
// NSpid in its status. Without it, the PID given.
func namespacePID(proc string, pid int) int {
	status, err := readBounded(proc+"/status", 64<<10)
	if err != nil {
		return pid
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			if len(fields) > 0 {
				if n, err := strconv.Atoi(fields[len(fields)-1]); err == nil {
					return n
				}
			}
		}
	}
	return pid
}

func (r *Resolver) readPerfMap(root, name string, uid uint32) (*Binary, error) {
	fd, st, err := openBelow(root, name, true)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	path := filepath.Join(root, name)
	if st.Uid != uid {
		return nil, fmt.Errorf("%s: %w: %d, not %d", path, ErrOwner, st.Uid, uid)
	}
	f, err := openForReading(fd, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, cut, err := readTail(f, r.opt.Limits.PerfMapBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := parsePerfMap(text, r.opt.Limits.Symbols)
	b := &Binary{Path: path, lim: r.opt.Limits, absolute: true, table: t}
	b.note(errors.Join(cut, err))
	return b, nil
}

// readTail reads a file, of one beyond limit the end, which has the newest code.
func readTail(f *os.File, limit int64) (text []byte, cut, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	var out bytes.Buffer
	if skip := st.Size() - limit; skip > 0 {
		cut = fmt.Errorf("%w: %d bytes skipped", ErrLimit, skip)
		if _, err := f.Seek(skip, io.SeekStart); err != nil {
			return nil, nil, err
		}
	}
	_, err = out.ReadFrom(io.LimitReader(f, limit))
	text = out.Bytes()
	if cut != nil { // the first line lost its start
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, cut, err
}

// parsePerfMap reads lines `start size name`, numbers in hexadecimal, the name
// to the end of the line. The process writes while we read, so a line that is
// no entry is left out; the error says how many there were, beside the table.
func parsePerfMap(text []byte, limit int) (*table, error) {
	var names strings.Builder
	var all []symbol
	var err error
	bad, first, number := 0, 0, 0
	for len(text) > 0 {
		number++
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		s, name, ok := parsePerfLine(line)
		if !ok {
			if whole && len(bytes.TrimSpace(line)) > 0 { // not one being written
				if bad++; bad == 1 {
					first = number
				}
			}
			continue
		}
		if len(all) >= limit {
			err = fmt.Errorf("%w: more than %d functions", ErrLimit, limit)
			break
		}
		s.name = uint32(names.Len())
		names.Write(name[:min(len(name), maxSymbolName)])
		names.WriteByte(0)
		all = append(all, s)
	}
	if bad > 0 {
		err = errors.Join(err, fmt.Errorf("%d lines are no entries, the first is line %d", bad, first))
	}
	return &table{symbols: newestWins(all), names: names.String()}, err
}

func parsePerfLine(line []byte) (s symbol, name []byte, ok bool) {
	var size uint64
	if s.addr, line, ok = hexField(line); !ok {
		return s, nil, false
	}
	if size, line, ok = hexField(line); !ok || size == 0 || s.addr+size < s.addr {
		return s, nil, false
	}
	s.size = uint32(min(size, math.MaxUint32))
	name = bytes.TrimSpace(bytes.ReplaceAll(line, []byte{0}, []byte("?")))
	return s, name, len(name) > 0
}

// hexField takes a number, which may start with 0x, and the space after it.
func hexField(line []byte) (v uint64, rest []byte, ok bool) {
	line = bytes.TrimPrefix(line, []byte("0x"))
	v, n := hexPrefix(line)
	if n == 0 || n >= len(line) || line[n] != ' ' {
		return 0, nil, false
	}
	return v, line[n+1:], true
}

// newestWins cuts functions that overlap into pieces that do not: memory is
// used again for other code, and what was written last is there now.
// all is in the order of writing.
func newestWins(all []symbol) []symbol {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].addr, all[b].addr) })
	var out []symbol
	var open newest // functions that cover the position, or have ended unseen
	end := func(i int) uint64 { return all[i].addr + uint64(all[i].size) }
	emit := func(from, to uint64) {
		for from < to && len(open) > 0 {
			top := open[0]
			if end(top) <= from {
				heap.Pop(&open)
				continue
			}
			until := min(end(top), to)
			s := symbol{from, uint32(until - from), all[top].name}
			if n := len(out); n > 0 && out[n-1].name == s.name && out[n-1].addr+uint64(out[n-1].size) == from &&
				uint64(out[n-1].size)+uint64(s.size) <= math.MaxUint32 {
				out[n-1].size += s.size
			} else {
				out = append(out, s)
			}
			from = until
		}
	}
	at := uint64(0)
	for _, i := range order {
		emit(at, all[i].addr)
		at = all[i].addr
		heap.Push(&open, i)
	}
	emit(at, math.MaxUint64)
	return out
}

// newest is a heap of indexes, the highest first.
type newest []int

func (h newest) Len() int           { return len(h) }
func (h newest) Less(i, j int) bool { return h[i] > h[j] }
func (h newest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newest) Push(x any)        { *h = append(*h, x.(int)) }
func (h *newest) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
