package pprofile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

// maxProfile bounds what a profile may unpack to: a few hundred times what the
// largest recording writes.
const maxProfile = 1 << 30

// Read reads a pprof profile, packed or not, of this package or of another tool.
func Read(in io.Reader) (*profile.Profile, error) {
	data, err := readUnpacked(in)
	if err != nil {
		return nil, err
	}
	p, err := profile.ParseData(data)
	if err != nil {
		return nil, fmt.Errorf("not a pprof profile: %w", err)
	}
	return p, nil
}

// readUnpacked reads all, through gzip if it is packed, within bounds.
func readUnpacked(in io.Reader) ([]byte, error) {
	r := bufio.NewReader(in)
	in = r
	if magic, err := r.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if in, err = gzip.NewReader(r); err != nil {
			return nil, cutOff(err)
		}
	}
	data, err := io.ReadAll(io.LimitReader(in, maxProfile+1))
	switch {
	case err != nil:
		return nil, cutOff(err)
	case len(data) == 0:
		return nil, errors.New("empty, not a profile")
	case len(data) > maxProfile:
		return nil, errors.New("larger than any profile")
	}
	return data, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is cut off: it ends within packed data")
	}
	return err
}
