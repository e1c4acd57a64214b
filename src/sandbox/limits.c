// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Limits descriptors and processes, and forbids core files, which would contain guest memory. There
 * is no limit of address space (RLIMIT_AS), because guest memory would count.
 *
 * RLIMIT_NPROC counts threads too. Since Linux 5.14 it counts those in the user namespace; before,
 * all of the same user on the host, which would make the limit useless. A child tries out which of
 * the two applies.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

/* This process, the child that tries it out, and the child's child. */
#define FEWEST_PROCESSES 3

/* Raises or lowers both limits to @n, or to what the host allows. 0 or -errno. */
static int set_limit(int resource, rlim_t n)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > n)
		limit.rlim_max = n;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int fork_within_limit(const void *unused)
{
	int r = set_limit(RLIMIT_NPROC, FEWEST_PROCESSES);
	pid_t pid = r < 0 ? -1 : fork();

	(void)unused;
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return r < 0 ? r : -errno;
	waitpid(pid, NULL, 0);
	return 0;
}

bool limits_count_own_processes(void)
{
	return try_in_child(fork_within_limit, NULL) == 0;
}

int limits_set(unsigned max_fds)
{
	int r = set_limit(RLIMIT_CORE, 0);

	return r < 0 ? r : set_limit(RLIMIT_NOFILE, max_fds);
}

int limits_set_threads(unsigned max_threads)
{
	return set_limit(RLIMIT_NPROC, max_threads);
}
