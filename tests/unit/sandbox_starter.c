// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "sandbox_starter.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

#define NOBODY 65534

void starter_be_oneself(void)
{
}

void starter_be_nobody(void)
{
	if (geteuid() != 0)
		_exit(NO_VERDICT);
	CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	      setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1); /* its own /proc, as after exec */
}

void starter_be_without_user_namespaces(void)
{
	int fd;

	if (namespaces_enter_user(NULL) < 0)
		_exit(NO_VERDICT);
	fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0", 1) == 1);
	close(fd);
}

void starter_be_without_anything(void)
{
	starter_be_without_user_namespaces();
	CHECK(privileges_drop() == 0);
}

int starter_have_namespaces(const void *unused)
{
	const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC;

	(void)unused;
	if (unshare(CLONE_NEWUSER | flags) < 0 && unshare(flags) < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}
