// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The parts of the sandbox, called by sandbox.c. Unless noted, they return 0 or -errno. On failure,
 * part of the change may have been made. */

#include <glib.h>
#include <stdbool.h>

#include "sandbox/sandbox.h"

/* Which system calls are allowed. */
enum sandbox_profile {
	SANDBOX_2D,          /* pixman or no renderer: no threads, no files, no ioctl */
	SANDBOX_SOFTWARE_GL, /* llvmpipe: files, threads, generated code */
	SANDBOX_HARDWARE_GL, /* the same, and the ioctls of GPUs */
	SANDBOX_2D_DMABUF,   /* 2D, and the two ioctls of base/udmabuf.c */
};

/* The smallest profile that has all of @needs (enum needs). */
enum sandbox_profile sandbox_profile_of(unsigned needs);

/* try_in_child.c */

/* Calls @fn in a child that then ends, to find out whether it would work. Returns what @fn returned
 * (0 or -errno), or a positive errno if no child can be made. */
int try_in_child(int (*fn)(const void *), const void *data);

/* namespaces.c */
int namespaces_enter_user(const void *unused);
int namespaces_enter(int clone_flag);

/* privileges.c */
int privileges_refuse_new(void);
/* Drops all capabilities. */
int privileges_drop(void);

/* descriptors.c */

/* Closes what the parent left open, but for 0 to 2, @keep_fd and files on which this process holds
 * a lock. Directories are always closed. */
int descriptors_close_inherited(int keep_fd);
/* The open descriptors (an array of int) of files whose path begins with @prefix; freed with
 * g_array_unref(). */
GArray *descriptors_find(const char *prefix);

/* limits.c */
int limits_set(unsigned max_fds);
/* Sets RLIMIT_NPROC. Call it only in a user namespace of our own, and only if
 * limits_count_own_processes() returned true: the limit counts only this namespace's processes. */
int limits_set_threads(unsigned max_threads);
bool limits_count_own_processes(void);

/* gpu_nodes.c */
struct gpu_nodes;

/* Starts the child that can unmount the device nodes @paths (referenced). Called in the mount
 * namespace that has them, with the privilege to unmount. NULL if no process can be made. */
struct gpu_nodes *gpu_nodes_new(GPtrArray *paths);
/* Unmounts the nodes of GPUs that this process has not opened; all nodes if @needs (enum needs) has
 * no GPU. Takes @nodes, also on failure. */
int gpu_nodes_keep_used(struct gpu_nodes *nodes, unsigned needs);

/* mount_flags.c: adds MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC to the mount at @top and to all
 * below it. @mountinfo: the path of this process's mountinfo file. On failure some mounts may have
 * the flags already. */
int mount_flags_set(const char *top, unsigned long flags, const char *mountinfo);

/* rootfs.c: the private file tree. */
struct rootfs;

/* Collects the files of this host that the tree will contain. */
struct rootfs *rootfs_new(const struct sandbox_options *options);
void rootfs_free(struct rootfs *rootfs);
unsigned rootfs_count(const struct rootfs *rootfs);
/* The paths of the device nodes of GPUs; the caller's reference. */
GPtrArray *rootfs_list_gpu_nodes(const struct rootfs *rootfs);

/* Makes the tree the root, in a new mount namespace. A failure leaves the process unusable, so call
 * it with try_in_child() first. */
int rootfs_enter(const void *rootfs);

/* seccomp.c, or seccomp_absent.c. NULL, or why there can be no filter in this binary. */
const char *seccomp_is_absent(void);

/* @kills: a call that is not in the profile ends the process. Without @kills it still does in the
 * 2D profiles; in the OpenGL profiles the call fails, with a line in the log. @uvm_fds (int; NULL:
 * none): descriptors of nvidia-uvm, the only ones on which ioctl numbers without a type are
 * allowed, in the profile that has GPUs. */
int seccomp_install(enum sandbox_profile profile, bool kills, const GArray *uvm_fds);

/* See sandbox_confine_keeper(). */
int seccomp_install_for_keeper(void);

/* seccomp_program.c: the filter of the render server, made before the fork, because the child must
 * not call libc functions that take locks. @kills: an unlisted call ends that process; else the
 * call fails. NULL with errno. */
struct seccomp_program;
struct seccomp_program *seccomp_program_new(bool kills);
/* NULL is fine. */
void seccomp_program_free(struct seccomp_program *program);
/* 0, or -1 with errno. */
int seccomp_program_install(const struct seccomp_program *program);
