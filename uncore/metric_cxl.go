package uncore

// cxlMetrics are those of the host's CXL ports on Intel servers.
//
// Which way is which: the counters sit at the host. What it sends (TxC) with data
// on CXL.mem are requests with data, M2S RwD: writes to the device. What it
// receives (RxC) with data are the device's data responses, S2M DRS: reads. Both
// carry one line of 64 bytes (CXL 3.0, sections 3.3.6 and 3.3.10).
//
// The read side is the packing buffer of port unit CXLCM, as is the write side
// where the tables have it; Granite Rapids' have the data path's M2S insertions
// in its place.
func cxlMetrics() []Metric {
	const (
		reads  = "UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA"
		writes = "UNC_CXLCM_TxC_PACK_BUF_INSERTS.MEM_DATA"
		agf    = "UNC_CXLDP_TxC_AGF_INSERTS.M2S_DATA"
		busy   = "UNC_CXLCM_RxC_PACK_BUF_NE.MEM_DATA"
		full   = "UNC_CXLCM_RxC_PACK_BUF_FULL.MEM_DATA"
		ticks  = "UNC_CXLCM_CLOCKTICKS"

		events = "events: Intel perfmon SPR 1.39, EMR 1.24, GNR 1.20; directions: CXL 3.0, 3.3"
		insert = "that an insertion is one line of 64 bytes is not in the events' documentation; CXL.cache is not in it"
	)
	port := func(name, formula, event string, value func(inputs) (float64, bool)) Metric {
		pmu := "uncore_cxlcm"
		if event == agf {
			pmu = "uncore_cxldp"
		}
		return Metric{
			Name: name, Unit: "B/s", Formula: formula, Source: events, Doubt: insert, Scope: PerBox, pmu: pmu,
			Events: []string{event}, factors: same(line, 1), value: value,
		}
	}
	queue := func(name, event string) Metric {
		return Metric{
			Name: name, Unit: "share of cycles", Formula: event + " / " + ticks, Source: events,
			Doubt: "that the buffer's cycles are those of CXLCM's clock (lfclk) is not in the events' documentation",
			Scope: PerBox, pmu: "uncore_cxlcm", Events: []string{event, ticks}, factors: same(1, 2), value: ratio,
		}
	}
	perByte := func(writes, pmu string) Metric {
		return Metric{
			Name: "cxl_joules_per_byte", Unit: "J/B", Formula: "J(energy) / (64 * (" + reads + " + " + writes + "))",
			Source: events, Doubt: "all joules of the package over the bytes of its ports, not what CXL draws; " + insert,
			Scope: PerPackage, pmu: pmu, Events: []string{reads, writes}, Joules: []string{"energy"}, factors: same(line, 2), value: joulesPer,
		}
	}
	return []Metric{
		port("cxl_read_bandwidth", "64 * "+reads+" / s", reads, rate),
		port("cxl_write_bandwidth", "64 * "+writes+" / s", writes, rate),
		port("cxl_write_bandwidth", "64 * "+agf+" / s", agf, rate),
		queue("cxl_receive_queue_busy", busy),
		queue("cxl_receive_queue_full", full),
		perByte(writes, "uncore_cxlcm"),
		perByte(agf, "uncore_cxldp"),
	}
}

// cxlDeviceMetrics are those of a CXL device with a PMU of its own, which the
// kernel reads by the specification (CXL 3.0, 13.2 and table 13-5;
// drivers/perf/cxl_pmu.c). Which events a device has is in its sysfs.
func cxlDeviceMetrics() []Metric {
	device := func(name string, events ...string) Metric {
		m := Metric{
			Name: name, Unit: "B/s", Source: "CXL 3.0, table 13-5 and section 3.3; linux drivers/perf/cxl_pmu.c",
			Scope: PerBox, pmu: "cxl_pmu", needs: events, factors: same(line, len(events)), value: rate,
		}
		for i, event := range events {
			m.Events = append(m.Events, "cxl_pmu_mem*/"+event+"/")
			if i > 0 {
				m.Formula += " + "
			}
			m.Formula += event
		}
		if len(events) > 1 {
			m.Formula = "(" + m.Formula + ")"
		}
		m.Formula = "64 * " + m.Formula + " / s"
		return m
	}
	partial := device("cxl_device_write_bandwidth", "m2s_rwd_memwr", "m2s_rwd_memwrptl")
	partial.Doubt = "a partial write moves a line's slots, but fewer bytes of it count"
	// A CAS of DDR4 moves 8 beats of 64 bits, one of DDR5 16 of 32 (JEDEC JESD79-4 and -5).
	memory := func(name, event string) Metric {
		m := device(name, event)
		m.Doubt = "that a CAS moves 64 bytes is so of DDR4 and DDR5, and not in the CXL specification"
		return m
	}
	return []Metric{
		device("cxl_device_read_bandwidth", "s2m_drs_memdata"),
		partial,
		device("cxl_device_write_bandwidth", "m2s_rwd_memwr"),
		memory("cxl_device_memory_read_bandwidth", "ddr_casrd"),
		memory("cxl_device_memory_write_bandwidth", "ddr_caswr"),
	}
}
