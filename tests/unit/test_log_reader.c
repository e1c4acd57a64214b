// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The reader of the log: the journal through standard error, syslog's socket if standard error is
 * /dev/null, else standard error. Each test is a child with 40 seconds and a directory in which a
 * socket replaces /dev/log.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_MODULE "test"
#include "base/log.h"
#include "base/log_output.h"
#include "base/log_reader.h"
#include "base/stderr_pipe.h"
#include "sandbox_child.h"

#define SECONDS 40
#define FLOOD   10000

static char dir[] = "/tmp/log-reader-XXXXXX", path[64];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	log_reader_syslog_path = path;
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

/* The socket of the syslog daemon. */
static int listen_as_syslog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* Makes @fd standard error, and keeps the old one for CHECK(). */
static void start_on(int fd)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);

	int r = log_output_start();

	CHECK(dup2(kept, STDERR_FILENO) == STDERR_FILENO && r == 0);
}

static void start_on_null(void)
{
	start_on(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static void expect(int fd, const char *due)
{
	char text[2048] = "";

	CHECK(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	if (strcmp(text, due) != 0)
		fprintf(stderr, "\"%s\" is read, due is \"%s\"\n", text, due);
	CHECK(strcmp(text, due) == 0);
}

static void expect_nothing(int fd)
{
	char byte;

	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

/* @severity is a priority of syslog(3); the facility is "daemon". */
static void expect_syslog(int fd, int severity, const char *text)
{
	char due[256];

	snprintf(due, sizeof(due), "<%d>vhost-device-gpu[%d]: %s", 24 + severity, (int)getpid(),
		 text);
	expect(fd, due);
}

/* A service manager says that standard error is its journal. */
static void name_journal(int fd, const char *rest)
{
	struct stat st;
	char text[64];

	CHECK(fstat(fd, &st) == 0);
	snprintf(text, sizeof(text), "%llu:%llu%s", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, rest);
	setenv("JOURNAL_STREAM", text, 1);
}

static void log_at_each_level(void)
{
	log_error("one");
	log_warn("two");
	log_info("three");
	log_debug("four");
	log_fatal("five");
	log_output_write_last(LOG_LEVEL_ERROR, "six\n", 4);
}

static void use_journal(const void *unused)
{
	int pair[2];

	(void)unused;
	log_set_level(LOG_LEVEL_DEBUG);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	name_journal(pair[1], "");
	start_on(pair[1]);
	log_at_each_level();
	expect(pair[0], "<3>test: one\n<4>test: two\n<6>test: three\n<7>test: four\n<3>five\n"
			"<3>six\n");
}

/* A variable that libvirtd's helpers inherit, or that systemd did not set. */
static void use_socket_of_another_journal(const void *data)
{
	const char *rest = data;
	int pair[2], other[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other) == 0);
	name_journal(*rest ? pair[1] : other[1], rest);
	start_on(pair[1]);
	log_error("one");
	log_fatal("two");
	expect(pair[0], "error test: one\nvhost-device-gpu: two\n");
}

static void use_syslog(const void *unused)
{
	int log = listen_as_syslog();

	(void)unused;
	log_set_level(LOG_LEVEL_DEBUG);
	start_on_null();
	log_at_each_level();
	expect_syslog(log, 3, "test: one");
	expect_syslog(log, 4, "test: two");
	expect_syslog(log, 6, "test: three");
	expect_syslog(log, 7, "test: four");
	expect_syslog(log, 3, "five");
	expect_syslog(log, 3, "six");
	expect_nothing(log);
}

static void write_to_a_file_beside_syslog(const void *unused)
{
	int log = listen_as_syslog();

	(void)unused;
	start_on(memfd_create("stderr", MFD_CLOEXEC));
	log_error("one");
	expect_nothing(log);
}

static void miss_syslog(const void *unused)
{
	struct stat st;

	(void)unused;
	unlink(path);
	start_on_null();
	log_error("one");
	log_fatal("two");
	CHECK(fstat(log_output_fd(), &st) == 0 && S_ISCHR(st.st_mode));
	/* A file that is not a socket. */
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	start_on_null();
	log_error("one");
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
}

static unsigned read_all(int log)
{
	char text[2048];
	unsigned n = 0;

	while (recv(log, text, sizeof(text), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void fill_syslog(const void *unused)
{
	static const char line[] = "test: a line\n";
	int log = listen_as_syslog();
	char due[200];

	(void)unused;
	start_on_null();
	for (unsigned i = 0; i < FLOOD; i++)
		log_output_write(LOG_LEVEL_INFO, line, sizeof(line) - 1);
	for (unsigned i = 0; i < FLOOD; i++)
		log_output_write_last(LOG_LEVEL_INFO, line, sizeof(line) - 1);
	unsigned n = read_all(log);

	CHECK(n > 0 && n < FLOOD);
	log_error("after");
	snprintf(due, sizeof(due), "log: %u lines were dropped: %s was full", FLOOD - n, path);
	expect_syslog(log, 4, due);
	expect_syslog(log, 3, "test: after");
}

/* The syslog daemon exits. The socket of its successor cannot be opened in the sandbox, so the
 * lines are lost. */
static void outlive_syslog(const void *unused)
{
	int log = listen_as_syslog();

	(void)unused;
	start_on_null();
	close(log);
	for (unsigned i = 0; i < 10; i++)
		log_error("one");
	log_fatal("two");
}

/* A wrong option, before the log is opened. */
static void end_before_the_start(const void *unused)
{
	int log = listen_as_syslog(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100), free_fd = dup(null);

	(void)unused;
	close(free_fd);
	CHECK(dup2(null, STDERR_FILENO) == STDERR_FILENO);
	log_fatal("there is no %s", "socket");
	CHECK(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
	expect_syslog(log, 3, "there is no socket");
	CHECK(log_output_fd() == -1 && fcntl(free_fd, F_GETFD) < 0);
}

static void print_as_a_library(const void *unused)
{
	int log = listen_as_syslog();

	(void)unused;
	CHECK(dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDERR_FILENO) == STDERR_FILENO);
	CHECK(stderr_pipe_open() == 0);
	fprintf(stderr, "no driver\n");
	stderr_pipe_drain();
	expect_syslog(log, 6, "stderr: no driver");
	fprintf(stderr, "last words");
	exit(0);
}

static void run_in_time(const void *data)
{
	void (*const *fn)(const void *) = data;

	alarm(SECONDS);
	(*fn)("");
}

static void assert_good(void (*fn)(const void *))
{
	assert_int_equal(sandbox_child_run(run_in_time, &fn), 0);
}

static void lines_for_the_journal_begin_with_the_level_as_a_number(void **state)
{
	(void)state;
	assert_good(use_journal);
}

static void a_journal_stream_of_another_descriptor_is_ignored(void **state)
{
	(void)state;
	assert_good(use_socket_of_another_journal);
	assert_int_equal(sandbox_child_run(use_socket_of_another_journal, "x"), 0);
	assert_int_equal(sandbox_child_run(use_socket_of_another_journal, "0"), 0);
}

static void lines_for_dev_null_go_to_syslog(void **state)
{
	(void)state;
	assert_good(use_syslog);
}

static void lines_go_to_standard_error_if_it_is_not_dev_null(void **state)
{
	(void)state;
	assert_good(write_to_a_file_beside_syslog);
}

static void a_missing_syslog_is_no_error(void **state)
{
	(void)state;
	assert_good(miss_syslog);
}

static void a_full_syslog_drops_lines_and_counts_them(void **state)
{
	(void)state;
	assert_good(fill_syslog);
}

static void a_closed_syslog_does_not_block_the_log(void **state)
{
	(void)state;
	assert_good(outlive_syslog);
}

static void a_fatal_line_goes_to_syslog_before_the_log_is_open(void **state)
{
	(void)state;
	assert_good(end_before_the_start);
}

static void output_of_libraries_goes_to_syslog_too(void **state)
{
	(void)state;
	assert_good(print_as_a_library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_for_the_journal_begin_with_the_level_as_a_number),
		cmocka_unit_test(a_journal_stream_of_another_descriptor_is_ignored),
		cmocka_unit_test(lines_for_dev_null_go_to_syslog),
		cmocka_unit_test(lines_go_to_standard_error_if_it_is_not_dev_null),
		cmocka_unit_test(a_missing_syslog_is_no_error),
		cmocka_unit_test(a_full_syslog_drops_lines_and_counts_them),
		cmocka_unit_test(a_closed_syslog_does_not_block_the_log),
		cmocka_unit_test(a_fatal_line_goes_to_syslog_before_the_log_is_open),
		cmocka_unit_test(output_of_libraries_goes_to_syslog_too),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
