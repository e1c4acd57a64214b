// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Tries a library or a driver in a child process. Everything that it loads, opens and starts is
 * gone when the child ends, and a crash or a call that does not return harms only the child.
 *
 * The child writes a sentence to a pipe; an empty one means success. If it writes none, it ended
 * early.
 */
#include "render/trial_private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define LONGEST_MS   10000
#define MAX_SENTENCE 512

static _Noreturn void run_child(const char *(*fn)(void *), void *data, int fd)
{
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The watchdog may end the daemon during the trial. A child that never returns would then
	 * stay, with the daemon's descriptors. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* Output is discarded: the library prints it again when the daemon itself starts it. */
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	const char *problem = fn(data);
	const char *sentence = problem ? problem : "";

	(void)!write(fd, sentence, MIN(strlen(sentence) + 1, MAX_SENTENCE));
	_exit(EXIT_SUCCESS);
}

/* Returns NULL, or a sentence. Returns as soon as the answer is complete, even if the child goes
 * on. */
static char *read_answer(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char text[MAX_SENTENCE] = "";
	int n;

	do
		n = poll(&pollfd, 1, LONGEST_MS);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return g_strdup("a trial in a child process did not finish within 10 s");
	ssize_t size = read(fd, text, sizeof(text) - 1);

	if (size <= 0)
		return g_strdup("the driver or the library crashed in a trial in a child process");
	return text[0] ? g_strdup(text) : NULL;
}

char *trial_run(const char *(*fn)(void *data), void *data)
{
	int pipe_fds[2], status;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return g_strdup_printf("cannot try it in a child process: %s", g_strerror(errno));
	pid_t pid = fork();

	if (pid == 0)
		run_child(fn, data, pipe_fds[1]);
	close(pipe_fds[1]);
	char *problem =
		pid < 0 ? g_strdup_printf("cannot try it in a child process: %s", g_strerror(errno))
			: read_answer(pipe_fds[0]);

	close(pipe_fds[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return problem;
}
