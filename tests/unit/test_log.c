// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The limit on log lines. Each test gets a memfd as standard error and reads what is in it. A log
 * call keeps its count in a static struct log_site, so each test has its own log calls. The clock
 * is the test's.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_MODULE "test"
#include "base/log.h"

#define FLOOD 20000

static int real_stderr, captured = -1;
static char text[64 * 1024];

static int capture(void **state)
{
	(void)state;
	fflush(stderr);
	captured = memfd_create("stderr", MFD_CLOEXEC);
	return captured < 0 || dup2(captured, STDERR_FILENO) < 0;
}

static int release(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	dup2(real_stderr, STDERR_FILENO);
	return close(captured);
}

/* Returns what was printed since the last call. */
static const char *printed(void)
{
	ssize_t n = pread(captured, text, sizeof(text) - 1, 0);

	assert_in_range(n, 0, sizeof(text) - 2);
	text[n] = '\0';
	assert_return_code(ftruncate(captured, 0), 0);
	assert_return_code(lseek(captured, 0, SEEK_SET), 0);
	return text;
}

static unsigned count(const char *lines, const char *word)
{
	unsigned n = 0;

	while ((lines = strstr(lines, word))) {
		lines += strlen(word);
		n++;
	}
	return n;
}

static struct timespec now = { .tv_sec = 1 };

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	*ret = now;
	return 0;
}

static void flood_here(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		log_warn("a guest erred: %u", i);
}

static void a_flood_is_limited_and_its_count_is_logged(void **state)
{
	unsigned long long dropped = 0;

	(void)state;
	flood_here(FLOOD);
	unsigned n = count(printed(), "a guest erred");
	assert_int_equal(n, LOG_BURST);
	assert_null(strstr(text, "dropped"));

	now.tv_nsec = 990000000;
	log_warn("too early");
	assert_null(strstr(printed(), "dropped"));
	now.tv_sec++;
	log_warn("something else");
	const char *told = strstr(printed(), "warn test: ");
	assert_int_equal(sscanf(told, "warn test: %llu lines like this were dropped:", &dropped),
			 1);
	assert_int_equal(dropped, FLOOD - n);
	assert_non_null(strstr(told, "\"a guest erred: %u\""));
	assert_non_null(strstr(told, "something else"));

	flood_here(1);
	assert_non_null(strstr(printed(), "a guest erred: 0"));
}

static void a_flood_does_not_limit_other_log_calls(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FLOOD; i++)
		log_warn("noise");
	printed();
	log_warn("a warning");
	log_error("an error");
	log_info("an information");
	assert_string_equal(printed(), "warn test: a warning\nerror test: an error\n"
				       "info test: an information\n");
}

static void as_many_lines_as_fit_in_a_burst_are_all_printed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LOG_BURST; i++)
		log_error("one of a burst");
	assert_int_equal(count(printed(), "one of a burst"), LOG_BURST);
}

static void a_line_below_the_level_does_not_count_towards_the_limit(void **state)
{
	(void)state;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < LOG_BURST; i++)
			log_debug("detail");
		assert_int_equal(count(printed(), "detail"), pass ? LOG_BURST : 0);
		log_set_level(LOG_LEVEL_DEBUG);
	}
}

static void a_long_line_is_cut_and_ends_with_a_newline(void **state)
{
	char word[3000];

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	log_info("%s", word);
	assert_int_equal(strlen(printed()), 1023);
	assert_int_equal(text[1022], '\n');
}

static void a_line_has_no_control_characters(void **state)
{
	(void)state;
	log_info("%s", "one\nerror test: forged\033[2J\x7f\ttwo \xc3\xa9");
	assert_string_equal(printed(), "info test: one?error test: forged?[2J?\ttwo \xc3\xa9\n");
}

static void a_fatal_line_is_printed_at_any_level(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	log_fatal("there is no %s", "socket");
	assert_string_equal(printed(), "vhost-device-gpu: there is no socket\n");
}

static void *flood_from_thread(void *argument)
{
	for (unsigned i = 0; i < FLOOD; i++)
		log_warn("from a thread");
	return argument;
}

static void threads_share_the_limit_of_a_log_call(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood_from_thread, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count(printed(), "from a thread\n"), LOG_BURST);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)
	const struct CMUnitTest tests[] = {
		TEST(a_flood_is_limited_and_its_count_is_logged),
		TEST(a_flood_does_not_limit_other_log_calls),
		TEST(as_many_lines_as_fit_in_a_burst_are_all_printed),
		TEST(a_line_below_the_level_does_not_count_towards_the_limit),
		TEST(a_long_line_is_cut_and_ends_with_a_newline),
		TEST(a_line_has_no_control_characters),
		TEST(a_fatal_line_is_printed_at_any_level),
		TEST(threads_share_the_limit_of_a_log_call),
	};

	real_stderr = dup(STDERR_FILENO);
	return real_stderr < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
