// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Files that are truncated under a mapping, and faults that the handler passes on. Each test is a
 * child, because a handler is installed once in a process, and cmocka has its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/sigbus.h"
#include "vhost/memory.h"
#include "vhost/vhost_user.h"

#include "sandbox_child.h"

#define PAGE  4096u
#define PAGES 8u

struct file {
	int fd, report_fd, guard;
	uint8_t *bytes;
};

static struct file new_file(void)
{
	struct file f = { memfd_create("guest", MFD_CLOEXEC), eventfd(0, EFD_NONBLOCK), -1, NULL };

	CHECK(f.fd >= 0 && f.report_fd >= 0);
	CHECK(ftruncate(f.fd, (off_t)(PAGES * PAGE)) == 0);
	f.bytes = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	CHECK(f.bytes != MAP_FAILED);
	memset(f.bytes, 7, (size_t)PAGES * PAGE);
	f.guard = sigbus_guard_add(f.bytes, (size_t)PAGES * PAGE, f.report_fd);
	CHECK(f.guard >= 0);
	return f;
}

static void cut(const struct file *f, unsigned pages)
{
	CHECK(ftruncate(f->fd, (off_t)(pages * PAGE)) == 0);
}

static uint64_t reports(const struct file *f)
{
	uint64_t n = 0;

	return read(f->report_fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void free_file(struct file *f)
{
	sigbus_guard_remove(f->guard);
	munmap(f->bytes, (size_t)PAGES * PAGE);
	fd_close(&f->fd);
	fd_close(&f->report_fd);
}

static void child_truncated_memory_reads_as_zeros_and_is_reported(const void *unused)
{
	(void)unused;
	struct file f = new_file(), other = new_file();

	cut(&f, 2);
	CHECK(f.bytes[2 * PAGE - 1] == 7);
	CHECK(reports(&f) == 0);
	CHECK(*(volatile uint8_t *)&f.bytes[2 * PAGE] == 0);
	CHECK(reports(&f) == 1);
	/* The whole mapping is replaced, so it faults once and not for each page. */
	for (unsigned i = 0; i < PAGES * PAGE; i++)
		CHECK(((volatile uint8_t *)f.bytes)[i] == 0);
	CHECK(reports(&f) == 0);
	CHECK(reports(&other) == 0);
	CHECK(other.bytes[PAGE] == 7);
	free_file(&f);
	free_file(&other);
}

static void child_truncated_memory_can_be_written(const void *unused)
{
	(void)unused;
	struct file f = new_file();

	cut(&f, 0);
	errno = ENOSPC;
	memset(f.bytes, 9, (size_t)PAGES * PAGE);
	CHECK(errno == ENOSPC);
	CHECK(f.bytes[PAGES * PAGE - 1] == 9);
	CHECK(reports(&f) == 1);
	free_file(&f);
}

static void *read_all(void *data)
{
	const struct file *f = data;
	uintptr_t sum = 0;

	for (unsigned i = 0; i < PAGES; i++)
		sum += ((volatile uint8_t *)f->bytes)[i * PAGE];
	return (void *)sum;
}

static void child_threads_that_fault_continue(const void *unused)
{
	(void)unused;
	for (unsigned round = 0; round < 50; round++) {
		struct file f = new_file();
		pthread_t threads[4];
		void *sum;

		cut(&f, 0);
		for (unsigned i = 0; i < 4; i++)
			CHECK(pthread_create(&threads[i], NULL, read_all, &f) == 0);
		for (unsigned i = 0; i < 4; i++) {
			CHECK(pthread_join(threads[i], &sum) == 0);
			CHECK(!sum);
		}
		CHECK(reports(&f) >= 1);
		free_file(&f);
	}
}

static void child_a_fault_signals_the_eventfd_of_its_memory(const void *unused)
{
	(void)unused;
	struct vhost_user_memory_region spec = { 0, (uint64_t)PAGES * PAGE, 0, 0 };
	struct file f = new_file();
	struct guest_memory memory;

	guest_memory_init(&memory, NULL, NULL);
	guest_memory_report_faults(&memory, f.report_fd);
	CHECK(guest_memory_add(&memory, &spec, f.fd) == 0);
	cut(&f, 1);
	CHECK(*(volatile uint8_t *)guest_memory_at(&memory, 0, 1) == 7);
	CHECK(reports(&f) == 0);
	CHECK(*(volatile uint8_t *)guest_memory_at(&memory, PAGE, 1) == 0);
	CHECK(reports(&f) == 1);
	guest_memory_finish(&memory);
	free_file(&f);
}

static void child_slots_are_reused_and_limited(const void *unused)
{
	(void)unused;
	static int guards[2 * GUEST_MEMORY_MAX_REGIONS];
	static uint8_t somewhere[PAGE];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
			guards[i] = sigbus_guard_add(somewhere, sizeof(somewhere), -1);
			CHECK(guards[i] >= 0);
		}
		CHECK(sigbus_guard_add(somewhere, sizeof(somewhere), -1) == -ENOSPC);
		for (unsigned i = 0; i < sizeof(guards) / sizeof(guards[0]); i++)
			sigbus_guard_remove(guards[i]);
	}
}

/* ---- other faults ---- */

static void fault_beside(const void *unused)
{
	struct file f = new_file(), other = new_file();

	(void)unused;
	sigbus_guard_remove(other.guard);
	cut(&other, 0);
	(void)*(volatile uint8_t *)other.bytes;
	free_file(&f);
}

static void be_sent_a_signal(const void *unused)
{
	struct file f = new_file();

	(void)unused;
	CHECK(kill(getpid(), SIGBUS) == 0);
	free_file(&f);
}

static void say_it_was_called(int number, siginfo_t *info, void *context)
{
	(void)context;
	_exit(number == SIGBUS && info->si_code > 0 ? 42 : 1);
}

static void fault_with_a_handler(const void *unused)
{
	const struct sigaction action = { .sa_sigaction = say_it_was_called,
					  .sa_flags = SA_SIGINFO };

	CHECK(sigaction(SIGBUS, &action, NULL) == 0);
	fault_beside(unused);
}

/* ---- tests ---- */

static int run_without_handler(void (*fn)(const void *))
{
	struct sigaction cmockas;

	sigaction(SIGBUS, &(struct sigaction){ .sa_handler = SIG_DFL }, &cmockas);
	int result = sandbox_child_run(fn, NULL);

	sigaction(SIGBUS, &cmockas, NULL);
	return result;
}

static void a_fault_elsewhere_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(fault_beside), BY_SIGNAL + SIGBUS);
	assert_int_equal(run_without_handler(be_sent_a_signal), BY_SIGNAL + SIGBUS);
}

static void the_previous_handler_gets_other_faults(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(fault_with_a_handler), 42);
}

static void truncated_memory_reads_as_zeros_and_is_reported(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(child_truncated_memory_reads_as_zeros_and_is_reported),
			 0);
}

static void truncated_memory_can_be_written(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(child_truncated_memory_can_be_written), 0);
}

static void threads_that_fault_continue(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(child_threads_that_fault_continue), 0);
}

static void a_fault_signals_the_eventfd_of_its_memory(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(child_a_fault_signals_the_eventfd_of_its_memory), 0);
}

static void slots_are_reused_and_limited(void **state)
{
	(void)state;
	assert_int_equal(run_without_handler(child_slots_are_reused_and_limited), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_elsewhere_ends_the_process),
		cmocka_unit_test(the_previous_handler_gets_other_faults),
		cmocka_unit_test(truncated_memory_reads_as_zeros_and_is_reported),
		cmocka_unit_test(truncated_memory_can_be_written),
		cmocka_unit_test(threads_that_fault_continue),
		cmocka_unit_test(a_fault_signals_the_eventfd_of_its_memory),
		cmocka_unit_test(slots_are_reused_and_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
