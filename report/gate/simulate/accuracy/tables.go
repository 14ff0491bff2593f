package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/energyprof/energyprof/report/gate/simulate"
)

var (
	noises  = []float64{0.01, 0.05, 0.10, 0.30}
	runs    = []int{3, 5, 10, 20, 40}
	changes = []float64{0.02, 0.05, 0.10, 0.20}
)

// book is the page as far as it is written.
type book struct {
	times, workers int
	page           bytes.Buffer
	broken         []string // promises that were not kept
	seed           uint64
}

// next is a seed for each case.
func (b *book) next() uint64 {
	b.seed++
	return b.seed
}

func percent(n, of int) string { return fmt.Sprintf("%.1f", 100*float64(n)/float64(of)) }

// promise keeps a record of what should hold.
func (b *book) promise(kept bool, format string, args ...any) {
	if !kept {
		b.broken = append(b.broken, fmt.Sprintf(format, args...))
	}
}

func (b *book) head(title, text string, columns ...string) {
	fmt.Fprintf(&b.page, "\n### %s\n\n%s\n\n| %s |\n|%s\n", title, text, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	fmt.Fprint(os.Stderr, title, ": ")
}

func (b *book) row(cells ...string) { fmt.Fprintf(&b.page, "| %s |\n", strings.Join(cells, " | ")) }

func columns(first ...string) []string {
	for _, n := range runs {
		first = append(first, fmt.Sprintf("%d runs", n))
	}
	return first
}

// planned: the runs that a plan asks for, and half of them.
func (b *book) planned() error {
	b.head("Planned runs", "A change of +10 % at 5 % noise: how many runs on each side show it to be above the limit, how many of the checks then fail, and what becomes of checks with half of the runs; those that neither fail nor pass are undecided.",
		"limit", "of", "runs", "fail, %", "half: fail, %", "half: pass, %")
	for _, limit := range []float64{0, 0.05} {
		for _, functions := range []int{1, simulate.Functions} {
			p := simulate.Planned{Noise: 0.05, Change: 0.1, Limit: limit, Functions: functions}
			n, err := p.Runs()
			if err != nil {
				return err
			}
			whole, err := p.Score(n, b.times, b.workers, b.next())
			if err != nil {
				return err
			}
			half, err := p.Score(n/2, b.times, b.workers, b.next())
			if err != nil {
				return err
			}
			of := "one metric"
			if functions > 1 {
				of = fmt.Sprintf("one of %d functions", functions)
			}
			b.row(fmt.Sprintf("%+g %%", 100*limit), of, fmt.Sprint(n), percent(whole.Fail, whole.Of), percent(half.Fail, half.Of), percent(half.Pass, half.Of))
			b.promise(float64(half.Pass) <= 0.01*float64(half.Of), "%v: %d of %d checks with half of the runs pass", p, half.Pass, half.Of)
		}
	}
	return nil
}

// unchanged: false alarms.
func (b *book) unchanged() error {
	b.head("No change", "Checks with a limit of 0 that fail or name a function / comparisons that name a function or call the total's energy changed, in %. At most 1 is promised; two speeds that each function chooses for itself, run by run, are what no promise holds for.",
		columns("noise is", "of")...)
	for kind := simulate.Normal; kind <= simulate.Layouts; kind++ {
		for i, noise := range noises {
			if kind >= simulate.Sampled && i > 1 {
				continue
			}
			cells := []string{kind.String(), fmt.Sprintf("%g %%", 100*noise)}
			for _, n := range runs {
				c := simulate.Case{Kind: kind, Noise: noise, Runs: n}
				check, err := c.Check(0, b.times, b.workers, b.next())
				if err != nil {
					return err
				}
				compare, err := c.Compare(b.times, b.workers, b.next())
				if err != nil {
					return err
				}
				cells = append(cells, percent(check.Any, check.Of)+" / "+percent(compare.Any, compare.Of))
				if kind <= simulate.Rounded {
					b.promise(check.Any*100 <= check.Of, "%v: %d of %d checks fail or name a function", c, check.Any, check.Of)
					b.promise(compare.Any*100 <= compare.Of, "%v: %d of %d comparisons name something", c, compare.Any, compare.Of)
				}
			}
			b.row(cells...)
		}
	}
	return nil
}

// limits: a limit of +5 % on the total.
func (b *book) limits() error {
	const limit = 0.05
	b.head("A limit of +5 % on the energy", "The whole program changes: checks that fail / pass, in %; the others are undecided.", columns("change", "noise")...)
	for _, change := range append([]float64{0}, changes...) {
		for _, noise := range noises {
			cells := []string{fmt.Sprintf("%+g %%", 100*change), fmt.Sprintf("%g %%", 100*noise)}
			for _, n := range runs {
				c := simulate.Case{Noise: noise, Runs: n, Where: simulate.All, Change: change}
				s, err := c.Check(limit, b.times, b.workers, b.next())
				if err != nil {
					return err
				}
				cells = append(cells, percent(s.Fail, s.Of)+" / "+percent(s.Pass, s.Of))
				if change >= limit {
					b.promise(s.Pass*100 <= s.Of, "%v: %d of %d checks pass a limit of +5 %%", c, s.Pass, s.Of)
				}
				if change < limit {
					b.promise(s.Fail*100 <= s.Of, "%v: %d of %d checks fail a limit of +5 %%", c, s.Fail, s.Of)
				}
			}
			b.row(cells...)
		}
	}
	return nil
}

// detectable: changes of the size that is printed.
func (b *book) detectable() error {
	b.head("The detectable change", "A change of the size that a comparison without one prints as detectable, in as many other runs: how often it is found in the total / in one function, in %. At least 95 is promised; where a run in 20 is disturbed the runs at hand may have had none of those.",
		columns("noise is", "of")...)
	for _, kind := range []simulate.Kind{simulate.Normal, simulate.Drift, simulate.Heavy} {
		for i, noise := range noises {
			if kind == simulate.Heavy && i > 1 {
				continue
			}
			cells := []string{kind.String(), fmt.Sprintf("%g %%", 100*noise)}
			for _, n := range runs {
				c := simulate.Case{Kind: kind, Noise: noise, Runs: n}
				s, err := c.Detectable(b.times, b.workers, b.next())
				if err != nil {
					return err
				}
				cells = append(cells, percent(s.Found, s.Of)+" / "+percent(s.Named, s.Of))
				if kind != simulate.Heavy {
					b.promise(s.Found*100 >= 95*s.Of, "%v: of %d changes of the total of the size that is detectable %d are found", c, s.Of, s.Found)
					b.promise(s.Named*100 >= 95*s.Of, "%v: of %d changes of a function of the size that is detectable %d are found", c, s.Of, s.Named)
				}
			}
			b.row(cells...)
		}
	}
	return nil
}

// found: changes in time, in one function and in all.
func (b *book) found() error {
	for _, where := range []simulate.Where{simulate.One, simulate.All} {
		title, text := "One of 50 functions takes longer", "Comparisons that name it / that name another one, in %."
		if where == simulate.All {
			title, text = "All functions take longer", "Comparisons that call the total's energy changed / functions named, in %."
		}
		b.head(title, text, columns("change", "noise")...)
		for _, change := range changes {
			for _, noise := range noises {
				cells := []string{fmt.Sprintf("%+g %%", 100*change), fmt.Sprintf("%g %%", 100*noise)}
				for _, n := range runs {
					c := simulate.Case{Noise: noise, Runs: n, Where: where, Change: change}
					s, err := c.Compare(b.times, b.workers, b.next())
					if err != nil {
						return err
					}
					second := percent(s.Names, s.Of)
					if where == simulate.All {
						second = percent(s.Named, s.Of*simulate.Functions)
					}
					cells = append(cells, percent(s.Found, s.Of)+" / "+second)
					b.promise(s.Names*100 <= s.Of, "%v: %d of %d comparisons name a function that has not changed", c, s.Names, s.Of)
				}
				b.row(cells...)
			}
		}
	}
	return nil
}
