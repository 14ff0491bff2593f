package uncore

import (
	"errors"
	"fmt"
	"strings"
)

// perfmonFields are the fields that become a term of the same value if they are
// not 0 (jevents.py, event_fields). The threshold of most units of the uncore has
// another name in sysfs than the core's.
var perfmonFields = []struct{ field, core, uncore string }{
	{"CounterMask", "cmask", "thresh"},
	{"Invert", "inv", "inv"},
	{"EdgeDetect", "edge", "edge"},
	{"AnyThread", "any", "any"},
	{"PortMask", "ch_mask", "ch_mask"},
	{"FCMask", "fc_mask", "fc_mask"},
	{"RdWrMask", "rdwrmask", "rdwrmask"},
	{"NodeType", "type", "type"},
	{"EnAllCores", "enallcores", "enallcores"},
	{"EnAllSlices", "enallslices", "enallslices"},
	{"SliceId", "sliceid", "sliceid"},
	{"ThreadMask", "threadmask", "threadmask"},
}

// terms is what goes between the slashes. What it cannot express goes into e.
func (p perfmonEvent) terms(e *Entry) (string, error) {
	isCore := strings.HasPrefix(e.PMU, "cpu")
	// The arbiter of client processors calls all its fields as the core does
	// (uncore_snb.c, snb_uncore_formats_attr).
	asCore := isCore || e.PMU == "uncore_arb"
	var t termList
	if err := p.code(e, &t, isCore); err != nil {
		return "", err
	}
	for _, f := range perfmonFields {
		n, err := p.number(f.field)
		if err != nil {
			return "", err
		}
		name := f.uncore
		if asCore {
			name = f.core
		}
		if n != 0 {
			t.hex(name, n)
		}
	}
	if err := p.filter(e, &t); err != nil {
		return "", err
	}
	if err := p.msr(e, &t); err != nil {
		return "", err
	}
	period, err := p.number("SampleAfterValue")
	if err != nil {
		return "", err
	}
	if isCore && period != 0 {
		t.decimal("period", period)
	}
	return t.String(), nil
}

// code writes the event's number and its unit mask.
func (p perfmonEvent) code(e *Entry, t *termList, isCore bool) error {
	if isCore && e.Fixed {
		if known, ok := coreFixed[strings.ToLower(e.Name)]; ok {
			t.WriteString(known)
			return nil
		}
	}
	if !isCore && e.Fixed {
		t.hex("event", 0xff) // UNCORE_FIXED_EVENT, arch/x86/events/intel/uncore.h
		return nil
	}
	if p.text("EventCode") == "" {
		return errors.New("EventCode is missing")
	}
	event, err := p.number("EventCode")
	if err != nil {
		return err
	}
	extension, err := p.number("ExtSel")
	if err != nil {
		return err
	}
	umask, err := p.number("UMask")
	if err != nil {
		return err
	}
	more, err := p.number("UMaskExt")
	if err != nil {
		return err
	}
	switch {
	case extension > 0xff || event > 0xffff:
		return fmt.Errorf("EventCode %q with ExtSel %q is beyond what an event has", p.text("EventCode"), p.text("ExtSel"))
	case more >= 1<<32:
		return fmt.Errorf("UMaskExt %q has more than 32 bits", p.text("UMaskExt"))
	case umask > 0xff && umask>>8 != more && more != 0:
		return fmt.Errorf("UMask %q holds other bits than UMaskExt %q", p.text("UMask"), p.text("UMaskExt"))
	case umask <= 0xff:
		umask |= more << 8 // perf's own copies have it in UMask already
	}
	t.hex("event", event|extension<<8)
	if umask != 0 || p.text("UMask") != "" {
		t.hex("umask", umask)
	}
	return nil
}

// filter knows what the kernel has a field for. Of the others, whose bits Intel
// gives in words (CBoFilter0[23:17]), the event counts more than it says.
func (p perfmonEvent) filter(e *Entry, t *termList) error {
	filter := p.text("Filter")
	lower := strings.ToLower(filter)
	switch {
	case filter == "" || filter == "0":
		return nil
	case (strings.HasPrefix(lower, "fc") || strings.HasPrefix(lower, "chnl")) && p.flag("PortMask"):
		return nil // these are FCMask and PortMask
	case strings.HasPrefix(lower, "ctrctrl") && p.flag("UMaskExt"):
		return nil // bits of the control register that are the unit mask's extension
	case strings.HasPrefix(filter, "config"):
		for term := range strings.SplitSeq(filter, ",") {
			name, value, ok := strings.Cut(term, "=")
			name = strings.TrimSpace(name)
			if !ok || name == "" || value == "" || strings.ContainsAny(name+value, "/{}: \t\n\r") {
				return fmt.Errorf("field Filter %q is no list of name=value", filter)
			}
			t.add(name, value)
		}
		return nil
	case filter == "Filter1":
		value, err := p.number("FILTER_VALUE")
		if err != nil {
			return err
		}
		if value == 0 {
			return errors.New("no FILTER_VALUE, which Filter asks for")
		}
		t.hex("config1", value)
		return nil
	}
	e.doubt("meant with the filter " + filter + ", which is not set: it counts more")
	return nil
}

// msr writes the fields behind which the kernel hides the core's extra registers
// (arch/x86/events/intel/core.c, intel_*_extra_regs).
func (p perfmonEvent) msr(e *Entry, t *termList) error {
	index, err := p.number("MSRIndex")
	if err != nil {
		return err
	}
	value, err := p.number("MSRValue")
	if err != nil {
		return err
	}
	switch index {
	case 0:
	case 0x1a6, 0x1a7:
		t.hex("offcore_rsp", value)
	case 0x3f6:
		t.hex("ldlat", value)
	case 0x3f7:
		t.hex("frontend", value)
	default:
		e.Unusable = fmt.Sprintf("it needs register 0x%x, for which the kernel has no field", index)
	}
	return nil
}
