// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The kinds of standard error. The log examines descriptor 2 once in a process, so each test is a
 * child. SIGALRM ends a child after 40 seconds, so that one that waits for a reader fails.
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log_output.h"
#include "sandbox_child.h"

#define SECONDS 40
#define NOBODY  65534
#define LINES   1000

static const char long_line[] =
	"test: a line of about a hundred bytes, so that a thousand of them fill"
	" every pipe and every socket.\n";

static void print(void)
{
	log_output_write(LOG_LEVEL_INFO, long_line, sizeof(long_line) - 1);
}

static void flood(void)
{
	for (unsigned i = 0; i < LINES; i++)
		print();
}

/* Makes @fd standard error, and keeps the old one for CHECK(). */
static void start_on(int fd)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);

	int r = log_output_start();

	CHECK(dup2(kept, STDERR_FILENO) == STDERR_FILENO && r == 0);
}

static size_t read_all(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = 0;
	ssize_t n;

	while (used < size - 1 && poll(&p, 1, 0) > 0 &&
	       (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	return used;
}

/* All printed lines are whole, and the next line says how many were dropped. */
static void check_losses(int reader)
{
	static char text[1 << 20];
	const size_t line_len = sizeof("info ") - 1 + sizeof(long_line) - 1;
	unsigned lost = 0;

	flood();
	size_t len = read_all(reader, text, sizeof(text));

	CHECK(len > 0 && len < LINES * line_len && len % line_len == 0);
	print();
	read_all(reader, text, sizeof(text));
	CHECK(sscanf(text, "warn log: %u lines were dropped: standard error was full\ninfo test:",
		     &lost) == 1);
	CHECK(lost == LINES - len / line_len);
	print();
	CHECK(read_all(reader, text, sizeof(text)) == line_len);
}

static void use_pipe(const void *unused)
{
	int pair[2];

	(void)unused;
	CHECK(pipe2(pair, 0) == 0);
	start_on(pair[1]);
	CHECK(log_output_fd() != pair[1]);
	check_losses(pair[0]);
	CHECK((fcntl(pair[1], F_GETFL) & O_NONBLOCK) == 0);
}

/* A pipe of another user cannot be opened again. */
static void use_pipe_of_another(const void *unused)
{
	int pair[2];

	(void)unused;
	if (geteuid() != 0)
		_exit(NO_VERDICT);
	CHECK(pipe2(pair, 0) == 0 && setgroups(0, NULL) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	start_on(pair[1]);
	CHECK((fcntl(log_output_fd(), F_GETFL) & O_NONBLOCK) == 0);
	check_losses(pair[0]);
}

static void use_socket(const void *unused)
{
	int pair[2];

	(void)unused;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	start_on(pair[1]);
	check_losses(pair[0]);
	CHECK((fcntl(pair[1], F_GETFL) & O_NONBLOCK) == 0);
}

static void lose_reader(const void *kind)
{
	int pair[2];
	bool is_pipe = *(const bool *)kind;

	CHECK((is_pipe ? pipe2(pair, 0) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) == 0);
	start_on(pair[1]);
	close(pair[0]);
	if (is_pipe)
		signal(SIGPIPE, SIG_IGN);
	print();
}

/* Two processes share one file position, as with a shell's redirection. */
static void use_file(const void *unused)
{
	int file = memfd_create("stderr", 0);
	char text[512] = "";

	(void)unused;
	start_on(file);
	CHECK(write(file, "first\n", 6) == 6);
	print();
	CHECK(write(file, "last\n", 5) == 5);
	CHECK(pread(file, text, sizeof(text) - 1, 0) > 0);
	CHECK(strncmp(text, "first\ninfo test: ", 17) == 0);
	CHECK(strcmp(text + strlen(text) - 6, "\nlast\n") == 0);
}

/* Ctrl-S. */
static void use_stopped_terminal(const void *unused)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;
	char text[4096];

	(void)unused;
	if (master < 0 || unlockpt(master) < 0)
		_exit(NO_VERDICT);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(terminal >= 0);
	start_on(terminal);
	print();
	CHECK(read_all(master, text, sizeof(text)) > sizeof(long_line));
	CHECK(tcflow(terminal, TCOOFF) == 0);
	flood();
	CHECK(tcflow(terminal, TCOON) == 0);
	while (read_all(master, text, sizeof(text)) > 0)
		;
	print();
	read_all(master, text, sizeof(text));
	CHECK(strstr(text, " lines were dropped: standard error was full"));
	CHECK((fcntl(terminal, F_GETFL) & O_NONBLOCK) == 0);
}

static void write_last_words(const void *unused)
{
	int pair[2];
	char text[64];

	(void)unused;
	CHECK(pipe2(pair, 0) == 0);
	start_on(pair[1]);
	log_output_write_last(LOG_LEVEL_ERROR, "end\n", 4);
	read_all(pair[0], text, sizeof(text));
	CHECK(strcmp(text, "error end\n") == 0);
	for (unsigned i = 0; i < 100 * LINES; i++)
		log_output_write_last(LOG_LEVEL_ERROR, long_line, sizeof(long_line) - 1);
}

struct trial {
	void (*fn)(const void *);
	const void *data;
};

static void run_in_time(const void *data)
{
	const struct trial *trial = data;

	alarm(SECONDS);
	trial->fn(trial->data);
}

static void assert_good(void (*fn)(const void *), const void *data)
{
	const struct trial trial = { fn, data };
	int result = sandbox_child_run(run_in_time, &trial);

	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void a_full_pipe_drops_whole_lines_and_counts_them(void **state)
{
	(void)state;
	assert_good(use_pipe, NULL);
}

static void a_full_pipe_of_another_user_drops_lines_too(void **state)
{
	(void)state;
	assert_good(use_pipe_of_another, NULL);
}

static void a_full_socket_drops_whole_lines_and_counts_them(void **state)
{
	(void)state;
	assert_good(use_socket, NULL);
}

static void a_closed_reader_is_no_error(void **state)
{
	const bool is_pipe[] = { false, true };

	(void)state;
	assert_good(lose_reader, &is_pipe[0]);
	assert_good(lose_reader, &is_pipe[1]);
}

static void a_file_of_several_writers_is_not_overwritten(void **state)
{
	(void)state;
	assert_good(use_file, NULL);
}

static void a_stopped_terminal_does_not_block_the_log(void **state)
{
	(void)state;
	assert_good(use_stopped_terminal, NULL);
}

static void last_lines_do_not_block(void **state)
{
	(void)state;
	assert_good(write_last_words, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_pipe_drops_whole_lines_and_counts_them),
		cmocka_unit_test(a_full_pipe_of_another_user_drops_lines_too),
		cmocka_unit_test(a_full_socket_drops_whole_lines_and_counts_them),
		cmocka_unit_test(a_closed_reader_is_no_error),
		cmocka_unit_test(a_file_of_several_writers_is_not_overwritten),
		cmocka_unit_test(a_stopped_terminal_does_not_block_the_log),
		cmocka_unit_test(last_lines_do_not_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
