// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "sandbox/seccomp_rules.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* The calls that libc makes instead of @name. Arguments that a condition tests have the same
 * positions in both. Where mmap2() exists, libc calls it instead of mmap(). There mmap() takes a
 * pointer to its arguments, which a condition cannot read, so takes_pointer() leaves it out. */
static const struct {
	const char *name, *others;
} equivalents[] = {
	/* 64-bit offsets and sizes of files on 32-bit machines */
	{ "lseek", "_llseek" },
	{ "fcntl", "fcntl64" },
	{ "ftruncate", "ftruncate64" },
	{ "stat", "stat64" },
	{ "lstat", "lstat64" },
	{ "fstat", "fstat64" },
	{ "newfstatat", "fstatat64" },
	{ "statfs", "statfs64" },
	{ "fstatfs", "fstatfs64" },
	{ "fadvise64", "fadvise64_64 arm_fadvise64_64" },
	/* times after 2038, except _newselect and stime */
	{ "clock_gettime", "clock_gettime64" },
	{ "clock_getres", "clock_getres_time64" },
	{ "clock_nanosleep", "clock_nanosleep_time64" },
	{ "clock_settime", "clock_settime64 stime" },
	{ "futex", "futex_time64" },
	{ "ppoll", "ppoll_time64" },
	{ "pselect6", "pselect6_time64" },
	{ "select", "_newselect" },
	{ "rt_sigtimedwait", "rt_sigtimedwait_time64" },
	{ "timerfd_settime", "timerfd_settime64" },
	{ "timerfd_gettime", "timerfd_gettime64" },
	/* user and group ids above 65535 */
	{ "getuid", "getuid32" },
	{ "geteuid", "geteuid32" },
	{ "getgid", "getgid32" },
	{ "getegid", "getegid32" },
	{ "setuid", "setuid32" },
	{ "setgid", "setgid32" },
	{ "setreuid", "setreuid32" },
	{ "setregid", "setregid32" },
	{ "setresuid", "setresuid32" },
	{ "setresgid", "setresgid32" },
	{ "setfsuid", "setfsuid32" },
	{ "setfsgid", "setfsgid32" },
	{ "setgroups", "setgroups32" },
	/* older calls, which libc still makes */
	{ "recvfrom", "recv" },
	{ "sendto", "send" },
	{ "rt_sigreturn", "sigreturn" },
	{ "umount2", "umount" },
	{ "wait4", "waitpid" },
#ifdef __NR_mmap2
	{ "mmap", "mmap2" },
#endif
};

static bool takes_pointer(const char *name)
{
#ifdef __NR_mmap2
	return g_str_equal(name, "mmap");
#else
	(void)name;
	return false;
#endif
}

static int add_call(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n_when,
		    const struct scmp_arg_cmp *when)
{
	const int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR || takes_pointer(name))
		return 0;
	return seccomp_rule_add_array(filter, action, number, n_when, when);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const char *names, unsigned n_when,
		     const struct scmp_arg_cmp *when)
{
	g_auto(GStrv) list = g_strsplit(names, " ", -1);
	int r = 0;

	for (char **name = list; r == 0 && *name; name++)
		r = add_call(filter, action, *name, n_when, when);
	return r;
}

static int add_equivalents(scmp_filter_ctx filter, uint32_t action, const char *name,
			   unsigned n_when, const struct scmp_arg_cmp *when)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(equivalents); i++)
		if (g_str_equal(name, equivalents[i].name))
			r = add_calls(filter, action, equivalents[i].others, n_when, when);
	return r;
}

int seccomp_rules_add(scmp_filter_ctx filter, uint32_t action, const char *names, unsigned n_when,
		      const struct scmp_arg_cmp *when)
{
	g_auto(GStrv) list = g_strsplit(names, " ", -1);
	int r = add_calls(filter, action, names, n_when, when);

	for (char **name = list; r == 0 && *name; name++)
		r = add_equivalents(filter, action, *name, n_when, when);
	return r;
}

/* The ioctls of nvidia-uvm. Their numbers have no type byte: 0 to 255, and two larger ones. */
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
