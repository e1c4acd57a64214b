// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The number of threads that can be created, counted as a user without other processes, so that
 * only the process limit decides.
 */
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/threads.h"
#include "sandbox_child.h"

#define USER 54322

static void *wait_for_end(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* @data: the limit, which includes this process. */
static void count_within_limit(const void *data)
{
	const unsigned limit = *(const unsigned *)data;
	const struct rlimit processes = { limit, limit };
	pthread_t thread;

	if (geteuid() != 0)
		_exit(NO_VERDICT);
	CHECK(setgroups(0, NULL) == 0 && setrlimit(RLIMIT_NPROC, &processes) == 0);
	CHECK(setresgid(USER, USER, USER) == 0 && setresuid(USER, USER, USER) == 0);

	unsigned n = threads_count_available(12);

	CHECK(n <= limit - 1 && n <= 12);
	/* With a limit of two none may be left, because the child that counts takes the place. */
	CHECK(n + 1 >= limit || n == 12 || limit == 2);
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_create(&thread, NULL, wait_for_end, NULL) == 0);
}

static void as_many_threads_are_counted_as_the_limit_allows(void **state)
{
	(void)state;
	for (unsigned limit = 1; limit < 16; limit++) {
		int result = sandbox_child_run(count_within_limit, &limit);

		if (result == NO_VERDICT)
			skip();
		if (result != 0)
			fail_msg("limit %u: %d", limit, result);
	}
}

static void without_a_limit_all_threads_are_counted(void **state)
{
	(void)state;
	assert_int_equal(threads_count_available(1), 1);
	assert_int_equal(threads_count_available(70), 70);
}

/* As some parents leave it: a child then leaves no status. */
static void children_are_reaped_if_sigchld_is_ignored(void **state)
{
	struct sigaction after;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(threads_count_available(5), 5);
	assert_return_code(sigaction(SIGCHLD, NULL, &after), 0);
	assert_ptr_equal(after.sa_handler, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_threads_are_counted_as_the_limit_allows),
		cmocka_unit_test(without_a_limit_all_threads_are_counted),
		cmocka_unit_test(children_are_reaped_if_sigchld_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
