// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The account of a guest's memory. A file of the test replaces /proc/self/statm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hostmem.h"

#define MAX     (UINT64_C(16) << 20)
#define RESERVE (UINT64_C(4) << 20)

static struct hostmem hostmem;
static int statm; /* another descriptor of the file */

/* @bytes of private memory, in pages, and some shared memory. */
static void say(uint64_t bytes)
{
	unsigned long long pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	char text[64];
	int n = snprintf(text, sizeof(text), "999999 %llu 1000 1 0 1 0\n", pages + 1000);

	assert_int_equal(ftruncate(statm, 0), 0);
	assert_int_equal(pwrite(statm, text, (size_t)n, 0), n);
}

static int setup(void **state)
{
	(void)state;
	statm = memfd_create("statm", MFD_CLOEXEC);
	say(1 << 20);
	hostmem_init(&hostmem, MAX);
	return hostmem_measure(&hostmem, dup(statm), RESERVE);
}

static int teardown(void **state)
{
	(void)state;
	hostmem_finish(&hostmem);
	return close(statm);
}

static void charged_memory_has_a_limit(void **state)
{
	(void)state;
	assert_true(hostmem_charge(&hostmem, MAX - 1));
	assert_false(hostmem_charge(&hostmem, 2));
	assert_true(hostmem_has(&hostmem, 1));
	assert_true(hostmem_charge(&hostmem, 1));
	assert_false(hostmem_has(&hostmem, UINT64_MAX));
	/* Memory that is already there still counts. */
	hostmem_charge_anyway(&hostmem, 10);
	assert_false(hostmem_has(&hostmem, 0));
	hostmem_release(&hostmem, MAX + 10);
	assert_int_equal(hostmem.used, 0);
	assert_true(hostmem_has(NULL, UINT64_MAX));
	assert_true(hostmem_charge(NULL, UINT64_MAX));
}

static void measured_memory_has_a_limit_above_a_base(void **state)
{
	const uint64_t base = (1 << 20) + RESERVE;

	(void)state;
	assert_int_equal(hostmem_headroom(&hostmem), RESERVE + MAX);
	say(base + MAX);
	assert_true(hostmem_look(&hostmem));
	assert_int_equal(hostmem_headroom(&hostmem), 0);
	assert_false(hostmem_is_short(&hostmem));
	say(base + MAX + 65536);
	assert_false(hostmem_look(&hostmem));
	assert_true(hostmem_is_short(&hostmem));
	assert_false(hostmem_is_over(&hostmem));
	say(base + MAX + MAX / 4);
	assert_false(hostmem_look(&hostmem));
	assert_false(hostmem_is_over(&hostmem));
	say(base + MAX + MAX / 4 + 65536);
	assert_false(hostmem_look(&hostmem));
	assert_true(hostmem_is_over(&hostmem));
	say(base);
	assert_true(hostmem_look(&hostmem));
	assert_false(hostmem_is_over(&hostmem));
	assert_int_equal(hostmem_headroom(&hostmem), MAX);
}

static void an_invalid_proc_file_measures_nothing(void **state)
{
	struct hostmem other;
	int fd = memfd_create("statm", MFD_CLOEXEC);

	(void)state;
	hostmem_init(&other, MAX);
	assert_int_equal(hostmem_measure(&other, fd, RESERVE), -EIO);
	assert_true(hostmem_look(&other));
	assert_int_equal(hostmem_headroom(&other), UINT64_MAX);
	hostmem_finish(&other);
	/* A file that becomes invalid later measures nothing either. */
	assert_int_equal(ftruncate(statm, 0), 0);
	assert_true(hostmem_look(&hostmem));
	assert_false(hostmem_is_over(&hostmem));
}

/* The real /proc/self/statm: touched memory counts, and a shared mapping does not. */
static void only_private_memory_is_measured(void **state)
{
	const size_t size = 32 << 20;
	struct hostmem real;
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *shared, *private;

	(void)state;
	hostmem_init(&real, MAX);
	int r = hostmem_measure(&real, -1, 0);
	if (r == -ENOTSUP)
		skip(); /* a sanitizer's build */
	assert_int_equal(r, 0);
	assert_int_equal(ftruncate(fd, size), 0);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(shared, 1, size);
	assert_true(hostmem_look(&real));
	private = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(private, 1, size);
	assert_false(hostmem_look(&real));
	assert_true(hostmem_is_over(&real));
	munmap(private, size);
	assert_true(hostmem_look(&real));
	munmap(shared, size);
	close(fd);
	hostmem_finish(&real);
}

/* The allocator keeps small freed blocks that are below one in use. */
static void freed_memory_is_not_counted(void **state)
{
	enum { COUNT = 8192, SIZE = 4096 };
	static char *blocks[COUNT];
	struct hostmem real;

	(void)state;
	hostmem_init(&real, MAX);
	if (hostmem_measure(&real, -1, 0) == -ENOTSUP)
		skip();
	for (unsigned i = 0; i < COUNT; i++) {
		blocks[i] = malloc(SIZE);
		memset(blocks[i], 1, SIZE);
	}
	char *last = malloc(SIZE);
	for (unsigned i = 0; i < COUNT; i++)
		free(blocks[i]);
	assert_true(hostmem_look(&real));
	free(last);
	hostmem_finish(&real);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(charged_memory_has_a_limit),
		TEST(measured_memory_has_a_limit_above_a_base),
		TEST(an_invalid_proc_file_measures_nothing),
		TEST(only_private_memory_is_measured),
		TEST(freed_memory_is_not_counted),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
