// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Trials of libraries in a child process: what becomes of a child that does not return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "render/trial_private.h"

#define TIMEOUT_MS 20000

/* Tells the test by the pipe @data that it runs. The alarm ends it if the test fails. */
static const char *never_return(void *data)
{
	alarm(60);
	(void)!write(*(int *)data, "", 1);
	while (pause() < 0)
		continue;
	return NULL;
}

static ssize_t read_byte(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&pollfd, 1, TIMEOUT_MS) == 1 ? read(fd, &byte, 1) : -1;
}

/* As the watchdog ends the daemon while a driver does not return. */
static void a_trial_ends_with_the_daemon(void **state)
{
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t daemon = fork();

	assert_true(daemon >= 0);
	if (daemon == 0) {
		close(pipe_fds[0]);
		(void)trial_run(never_return, &pipe_fds[1]);
		_exit(1);
	}
	close(pipe_fds[1]);
	assert_int_equal(read_byte(pipe_fds[0]), 1);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_int_equal(read_byte(pipe_fds[0]), 0); /* no process has the other end */
	close(pipe_fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trial_ends_with_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
