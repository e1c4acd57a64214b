// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Namespaces, and privileges. An ordinary user may make namespaces only inside a user namespace of
 * his own. There he keeps his one uid and gid, under the same numbers: files are his as before, and
 * the VMM sees the peer that it expects. Root takes the same way, and does without the user
 * namespace where the kernel refuses one.
 *
 * A user namespace cannot be left, and some systems let a process enter one and then refuse what
 * makes it usable (no map of user ids, no mounts). So each such step is rehearsed first, in a child
 * that ends; what fails there is not begun here.
 *
 * There is no pid namespace. unshare() gives one only to children, and after it no thread can be
 * made; a daemon that forks to get into it changes its pid, which its manager watches. What that
 * namespace would hide is out of reach anyhow: the filter refuses kill, ptrace and their like, and
 * the file tree has no /proc but the process's own.
 *
 * Capabilities belong to a thread, so they are dropped while there is one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"

int try_in_child(int (*fn)(const void *), const void *data)
{
	/* A parent may have left it ignored, and then there is nothing to wait for. */
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	struct sigaction inherited;
	int status = 0;

	sigaction(SIGCHLD, &usual, &inherited);
	pid_t pid = fork();

	if (pid == 0)
		_exit(-fn(data) & 0xff);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	int r = pid < 0 ? -errno : 0;
	sigaction(SIGCHLD, &inherited, NULL);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int write_file(int dir, const char *name, const char *text)
{
	auto_fd fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int namespaces_enter_user(const void *unused)
{
	char uid_map[64], gid_map[64];
	auto_fd proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)unused;
	if (proc < 0)
		return -errno;
	snprintf(uid_map, sizeof(uid_map), "%u %u 1\n", geteuid(), geteuid());
	snprintf(gid_map, sizeof(gid_map), "%u %u 1\n", getegid(), getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;

	int r = write_file(proc, "setgroups", "deny");

	if (r == 0)
		r = write_file(proc, "uid_map", uid_map);
	if (r == 0)
		r = write_file(proc, "gid_map", gid_map);
	return r;
}

int namespaces_enter(int clone_flag)
{
	return unshare(clone_flag) < 0 ? -errno : 0;
}

int privileges_refuse_new(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int privileges_drop(bool keeps_override)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	/* What could be had by exec: only with CAP_SETPCAP can it be dropped, and without any
	 * capability, with no_new_privs and without exec it is not worth a word. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t kept = keeps_override && i == CAP_TO_INDEX(CAP_DAC_OVERRIDE)
					? CAP_TO_MASK(CAP_DAC_OVERRIDE)
					: 0;

		sets[i].permitted &= kept;
		sets[i].effective &= kept;
		sets[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}
