package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// duration is a flag that takes 1m30s, 250ms and so on, and also a plain number
// in the unit that users of other tools expect there.
type duration struct {
	value *time.Duration
	unit  time.Duration
}

func (d duration) Set(s string) error {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		ns := n * float64(d.unit)
		if !(ns >= 0 && ns < math.MaxInt64) {
			return fmt.Errorf("%s is no length of time", s)
		}
		*d.value = time.Duration(ns)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	if v < 0 {
		return fmt.Errorf("%s is no length of time", s)
	}
	*d.value = v
	return nil
}

func (d duration) String() string {
	if d.value == nil {
		return "0s"
	}
	return d.value.String()
}

func (d duration) Type() string { return "duration" }
