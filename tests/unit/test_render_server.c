// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The process in which the render server runs, shown by a script that is started in its place.
 */
#include <fcntl.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "sandbox/render_server.h"

#define SLACK_FILE "/proc/self/timerslack_ns"

/* Makes @text the program that is started. Returns its path, which the caller removes and frees. */
static char *write_program(const char *text)
{
	char *path = g_strdup_printf("%s/server-XXXXXX", g_get_tmp_dir());
	int fd = g_mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	setenv("RENDER_SERVER_EXEC_PATH", path, 1);
	return path;
}

static void remove_program(char *path)
{
	unlink(path);
	g_free(path);
	unsetenv("RENDER_SERVER_EXEC_PATH");
}

static void sleeps_of_the_server_are_not_prolonged(void **state)
{
	const struct render_server_options options = { .level = SANDBOX_OFF };
	struct render_server server;
	char slack[32] = "";

	(void)state;
	if (access(SLACK_FILE, R_OK) < 0)
		skip();
	/* A program that the server starts has the same slack. */
	char *path = write_program("#!/bin/sh\nexec cat " SLACK_FILE " >&3\n");
	char *sentence = render_server_start(&options, &server);

	assert_null(sentence);
	assert_true(recv(server.socket, slack, sizeof(slack) - 1, 0) > 0);
	assert_string_equal(slack, "1\n");
	fd_close(&server.socket);
	fd_close(&server.pidfd);
	remove_program(path);
}

#define LIMIT_LINE "Max file size"

/* A Vulkan driver on the CPU keeps the guest's memory in a memfd, which RLIMIT_DATA does not count.
 */
static void files_of_the_server_are_no_larger_than_its_memory(void **state)
{
	const struct render_server_options options = {
		.level = SANDBOX_AUTO,
		.max_memory = UINT64_C(3) << 30,
		.max_fds = 256,
	};
	struct render_server server;
	char text[4096] = "";

	(void)state;
	char *path =
		write_program("#!/bin/sh\nexec grep '^" LIMIT_LINE "' /proc/self/limits >&3\n");
	char *sentence = render_server_start(&options, &server);

	assert_null(sentence);
	assert_true(recv(server.socket, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(strtoull(text + strlen(LIMIT_LINE), NULL, 10), options.max_memory);
	fd_close(&server.socket);
	fd_close(&server.pidfd);
	remove_program(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleeps_of_the_server_are_not_prolonged),
		cmocka_unit_test(files_of_the_server_are_no_larger_than_its_memory),
	};

	return cmocka_run_group_tests_name("render server", tests, NULL, NULL);
}
