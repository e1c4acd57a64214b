// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Output of libraries, in children, because descriptor 2 is taken over once in a process. Each
 * child has a file as standard error and checks what the log wrote there.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/stderr_pipe.h"
#include "sandbox_child.h"

#define SECONDS 40

static int file = -1; /* each child's standard error; the parent reads it */
static struct loop loop;

/* All of a test happens at one time of the log's clock. */
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	*ret = (struct timespec){ .tv_sec = 1 };
	return 0;
}

static const char *printed(void)
{
	static char text[1 << 20];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void check_printed(const char *due)
{
	if (strcmp(printed(), due) == 0)
		return;
	stderr_pipe_close();
	_exit(2);
}

static void open_at(enum log_level level)
{
	alarm(SECONDS);
	log_set_level(level);
	CHECK(dup2(file, STDERR_FILENO) == STDERR_FILENO && stderr_pipe_open() == 0);
}

static void serve_at(enum log_level level)
{
	open_at(level);
	CHECK(loop_init(&loop) == 0 && stderr_pipe_watch(&loop) == 0);
}

static void turn(unsigned n)
{
	while (n-- > 0)
		CHECK(loop_turn(&loop, 0) == 0);
}

static void print_at_the_start(const void *unused)
{
	(void)unused;
	open_at(LOG_LEVEL_INFO);
	fprintf(stderr, "no driver\n\n");
	printf("nor a file\n");
	fflush(stdout);
	check_printed("");
	stderr_pipe_drain();
	check_printed("info stderr: no driver\ninfo stderr: nor a file\n");
}

static void print_while_serving(const void *unused)
{
	(void)unused;
	serve_at(LOG_LEVEL_DEBUG);
	fprintf(stderr, "one\033[0m\ntwo, ");
	fprintf(stderr, "three");
	turn(1);
	fprintf(stderr, "four\n");
	turn(2);
	check_printed("debug stderr: one?[0m\ndebug stderr: two, three\ndebug stderr: four\n");
	fprintf(stderr, "five\n");
	stderr_pipe_close();
	fprintf(stderr, "after\n");
	check_printed("debug stderr: one?[0m\ndebug stderr: two, three\ndebug stderr: four\n"
		      "debug stderr: five\nafter\n");
}

static void print_below_the_level(const void *unused)
{
	(void)unused;
	serve_at(LOG_LEVEL_INFO);
	fprintf(stderr, "one\n");
	turn(2);
	stderr_pipe_close();
	check_printed("");
}

static void print_long_lines(const void *unused)
{
	char word[1025], due[1200];

	(void)unused;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	serve_at(LOG_LEVEL_DEBUG);
	fprintf(stderr, "%s\n", word);
	turn(2);
	snprintf(due, sizeof(due), "debug stderr: %.512s\ndebug stderr: %.512s\n", word, word);
	check_printed(due);
}

static void flood(const void *unused)
{
	unsigned n = 0;

	(void)unused;
	serve_at(LOG_LEVEL_DEBUG);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(stderr, "flood\n");
	turn(1);
	CHECK(strstr(printed(), "debug stderr: some text that libraries printed was lost:"));
	turn(30);
	for (const char *at = printed(); (at = strstr(at, "flood\n")); at++)
		n++;
	CHECK(n == LOG_BURST);
}

/* One turn reads a bounded piece, however much there is. */
static void fill(const void *unused)
{
	char line[100];

	(void)unused;
	serve_at(LOG_LEVEL_DEBUG);
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 400; i++)
		CHECK(write(STDERR_FILENO, line, sizeof(line)) == sizeof(line));
	turn(1);
	CHECK(strlen(printed()) < 4096 + 20 * 9);
}

static void end_by_assertion(const void *unused)
{
	(void)unused;
	serve_at(LOG_LEVEL_ERROR);
	fprintf(stderr, "a library's \033");
	abort();
}

static void end_by_fault(const void *unused)
{
	(void)unused;
	signal(SIGSEGV, SIG_DFL); /* removes cmocka's or a sanitizer's */
	serve_at(LOG_LEVEL_ERROR);
	fprintf(stderr, "a library's \033");
	raise(SIGSEGV);
}

static void end_by_exit(const void *unused)
{
	(void)unused;
	serve_at(LOG_LEVEL_ERROR);
	fprintf(stderr, "a library's \033");
	exit(5);
}

static int run(void (*fn)(const void *))
{
	assert_return_code(ftruncate(file, 0), 0);
	assert_return_code(lseek(file, 0, SEEK_SET), 0);
	return sandbox_child_run(fn, NULL);
}

static void assert_good(void (*fn)(const void *))
{
	int result = run(fn);

	if (result != 0)
		fail_msg("%d; printed was \"%s\"", result, printed());
}

static void output_at_the_start_is_logged_at_info(void **state)
{
	(void)state;
	assert_good(print_at_the_start);
}

static void later_output_is_logged_at_debug(void **state)
{
	(void)state;
	assert_good(print_while_serving);
	assert_good(print_below_the_level);
}

static void a_long_line_becomes_several(void **state)
{
	(void)state;
	assert_good(print_long_lines);
}

static void a_flood_is_limited_and_reported(void **state)
{
	(void)state;
	assert_good(flood);
}

static void a_turn_reads_a_bounded_piece(void **state)
{
	(void)state;
	assert_good(fill);
}

static void last_output_is_printed_at_any_level(void **state)
{
	(void)state;
	assert_int_equal(run(end_by_assertion), BY_SIGNAL + SIGABRT);
	assert_string_equal(printed(), "error stderr: a library's ?\n");
	assert_int_equal(run(end_by_exit), 5);
	assert_string_equal(printed(), "error stderr: a library's ?\n");
	assert_int_equal(run(end_by_fault), BY_SIGNAL + SIGSEGV);
	assert_string_equal(printed(), "error stderr: a library's ?\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_at_the_start_is_logged_at_info),
		cmocka_unit_test(later_output_is_logged_at_debug),
		cmocka_unit_test(a_long_line_becomes_several),
		cmocka_unit_test(a_flood_is_limited_and_reported),
		cmocka_unit_test(a_turn_reads_a_bounded_piece),
		cmocka_unit_test(last_output_is_printed_at_any_level),
	};

	file = memfd_create("stderr", MFD_CLOEXEC);
	return file < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
