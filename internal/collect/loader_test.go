package collect

import (
	"testing"
	"time"
)

// Walks that go astray are many if they are within a second.
func TestStrayed(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration
		told  int // the walk at which they are many, 0: none
	}{
		{"each sample at 997 Hz", time.Second / 997, manyAstray},
		{"a second for as many", time.Second / (manyAstray - 1), manyAstray},
		{"now and then", time.Second / (manyAstray / 2), 0},
	} {
		s := &loadedSpace{}
		told := 0
		for i := 1; i <= 4*manyAstray && told == 0; i++ {
			if s.strayed(int64(5*time.Second + time.Duration(i)*c.every)) {
				told = i
			}
		}
		if told != c.told {
			t.Errorf("%s: many at walk %d, want %d", c.name, told, c.told)
		}
	}
}
