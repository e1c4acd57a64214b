// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A process cannot leave a user namespace or remove a seccomp filter, and some systems let it enter
 * a namespace and then refuse the uid map or mounts that it needs. So each step that cannot be
 * undone is first tried in a child process. If it failed there, this process does not try it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

int try_in_child(int (*fn)(const void *), const void *data)
{
	/* The parent may have left SIGCHLD ignored; then waitpid() would find no child. */
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
