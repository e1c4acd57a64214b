// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A user namespace cannot be left, a filter cannot be removed, and some systems let a process enter
 * a namespace and then refuse what makes it usable (no map of user ids, no mounts). So each step
 * that cannot be undone is tried first in a child that ends; what fails there is not begun here.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
	int fork_error = pid < 0 ? errno : 0;

	sigaction(SIGCHLD, &inherited, NULL);
	if (fork_error)
		return fork_error;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}
