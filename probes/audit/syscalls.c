/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/syscalls.h"

#include <linux/audit.h>

#include "audit_syscalls.h"

/* Newer than the headers of the oldest build hosts (kernel 6.1): the same number on all
 * of the architectures above (scripts/syscall.tbl of the kernel). */
#define COMMON_FIRST 451u
static const char *const common_names[] = {
	"cachestat",	     "fchmodat2",	  "map_shadow_stack", "futex_wake",
	"futex_wait",	     "futex_requeue",	  "statmount",	      "listmount",
	"lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal",
	"setxattrat",	     "getxattrat",	  "listxattrat",      "removexattrat",
	"open_tree_attr",    "file_getattr",	  "file_setattr",
};

static const struct {
	uint32_t arch;
	const char *const *names;
	size_t count;
} arches[] = {
	{ AUDIT_ARCH_X86_64, names_x86_64, ARRAY_LEN(names_x86_64) },
	{ AUDIT_ARCH_I386, names_i386, ARRAY_LEN(names_i386) },
	{ AUDIT_ARCH_AARCH64, names_generic64, ARRAY_LEN(names_generic64) },
	{ AUDIT_ARCH_RISCV64, names_generic64, ARRAY_LEN(names_generic64) },
};

const char *audit_syscall_name(uint32_t arch, uint32_t nr)
{
	for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
		if (arches[i].arch != arch)
			continue;
		if (nr < arches[i].count && arches[i].names[nr] != NULL)
			return arches[i].names[nr];
		if (nr >= COMMON_FIRST && nr - COMMON_FIRST < ARRAY_LEN(common_names))
			return common_names[nr - COMMON_FIRST];
	}
	return NULL;
}
