// SPDX-License-Identifier: GPL-2.0
/*
 * Which register answers what, in which unit.
 *
 * Kernels with CONFIG_PARAVIRT_XXL, as Debian's, read every MSR through the two
 * functions of pv_ops. A kprobe at their entry answers for the registers of RAPL
 * and skips the function; all other registers are read as ever. The drivers read
 * on a CPU of the package they mean, so this CPU's package is the one asked for.
 *
 * Which unit holds for which domain is what Linux' drivers assume of the model
 * (arch/x86/events/rapl.c, drivers/powercap/intel_rapl_common.c), and was checked
 * against Debian's 6.1 and 6.12.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/paravirt.h>
#include <asm/processor.h>

#include "simrapl.h"

#define PJ_PER_J	1000000000000ULL
#define DRAM_ESU	16	/* the fixed unit of servers up to Ice Lake */

/* 8.. is the energy unit; time is in 1/1024 s and power in 1/8 W, as on metal. */
#define UNITS(esu)	(0xA0003 | (u64)(esu) << 8)

static int esu = -1;
static u32 count0 = 1;
static bool psys_in_joules, dram_is_fixed;

static int set_esu(const char *value, const struct kernel_param *kp)
{
	int v, err = kstrtoint(value, 0, &v);

	if (err)
		return err;
	if (v < 0 || v > 31)
		return -ERANGE;
	WRITE_ONCE(esu, v);
	return 0;
}

static const struct kernel_param_ops esu_ops = { .set = set_esu, .get = param_get_int };
module_param_cb(esu, &esu_ops, &esu, 0644);
MODULE_PARM_DESC(esu, "energy unit: 2^-esu J, 0 to 31 (Intel 14, AMD 16); drivers read it when they load");

module_param(count0, uint, 0444);
MODULE_PARM_DESC(count0, "what every energy counter starts at, in its unit; 0 is taken for a missing domain");

/*
 * The kernel calls .set for a parameter of insmod without looking whether there
 * is one: who loads the module again with all that it read must not crash.
 */
static int set_nothing(const char *value, const struct kernel_param *kp)
{
	return 0;
}

/* pJ in units of 2^-bits J, rounded down: 2^64 pJ are less than 2^25 J. */
static u64 in_units(u64 pj, int bits)
{
	return mul_u64_u64_div_u64(pj, 1ULL << bits, PJ_PER_J);
}

static u64 jumped(int bits)
{
	s64 uj = sim_jump_uj(sim_package());
	u64 units = mul_u64_u64_div_u64(abs(uj), 1ULL << bits, 1000000);

	return uj < 0 ? -units : units;
}

static u32 counter(enum sim_domain domain, int bits)
{
	return count0 + in_units(sim_counter_pj(domain), bits);
}

static bool intel(u32 msr, u64 *value)
{
	int bits = READ_ONCE(esu);

	switch (msr) {
	case MSR_RAPL_POWER_UNIT:
		*value = UNITS(bits);
		return true;
	case MSR_PKG_POWER_LIMIT:
		*value = 0x00148208001483e8ULL;	/* 125 W and 256 W, both enabled */
		return true;
	case MSR_PKG_POWER_INFO:
		*value = 0x3e8;			/* thermal design power 125 W */
		return true;
	case MSR_PKG_ENERGY_STATUS:
		*value = (u32)(counter(SIM_PKG, bits) + jumped(bits));
		return true;
	case MSR_PP0_ENERGY_STATUS:
		*value = counter(SIM_CORES, bits);
		return true;
	case MSR_DRAM_ENERGY_STATUS:
		*value = counter(SIM_DRAM, dram_is_fixed ? DRAM_ESU : bits);
		return true;
	case MSR_PLATFORM_ENERGY_STATUS:
		if (!psys_in_joules)
			return false;
		*value = counter(SIM_PSYS, 0);
		return true;
	}
	return false;
}

static bool amd(u32 msr, u64 *value)
{
	int bits = READ_ONCE(esu);

	switch (msr) {
	case MSR_AMD_RAPL_POWER_UNIT:
		*value = UNITS(bits);
		return true;
	case MSR_AMD_PKG_ENERGY_STATUS:
		*value = (u32)(counter(SIM_PKG, bits) + jumped(bits));
		return true;
	case MSR_AMD_CORE_ENERGY_STATUS:
		*value = (u32)(count0 + in_units(sim_core_pj(), bits));
		return true;
	}
	return false;
}

static bool answer(u32 msr, u64 *value)
{
	unsigned long flags;
	bool ours;

	/* Most reads are of other registers: they shall not wait for the lock. */
	if ((msr < MSR_RAPL_POWER_UNIT || msr > MSR_PLATFORM_ENERGY_STATUS) &&
	    (msr < MSR_AMD_RAPL_POWER_UNIT || msr > MSR_AMD_PKG_ENERGY_STATUS))
		return false;
	flags = sim_lock();
	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL)
		ours = intel(msr, value);
	else
		ours = amd(msr, value);
	sim_unlock(flags);
	return ours;
}

/* Where a function that a probe has answered goes on: straight to its caller. */
static noinline notrace void straight_back(void)
{
	asm volatile("");
}
NOKPROBE_SYMBOL(straight_back);

/* A probe at a function's entry answers in its place. The handler then returns 1. */
void sim_answer(struct pt_regs *regs, u64 value)
{
	regs->ax = value;
	regs->ip = (unsigned long)straight_back;
}

/* A probe with a post handler is never optimised into a jump, which could not skip. */
void sim_no_optimising(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

/* u64 native_read_msr(unsigned int msr) */
static int on_read(struct kprobe *p, struct pt_regs *regs)
{
	u64 value;

	if (!answer(regs->di, &value))
		return 0;
	sim_answer(regs, value);
	return 1;
}

/* u64 native_read_msr_safe(unsigned int msr, int *err) */
static int on_read_safe(struct kprobe *p, struct pt_regs *regs)
{
	u64 value;

	if (!answer(regs->di, &value))
		return 0;
	*(int *)regs->si = 0;
	sim_answer(regs, value);
	return 1;
}

static struct kprobe reads[] = {
	{ .pre_handler = on_read, .post_handler = sim_no_optimising },
	{ .pre_handler = on_read_safe, .post_handler = sim_no_optimising },
};

/* A read inside another probe's handler on the same CPU goes past ours. */
static int get_missed(char *to, const struct kernel_param *kp)
{
	return sysfs_emit(to, "%lu\n", reads[0].nmissed + reads[1].nmissed);
}

static const struct kernel_param_ops missed_ops = { .set = set_nothing, .get = get_missed };
module_param_cb(missed, &missed_ops, NULL, 0444);
MODULE_PARM_DESC(missed, "how many reads of any register went past the probes");

/* rapl.ko looks for this feature on AMD, which no emulated model has. */
static bool gave_feature;

static void give_feature(void)
{
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD && !boot_cpu_has(X86_FEATURE_RAPL)) {
		set_cpu_cap(&boot_cpu_data, X86_FEATURE_RAPL);
		gave_feature = true;
	}
}

static void know_model(void)
{
	const struct cpuinfo_x86 *c = &boot_cpu_data;

	if (esu < 0)
		esu = c->x86_vendor == X86_VENDOR_AMD ? 16 : 14;
	if (c->x86_vendor != X86_VENDOR_INTEL || c->x86 != 6)
		return;
	switch (c->x86_model) {
	case 63:	/* Haswell server */
	case 79:	/* Broadwell server */
	case 86:	/* Broadwell D */
	case 85:	/* Skylake and Cascade Lake server */
	case 87:	/* Knights Landing */
	case 133:	/* Knights Mill */
	case 106:	/* Ice Lake server */
	case 108:	/* Ice Lake D */
		dram_is_fixed = true;
		break;
	case 143:	/* Sapphire Rapids */
	case 207:	/* Emerald Rapids */
		psys_in_joules = true;
		break;
	}
}

static int registered;

int sim_msr_start(void)
{
	int err;

	know_model();
	give_feature();
	reads[0].addr = (kprobe_opcode_t *)pv_ops.cpu.read_msr;
	reads[1].addr = (kprobe_opcode_t *)pv_ops.cpu.read_msr_safe;
	for (registered = 0; registered < ARRAY_SIZE(reads); registered++) {
		err = register_kprobe(&reads[registered]);
		if (err)
			return err;
	}
	return 0;
}

/* Also after a start that failed half way. */
void sim_msr_stop(void)
{
	while (registered)
		unregister_kprobe(&reads[--registered]);
	if (gave_feature)
		clear_bit(X86_FEATURE_RAPL, (unsigned long *)boot_cpu_data.x86_capability);
}
