// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Calls that the filters allow for one process, one descriptor or one purpose: the process that
 * removes the socket file, nvidia-uvm, and messages of libraries.
 */
#include <fcntl.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

#define KILLED (BY_SIGNAL + SIGSYS)

static const enum sandbox_profile profiles[] = { SANDBOX_2D, SANDBOX_SOFTWARE_GL,
						 SANDBOX_HARDWARE_GL };

#define UVM_FD 4321 /* closed: EBADF means that the filter lets the command pass */

static void try_uvm_ioctls(const void *data)
{
	const enum sandbox_profile profile = *(const enum sandbox_profile *)data;
	const int error = profile == SANDBOX_HARDWARE_GL ? EBADF : ENOTTY;
	const unsigned commands[] = { 25, 255, 0x30000001, 0x30000002 };
	GArray *fds = g_array_new(false, false, sizeof(int));

	g_array_append_val(fds, (int){ UVM_FD });
	CHECK(seccomp_install(profile, false, fds) == 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		CHECK(ioctl(UVM_FD, commands[i], NULL) < 0 && errno == error);
		CHECK(ioctl(UVM_FD + 1, commands[i], NULL) < 0 && errno == ENOTTY);
	}
	CHECK(ioctl(UVM_FD, 256, NULL) < 0 && errno == ENOTTY);
}

static void ioctls_without_a_type_are_allowed_only_on_uvm_descriptors(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(profiles); i++)
		assert_int_equal(sandbox_child_run(try_uvm_ioctls, &profiles[i]), 0);
}

/* The functions that libraries print with first look at where their text goes: to a terminal, to
 * the journal or to the system log. The filter must let these calls pass. */
static void say_what_libraries_say(const void *data)
{
	const enum sandbox_profile profile = *(const enum sandbox_profile *)data;
	char text[4096] = "";
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && dup2(pair[1], STDERR_FILENO) >= 0);
	CHECK(seccomp_install(profile, true, NULL) == 0);
	g_log("GLib", G_LOG_LEVEL_CRITICAL, "assertion failed");
	g_printerr("printed\n");
	errno = ENOENT;
	perror("error");
	fprintf(stderr, "is a terminal: %d\n", isatty(STDERR_FILENO));
	syslog(LOG_ERR, "lost");
	CHECK(recv(pair[0], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	CHECK(strstr(text, "assertion failed"));
}

static void a_message_of_a_library_does_not_end_the_daemon(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(profiles); i++)
		assert_int_equal(sandbox_child_run(say_what_libraries_say, &profiles[i]), 0);
}

static int open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int make_a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int signal_a_process(void)
{
	return kill(getppid(), 0);
}

static int make_a_process(void)
{
	return fork();
}

/* @data: NULL, or another call to try. */
static void keep_file(const void *data)
{
	int (*const *attempt)(void) = data;
	int pair[2], fd = memfd_create("file", 0);
	struct stat st;
	char byte;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	CHECK(seccomp_install_for_keeper() == 0);
	if (attempt)
		(*attempt)();
	CHECK(send(pair[1], "", 1, 0) == 1 && recv(pair[0], &byte, 1, 0) == 1);
	CHECK(fstat(fd, &st) == 0 && lstat("/nonexistent", &st) < 0 && errno == ENOENT);
	CHECK(unlink("/nonexistent") < 0 && errno == ENOENT);
	_exit(0);
}

static void the_socket_file_process_can_only_remove_its_file(void **state)
{
	int (*const attempts_of_keeper[])(void) = { open_a_file, make_a_socket, make_a_process,
						    signal_a_process };

	(void)state;
	assert_int_equal(sandbox_child_run(keep_file, NULL), 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(attempts_of_keeper); i++)
		assert_int_equal(sandbox_child_run(keep_file, &attempts_of_keeper[i]), KILLED);
}

static void say_what_was_denied(const void *data)
{
	const int fd = *(const int *)data;
	const struct rlimit limit = { 4096, 4096 };
	char text[4096] = "";

	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	CHECK(seccomp_install(SANDBOX_HARDWARE_GL, false, NULL) == 0);
	for (unsigned i = 0; i < 1000; i++) {
		ioctl(-1, TIOCSWINSZ, NULL);
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	lseek(fd, 0, SEEK_SET);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "(ioctl 0x5414) is not in the profile: the call fails\n"));
	CHECK(strlen(text) < 40 * 80);
}

static void denied_calls_are_logged_a_limited_number_of_times(void **state)
{
	int fd = memfd_create("stderr", 0);

	(void)state;
	assert_int_equal(sandbox_child_run(say_what_was_denied, &fd), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ioctls_without_a_type_are_allowed_only_on_uvm_descriptors),
		cmocka_unit_test(a_message_of_a_library_does_not_end_the_daemon),
		cmocka_unit_test(the_socket_file_process_can_only_remove_its_file),
		cmocka_unit_test(denied_calls_are_logged_a_limited_number_of_times),
	};
	const char *absent = seccomp_is_absent();

#ifdef SANDBOX_INSTRUMENTED
	absent = "instrumented";
#endif
	if (absent) {
		fprintf(stderr, "skipped: no filter: %s\n", absent);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
