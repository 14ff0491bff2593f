package pebs_test

import (
	"fmt"

	"github.com/energyprof/energyprof/pebs"
)

// What a Xeon tells of a load that another socket's DRAM served, after a walk of the page tables.
func ExampleDataSource() {
	const sampled = pebs.DataSource(0x13a50100042)
	fmt.Println(sampled)
	fmt.Println("served by", sampled.Level())
	fmt.Println("memory", sampled.Level().Memory(), "locked", sampled.Locked(), "TLB miss", sampled.TLBMiss())
	// Output:
	// |OP LOAD|LVL Remote RAM hit|SNP None|TLB L2 miss|LCK No|BLK  N/A
	// served by remote DRAM
	// memory true locked false TLB miss true
}
