// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Adds rules to the daemon's filter and to the render server's. */

#include <seccomp.h>
#include <stdint.h>

/* The index of the argument of clone() with the flags. */
#ifdef __s390x__
#define SECCOMP_RULES_CLONE_FLAGS 1
#else
#define SECCOMP_RULES_CLONE_FLAGS 0
#endif

/* @names: system calls by their names on 64-bit machines, separated by spaces. On 32-bit machines a
 * name also stands for the calls that libc makes instead (fcntl64, futex_time64). Names that this
 * architecture lacks are left out. @when: @n_when conditions, all of which must hold. 0 or -errno.
 */
int seccomp_rules_add(scmp_filter_ctx filter, uint32_t action, const char *names, unsigned n_when,
		      const struct scmp_arg_cmp *when);

/* Allows the ioctls of nvidia-uvm on @fd only; if @fd is -1, on any descriptor. 0 or -errno. */
int seccomp_rules_allow_uvm(scmp_filter_ctx filter, int fd);
