// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "sandbox/seccomp_rules.h"

#include <glib.h>

int seccomp_rules_add(scmp_filter_ctx filter, uint32_t action, const char *names, unsigned n_when,
		      const struct scmp_arg_cmp *when)
{
	g_auto(GStrv) list = g_strsplit(names, " ", -1);
	int r = 0;

	for (char **name = list; r == 0 && *name; name++) {
		int number = seccomp_syscall_resolve_name(*name);

		if (number != __NR_SCMP_ERROR)
			r = seccomp_rule_add_array(filter, action, number, n_when, when);
	}
	return r;
}

/* They are numbered without a type: 0 to 255, and two above. */
static const struct {
	uint64_t mask, value;
} uvm_ioctls[] = {
	{ 0xffffff00, 0 },
	{ UINT32_MAX, 0x30000001 },
	{ UINT32_MAX, 0x30000002 },
};

int seccomp_rules_allow_uvm(scmp_filter_ctx filter, int fd)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(uvm_ioctls); i++) {
		const struct scmp_arg_cmp when[] = {
			{ 1, SCMP_CMP_MASKED_EQ, uvm_ioctls[i].mask, uvm_ioctls[i].value },
			{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)fd },
		};

		r = seccomp_rules_add(filter, SCMP_ACT_ALLOW, "ioctl", fd < 0 ? 1 : 2, when);
	}
	return r;
}
