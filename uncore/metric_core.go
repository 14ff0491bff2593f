package uncore

// coreMetrics need nothing but what every machine with a PMU has, or joules.
func coreMetrics() []Metric {
	const whose = "joules are those of the whole machine, counts those of what was counted: it is of the command only where the machine does nothing else"
	return []Metric{
		{
			Name: "ipc", Unit: "instructions/cycle", Formula: "instructions / cycles",
			Source: "perf-stat(1), insn per cycle",
			Scope:  PerMachine, Events: []string{"instructions", "cycles"}, factors: same(1, 2), value: ratio,
		},
		{
			Name: "joules_per_instruction", Unit: "J/instruction", Formula: "J(energy) / instructions",
			Source: "energy per instruction: Grochowski and Annavaram, Energy per Instruction Trends in Intel Microprocessors, 2006",
			Doubt:  whose,
			Scope:  PerMachine, Events: []string{"instructions"}, Joules: []string{"energy"}, factors: same(1, 1), value: joulesPer,
		},
		{
			Name: "energy_delay_product", Unit: "J*s", Formula: "J(energy) * s",
			Source: "Horowitz, Indermaur and Gonzalez, Low-Power Digital Design, 1994",
			Doubt:  whose,
			Scope:  PerMachine, Joules: []string{"energy"},
			value: func(in inputs) (float64, bool) { return in.joules[0] * in.seconds, true },
		},
	}
}
