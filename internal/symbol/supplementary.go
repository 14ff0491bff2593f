package symbol

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"

	"github.com/energyprof/energyprof/internal/cursor"
)

// supplementaryLink reads which file holds what this one's debug information has in
// common with that of others: .gnu_debugaltlink of dwz, .debug_sup of DWARF 5.
func (im *image) supplementaryLink() (name, id string, ok bool) {
	s := im.section(".gnu_debugaltlink")
	standard := s == nil
	if standard {
		s = im.section(".debug_sup")
	}
	if s == nil || s.size > maxDebugString+2*maxBuildID {
		return "", "", false
	}
	b, err := im.bytes(s.off, s.size)
	if err != nil {
		return "", "", false
	}
	c := cursor.Cursor{Bytes: b}
	if standard {
		c.U16()          // version
		if c.U8() != 0 { // it is such a file itself
			return "", "", false
		}
	}
	name = string(c.Text())
	sum := c.Bytes[c.Pos:]
	if standard {
		sum = c.Take(c.ULEB())
	}
	if c.Bad || len(sum) == 0 || len(sum) > maxBuildID || name == "" {
		return "", "", false
	}
	return name, hex.EncodeToString(sum), true
}

// supplementaryID is what links to the file give to know it by.
func (im *image) supplementaryID() string {
	s := im.section(".debug_sup")
	if s == nil || s.size > maxDebugString+2*maxBuildID {
		return im.buildID()
	}
	b, err := im.bytes(s.off, s.size)
	if err != nil {
		return ""
	}
	c := cursor.Cursor{Bytes: b}
	c.Take(3) // version, and that it is one
	c.Text()
	return hex.EncodeToString(c.Take(c.ULEB()))
}

// openSupplementary opens the file that from, the binary or its debug file at path, shares
// entries with: by its build id, or where from says. Nil if it has none, or it is not there.
func (b *Binary) openSupplementary(from *image, path string) (*debugInfo, error) {
	name, id, ok := from.supplementaryLink()
	if !ok || b.file == nil {
		return nil, nil
	}
	im, src, err := b.debugByBuildID(id)
	if im == nil {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		agrees := func(im *image, _ *source) bool { return im.supplementaryID() == id }
		for _, root := range []string{b.search.root, b.search.theirs} {
			if root == "" || im != nil {
				continue
			}
			below := root
			if root == b.search.root && b.search.dir != "" && strings.HasPrefix(name, b.search.dir+"/") {
				below = "/" // the tree of debug files is ours, wherever paths are looked up
			}
			var tryErr error
			im, src, tryErr = b.tryBelow(below, name, agrees)
			err = errors.Join(err, tryErr)
		}
	}
	if im == nil {
		return nil, err
	}
	b.supplement = src
	d, err := openDebugInfo(b.image, im, b.limits(), false, "")
	if d == nil || err != nil {
		return nil, err
	}
	return d, d.index()
}
