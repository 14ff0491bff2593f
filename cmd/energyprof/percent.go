package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// percent is a flag of a share: "5%", "+5 %" and "5" are 0.05.
type percent struct{ share *float64 }

func (p percent) String() string {
	if p.share == nil {
		return ""
	}
	return strconv.FormatFloat(100**p.share, 'g', 6, 64) + "%"
}

func (p percent) Type() string { return "percent" }

func (p percent) Set(text string) error {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is no percentage, as 5%% is one", text)
	}
	*p.share = v / 100
	return nil
}
