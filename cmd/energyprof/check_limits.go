package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/report/gate"
)

// limits reads the flags and arguments; all mistakes in them are usage errors.
func (f *checkFlags) limits(args []string) ([]gate.Limit, error) {
	if len(f.baseline) == 0 {
		return nil, usagef("check: --baseline says what the new runs are compared with: a directory that bench wrote")
	}
	if len(args) == 0 {
		return nil, usagef("check: the new runs are missing: a directory that bench wrote")
	}
	if !finite(f.minJoules) {
		return nil, usagef("--min-joules %v: it is a number of joules, from 0 on", f.minJoules)
	}
	if !finite(f.minSeconds) {
		return nil, usagef("--min-seconds %v: it is a number of seconds, from 0 on", f.minSeconds)
	}
	var all []gate.Limit
	for i, l := range limitedTotals {
		if f.max[i] == "" {
			continue
		}
		max, err := parsePercent(f.max[i])
		if err != nil {
			return nil, usagef("--%s %w", l.flag, err)
		}
		all = append(all, gate.Limit{Quantity: l.quantity, Max: max})
	}
	for _, l := range []struct {
		flag     string
		quantity gate.Quantity
		values   []string
	}{{"--function", gate.Energy, f.function}, {"--function-time", gate.Time, f.functionTime}} {
		for _, value := range l.values {
			limit, err := parseFunctionLimit(value)
			if err != nil {
				return nil, usagef("%s %w", l.flag, err)
			}
			limit.Quantity = l.quantity
			all = append(all, limit)
		}
	}
	if len(all) == 0 {
		return nil, usagef("check: there is no limit to check: give --max-energy, --max-time, --max-elapsed, --max-power, --function or --function-time")
	}
	return all, nil
}

// parseFunctionLimit reads REGEXP=+10%. The expression may have "=" itself.
func parseFunctionLimit(text string) (gate.Limit, error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return gate.Limit{}, fmt.Errorf("%q: it is a regular expression and a limit, as '^decode=+10%%'", text)
	}
	if i == 0 {
		return gate.Limit{}, fmt.Errorf("%q: the regular expression is empty; \".\" stands for all functions", text)
	}
	re, err := regexp.Compile(text[:i])
	if err != nil {
		return gate.Limit{}, fmt.Errorf("%q: %w", text, err)
	}
	max, err := parsePercent(text[i+1:])
	if err != nil {
		return gate.Limit{}, fmt.Errorf("%q: %w", text, err)
	}
	return gate.Limit{Function: re, Max: max}, nil
}

// percentage is a decimal number without exponent, a sign if it likes, and the percent sign.
var percentage = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?%$`)

// maxPercent bounds a limit: who allows more has no limit.
const maxPercent = 10000

// parsePercent reads a limit as a fraction: 0.05 of "+5%" or "5%". A number without "%" is refused, because 0.05 and 5 could
// both be meant to be it, unless it is 0.
func parsePercent(text string) (float64, error) {
	if text == "0" {
		return 0, nil
	}
	if !percentage.MatchString(text) {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, fmt.Errorf("%q: the percent sign is missing: limits are as +5%%, 2.5%%, -2%% or 0", text)
		}
		return 0, fmt.Errorf("%q: it is no limit: limits are as +5%%, 2.5%%, -2%% or 0", text)
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q: %w", text, err)
	case percent <= -100:
		return 0, fmt.Errorf("%q: nothing can become less by as much", text)
	case percent > maxPercent:
		return 0, fmt.Errorf("%q: that is above %d%%, and no limit", text, maxPercent)
	}
	return percent / 100, nil
}
