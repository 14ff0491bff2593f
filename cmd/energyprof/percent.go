package main

import (
	"fmt"
	"strconv"
	"strings"
)

// percent is a flag of a share: "5%" and "+5%" are 0.05. A number without "%" could be meant as either, so that it is
// refused, as by the limits of check, unless it is 0.
type percent struct{ share *float64 }

func (p percent) String() string {
	if p.share == nil {
		return ""
	}
	return strconv.FormatFloat(100**p.share, 'g', 6, 64) + "%"
}

func (p percent) Type() string { return "percent" }

func (p percent) Set(text string) error {
	if text == "0" {
		*p.share = 0
		return nil
	}
	if !percentage.MatchString(text) {
		return fmt.Errorf("%q is no percentage, as 5%% is one", text)
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	*p.share = v / 100
	return err
}
