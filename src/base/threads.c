// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * RLIMIT_NPROC, a cgroup's pids.max and a container's seccomp filter can forbid threads, and no
 * file says how many are left. So this file makes threads and counts how many succeed. A child
 * process does this: a joined thread still counts for a moment, but all threads of a child are gone
 * after waitpid().
 *
 * The child itself counts as one thread. It is added to the result only if it could make a thread,
 * because a filter may allow processes but no threads.
 */
#include "base/threads.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WANTED 255 /* has to fit into an exit status */

static void *wait_for_end(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static _Noreturn void make_threads(unsigned wanted)
{
	pthread_t thread;
	unsigned n = 0;

	while (n < wanted && pthread_create(&thread, NULL, wait_for_end, NULL) == 0)
		n++;
	_exit((int)n);
}

/* The exit status of a child, or 0. */
static unsigned wait_for_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
}

unsigned threads_count_available(unsigned wanted)
{
	/* SIGCHLD may be ignored, inherited at exec; then waitpid() would find no child. */
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	struct sigaction inherited;

	assert(wanted > 0 && wanted <= MAX_WANTED);
	sigaction(SIGCHLD, &usual, &inherited);
	pid_t pid = fork();

	if (pid == 0)
		make_threads(wanted);
	unsigned n = pid > 0 ? wait_for_status(pid) : 0;

	sigaction(SIGCHLD, &inherited, NULL);
	return n > 0 && n < wanted ? n + 1 : n;
}
