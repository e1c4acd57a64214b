// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Rules of the filters, for both of them: the daemon's and the render server's. */

#include <seccomp.h>
#include <stdint.h>

/* Which argument of clone() has the flags. */
#ifdef __s390x__
#define SECCOMP_RULES_CLONE_FLAGS 1
#else
#define SECCOMP_RULES_CLONE_FLAGS 0
#endif

/* @names: system calls as 64-bit machines call them, separated by spaces. On others each stands for
 * the calls that libc makes instead, too (fcntl64, futex_time64); one that this architecture has
 * not is left out. @when: @n_when conditions, all of which must hold. 0 or -errno. */
int seccomp_rules_add(scmp_filter_ctx filter, uint32_t action, const char *names, unsigned n_when,
		      const struct scmp_arg_cmp *when);

/* Allows the ioctls of nvidia-uvm, on @fd alone, or with -1 on any descriptor. 0 or -errno. */
int seccomp_rules_allow_uvm(scmp_filter_ctx filter, int fd);
