// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Enters namespaces. An unprivileged process can make namespaces only inside a new user namespace.
 * Its uid and gid keep their numbers there, so file permissions and the credentials that the
 * front-end sees do not change. Root does the same, but continues without a user namespace if the
 * kernel refuses one.
 *
 * No pid namespace is made. unshare(CLONE_NEWPID) moves only later children into it, and this
 * process can then make no threads. If the daemon forked to get into it, its pid would change, but
 * the service manager watches the first pid. Other processes are out of reach anyway: the seccomp
 * filter refuses kill, ptrace and similar calls, and the file tree has no /proc but the process's
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"

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
