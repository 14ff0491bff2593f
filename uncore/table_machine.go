package uncore

// Machine is where events are looked for. The zero value is this machine.
type Machine struct {
	// Sys and Proc are the roots of sysfs and procfs; "" means "/sys" and "/proc".
	Sys, Proc string
	// Platform chooses the built-in table, "SPR"; "" takes what /proc/cpuinfo says.
	Platform string
	// Tables are the user's event files, looked up before the built-in table.
	Tables []*Table
}
