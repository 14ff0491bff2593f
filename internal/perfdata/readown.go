package perfdata

import (
	"errors"
	"fmt"
	"io"

	"github.com/energyprof/energyprof/perfring"
)

// findOwn reads energyprof's own section. One that is damaged is noted, and the
// file read like any other: perf sees the records in it as well.
func (f *File) findOwn() error {
	s := f.header.eventTypes
	if !isOwn(f.at, s) {
		return nil
	}
	own, err := decodeOwn(f.at, int64(s.offset), int64(s.size))
	if errors.Is(err, ErrOwnVersion) {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if err != nil {
		f.notes.add("%v", err)
		return nil
	}
	f.Own = own
	return nil
}

// replay hands on a recording of our own.
func (f *File) replay() error {
	err := f.Own.replay(f.nextKernel, f.sink)
	if errors.Is(err, errOwnDamaged) {
		if f.result.Truncated < 0 {
			f.truncated(f.src.offset, fmt.Errorf("%w: %w", err, ErrDamaged))
		}
		return nil
	}
	return err
}

// nextKernel decodes the next record of the kernel, in the order of the file.
func (f *File) nextKernel() (rec perfring.Record, cpu, event int, err error) {
	for {
		raw, offset, err := f.next()
		if err != nil {
			return nil, -1, -1, err
		}
		if raw == nil {
			return nil, -1, -1, io.EOF
		}
		kind, _ := head8(raw, f.swap)
		if kind >= recUserStart {
			if kind == recFinishedRound {
				continue
			}
			if err := f.record(raw, offset); err != nil {
				if err := f.stop(offset, err); err != nil {
					return nil, -1, -1, err
				}
				return nil, -1, -1, io.EOF
			}
			continue
		}
		if f.swap {
			f.swapRecord(raw)
		}
		rec, cpu, event := f.decode(raw)
		switch rec.(type) {
		case nil:
			// What cannot be decoded has its place among the others.
			return &perfring.Unknown{}, -1, -1, nil
		case *perfring.LostSamples:
			if len(f.Own.Books) == 0 {
				event = -1 // as the recording had it
			}
		}
		f.book(rec, event)
		return rec, cpu, event, nil
	}
}
