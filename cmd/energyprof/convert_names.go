package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// names says where the names of functions may come from: files of this machine that are those that were mapped, and
// the running kernel if it is the one that was recorded.
func (c *conversion) names(opt *collect.Options) {
	cache := ""
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		cache = filepath.Join(home, ".debug")
	}
	opt.Resolver = symbol.New(symbol.Options{Cache: cache, Debuginfod: debuginfod(c.flags.quiet)})
	// perf maps outlive their processes; like perf, those of this user are taken.
	if host, err := os.Hostname(); err == nil && (c.file.Info.Hostname == "" || c.file.Info.Hostname == host) {
		uid := uint32(os.Geteuid())
		opt.PerfMapsOf = &uid
	}
	opt.BuildIDs = map[string]string{}
	for _, id := range c.file.Info.BuildIDs {
		switch text := hex.EncodeToString(id.ID); {
		case id.Guest:
		case id.Kernel && id.Filename == symbol.KernelPath:
			opt.Kernel.BuildID = text
		default:
			opt.BuildIDs[id.Filename] = text
		}
	}
	opt.Kernel.Running, opt.Kernel.Marks = opt.Resolver.KernelBuildID(), kernelMarks()
}

// kernelMarks are the addresses of the symbols that perf writes into its files to tell where the kernel was.
func kernelMarks() map[string]uint64 {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil
	}
	defer f.Close()
	marks := map[string]uint64{}
	for lines := bufio.NewScanner(f); lines.Scan() && len(marks) < 2; {
		address, rest, _ := strings.Cut(lines.Text(), " ")
		_, name, _ := strings.Cut(rest, " ")
		if name == "_text" || name == "_stext" {
			if marks[name], err = strconv.ParseUint(address, 16, 64); err != nil {
				return nil
			}
		}
	}
	return marks
}

// describeForeign adds what the file tells of its making.
func (c *conversion) describeForeign(rec *report.Recording, result *perfdata.Result) {
	info := &c.file.Info
	if info.Version != "" {
		rec.Tool = "perf " + info.Version
	}
	total := result.Books.Total()
	rec.Throttled, rec.BadRecords = int64(total.Throttles), int64(total.Bad)
	rec.Data.Period = nominal(&c.file.Events[c.main])
	if result.First > 0 {
		rec.Data.Duration = time.Duration(result.Last - result.First)
	}
	if info.Clock.WallNS > 0 && result.First > 0 {
		rec.Data.Start = time.Unix(0, info.Clock.WallNS+result.First-info.Clock.ClockNS)
	}
	comment := func(format string, args ...any) {
		rec.Data.Comments = append(rec.Data.Comments, fmt.Sprintf(format, args...))
	}
	var events []string
	for i, e := range c.file.Events {
		if i < len(c.index) && c.index[i] >= 0 {
			events = append(events, describeEvent(&e))
		}
	}
	comment("events: %s", strings.Join(events, ", "))
	for _, fact := range []struct{ what, text string }{
		{"machine", info.Hostname}, {"kernel", info.OSRelease}, {"architecture", info.Arch}, {"processor", info.CPUDesc},
		{"perf command line", strings.Join(info.Cmdline, " ")},
	} {
		if fact.text != "" {
			comment("%s: %s", fact.what, fact.text)
		}
	}
	comment("clock of the samples: %v", info.Clock)
}

func describeEvent(e *perfdata.Event) string {
	switch {
	case e.Attr.Sample == 0:
		return e.Name + " with its group"
	case e.Attr.Flags&perfring.FlagFreq != 0:
		return fmt.Sprintf("%s at %d Hz", e.Name, e.Attr.Sample)
	}
	return fmt.Sprintf("%s every %d", e.Name, e.Attr.Sample)
}
