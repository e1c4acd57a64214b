// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The parts of the sandbox; sandbox.c says which, when, and what if one cannot be had. All return 0
 * or -errno, and leave things as they were on failure unless they say otherwise. */

#include <stdbool.h>

#include "sandbox/sandbox.h"

/* Which system calls stay. */
enum sandbox_profile {
	SANDBOX_2D,          /* pixman or nothing: no threads, no files, no ioctl */
	SANDBOX_SOFTWARE_GL, /* llvmpipe: files, threads, generated code */
	SANDBOX_HARDWARE_GL, /* and the ioctls of GPUs */
};

/* The smallest profile that has all of @needs (enum needs). */
enum sandbox_profile sandbox_profile_of(unsigned needs);

/* try_in_child.c */

/* Calls @fn in a child that then ends: whether it would work, without having done it. What it
 * returns: 0 or -errno. */
int try_in_child(int (*fn)(const void *), const void *data);

/* namespaces.c */
int namespaces_enter_user(const void *unused);
int namespaces_enter(int clone_flag);

/* privileges.c */
int privileges_refuse_new(void);
/* All capabilities; @keeps_override: but CAP_DAC_OVERRIDE, if it is there. */
int privileges_drop(bool keeps_override);

/* rootfs.c: where this mount namespace is to go, a const struct rootfs * for try_in_child(). */
struct rootfs;

/* What of this host the tree will have. */
struct rootfs *rootfs_new(const struct sandbox_options *options);
void rootfs_free(struct rootfs *rootfs);
unsigned rootfs_count(const struct rootfs *rootfs);

/* Makes it the root, in a mount namespace of its own. On failure the process can only end:
 * try_in_child it. */
int rootfs_enter(const void *rootfs);

/* seccomp.c, or seccomp_absent.c. NULL, or why there can be no filter in this binary. */
const char *seccomp_is_absent(void);

/* @kills: what is not in the profile ends the process; else it fails, with a line in the log, if
 * the profile is of OpenGL. */
int seccomp_install(enum sandbox_profile profile, bool kills);
