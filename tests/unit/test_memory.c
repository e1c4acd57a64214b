// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The table of guest memory, over a small file whose bytes show their offset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/udmabuf.h"
#include "vhost/memory.h"
#include "vhost/vhost_user.h"

#define PAGE      0x1000u
#define GPA       0x100000u
#define USER      0x7f0000000000u
#define FILE_SIZE (16 * PAGE)
#define N(array)  (sizeof(array) / sizeof((array)[0]))

static struct guest_memory memory;
static int file; /* byte i of the file is i / 16 */
static int changes;
static const volatile uint8_t *watched; /* read at each change of the table */

static void memory_changed(void *data)
{
	assert_ptr_equal(data, &memory);
	changes++;
	if (watched)
		assert_int_equal(*watched, 0);
}

static int setup(void **state)
{
	(void)state;
	uint8_t bytes[FILE_SIZE];

	file = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i / 16);
	if (file < 0 || write(file, bytes, sizeof(bytes)) != sizeof(bytes))
		return -1;
	changes = 0;
	watched = NULL;
	guest_memory_init(&memory, memory_changed, &memory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_memory_finish(&memory);
	fd_close(&file);
	return 0;
}

static struct vhost_user_memory_region spec(uint64_t gpa, uint64_t size, uint64_t offset)
{
	return (struct vhost_user_memory_region){ gpa, size, USER + (gpa - GPA), offset };
}

/* A table of one region: the first eight pages of the file. */
static void add_first(void)
{
	struct vhost_user_memory_region s = spec(GPA, 8 * PAGE, 0);

	assert_int_equal(guest_memory_add(&memory, &s, file), 0);
	assert_int_equal(changes, 1);
}

static void an_invalid_region_is_refused_and_the_old_table_stays(void **state)
{
	(void)state;
	static const struct vhost_user_memory_region bad[] = {
		{ GPA + 8 * PAGE, 0, USER, 0 },
		{ UINT64_MAX - PAGE + 2, PAGE, USER, 0 },
		{ GPA + 8 * PAGE, PAGE, UINT64_MAX - PAGE + 2, 0 },
		{ GPA + 8 * PAGE, FILE_SIZE + 1, USER, 0 },
		{ GPA + 8 * PAGE, PAGE, USER, FILE_SIZE },
		{ GPA + 8 * PAGE, PAGE, USER, FILE_SIZE - PAGE + 1 },
		{ GPA + 8 * PAGE, PAGE, USER, UINT64_MAX },
		{ GPA + 8 * PAGE, PAGE, USER, (uint64_t)INT64_MAX - PAGE + 1 },
		{ 0, UINT64_MAX, 0, 0 },
		{ GPA, PAGE, USER, 0 },
		{ GPA + 8 * PAGE - 1, PAGE, USER, 0 },
		{ GPA - PAGE, PAGE + 1, USER, 0 },
	};

	add_first();
	uint8_t *old = guest_memory_at(&memory, GPA, 1);

	for (size_t i = 0; i < N(bad); i++) {
		struct vhost_user_memory_region both[2] = { spec(GPA, 8 * PAGE, 0), bad[i] };
		int fds[2] = { file, file };

		assert_int_equal(guest_memory_add(&memory, &bad[i], file), -EPROTO);
		assert_int_equal(guest_memory_set(&memory, both, fds, 2), -EPROTO);
		assert_ptr_equal(guest_memory_at(&memory, GPA, 1), old);
		assert_null(guest_memory_at(&memory, GPA + 8 * PAGE, 1));
	}
	assert_int_equal(changes, 1);
}

static void a_descriptor_that_cannot_be_mapped_fails_with_the_errno_of_mmap(void **state)
{
	(void)state;
	struct vhost_user_memory_region s = spec(GPA, PAGE, 0);
	auto_fd eventfd_fd = eventfd(0, EFD_CLOEXEC);
	auto_fd read_only = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	assert_int_equal(guest_memory_add(&memory, &s, eventfd_fd), -ENODEV);
	assert_int_equal(guest_memory_add(&memory, &s, read_only), -EACCES);
	assert_int_equal(guest_memory_add(&memory, &s, 1 << 20), -EBADF);
	assert_int_equal(memory.n_regions, 0);
}

static void a_region_is_removed_by_its_gpa_user_address_and_size(void **state)
{
	(void)state;
	struct vhost_user_memory_region s = spec(GPA, 8 * PAGE, 0), other;

	add_first();
	other = s;
	other.gpa++;
	assert_int_equal(guest_memory_remove(&memory, &other), -EPROTO);
	other = s;
	other.user_addr++;
	assert_int_equal(guest_memory_remove(&memory, &other), -EPROTO);
	other = s;
	other.size++;
	assert_int_equal(guest_memory_remove(&memory, &other), -EPROTO);
	assert_int_equal(changes, 1);

	uint8_t *old = guest_memory_at(&memory, GPA, 1);

	watched = old;         /* still mapped when the callback runs */
	s.mmap_offset = 12345; /* its value does not matter */
	assert_int_equal(guest_memory_remove(&memory, &s), 0);
	assert_int_equal(changes, 2);
	assert_null(guest_memory_at(&memory, GPA, 1));
	assert_int_equal(msync(old, PAGE, MS_ASYNC), -1); /* and unmapped afterwards */
	assert_int_equal(guest_memory_remove(&memory, &s), -EPROTO);
}

static void addresses_past_the_end_of_a_region_are_not_found(void **state)
{
	(void)state;
	const uint64_t size = 8 * PAGE;

	assert_null(guest_memory_at(&memory, GPA, 1));
	add_first();
	assert_non_null(guest_memory_at(&memory, GPA, size));
	assert_non_null(guest_memory_at(&memory, GPA + size - 1, 1));
	assert_null(guest_memory_at(&memory, GPA + size, 1));
	assert_null(guest_memory_at(&memory, GPA + size, 0));
	assert_null(guest_memory_at(&memory, GPA, size + 1));
	assert_null(guest_memory_at(&memory, GPA + 1, size));
	assert_null(guest_memory_at(&memory, GPA - 1, 2));
	assert_null(guest_memory_at(&memory, GPA + 1, UINT64_MAX));
	assert_null(guest_memory_at(&memory, UINT64_MAX, 2));
	assert_null(guest_memory_at(&memory, 0, 1));

	assert_ptr_equal(guest_memory_at_user(&memory, USER + 5, size - 5),
			 guest_memory_at(&memory, GPA + 5, 1));
	assert_null(guest_memory_at_user(&memory, USER + 5, size - 4));
	assert_null(guest_memory_at_user(&memory, USER - 1, 1));
	assert_null(guest_memory_at_user(&memory, USER + size, 1));
	assert_null(guest_memory_at_user(&memory, USER + 1, UINT64_MAX));
}

static void a_file_offset_need_not_be_of_whole_pages(void **state)
{
	(void)state;
	struct vhost_user_memory_region s = spec(GPA, 0x100, PAGE + 0x230);

	assert_int_equal(guest_memory_add(&memory, &s, file), 0);
	assert_int_equal(*(uint8_t *)guest_memory_at(&memory, GPA, 1), 0x23);
	assert_int_equal(*(uint8_t *)guest_memory_at(&memory, GPA + 0xff, 1), 0x32);
	assert_null(guest_memory_at(&memory, GPA + 0xff, 2));
}

static void pieces_cross_adjacent_regions_and_stop_at_a_hole(void **state)
{
	(void)state;
	/* In the order of the front-end, not by address; regions 2 and 1 are adjacent. */
	struct vhost_user_memory_region specs[] = {
		spec(GPA + 4 * PAGE, PAGE, 0),
		spec(GPA + 1 * PAGE, PAGE, 4 * PAGE),
		spec(GPA + 0 * PAGE, PAGE, 2 * PAGE),
	};
	int fds[] = { file, file, file };
	struct iovec iov[4];

	assert_int_equal(guest_memory_set(&memory, specs, fds, 3), 0);
	assert_int_equal(guest_memory_iov(&memory, GPA + 16, 2 * PAGE, iov, 4), -EFAULT);
	assert_int_equal(guest_memory_iov(&memory, GPA + 4 * PAGE, PAGE + 1, iov, 4), -EFAULT);
	assert_int_equal(guest_memory_iov(&memory, GPA + 2 * PAGE, 1, iov, 4), -EFAULT);
	assert_int_equal(guest_memory_iov(&memory, GPA - 1, 1, iov, 4), -EFAULT);
	assert_int_equal(guest_memory_iov(&memory, GPA, UINT64_MAX, iov, 4), -EFAULT);
	assert_int_equal(guest_memory_iov(&memory, GPA, 2 * PAGE, iov, 1), -E2BIG);
	assert_int_equal(guest_memory_iov(&memory, GPA, 1, iov, 0), -E2BIG);
	assert_int_equal(guest_memory_iov(&memory, 0, 0, iov, 0), 0);

	assert_int_equal(guest_memory_iov(&memory, GPA + 16, 2 * PAGE - 16, iov, 2), 2);
	assert_int_equal(iov[0].iov_len, PAGE - 16);
	assert_int_equal(*(uint8_t *)iov[0].iov_base, (2 * PAGE + 16) / 16 % 256);
	assert_int_equal(iov[1].iov_len, PAGE);
	assert_int_equal(*(uint8_t *)iov[1].iov_base, 4 * PAGE / 16 % 256);
	assert_int_equal(guest_memory_iov(&memory, GPA + 5, 7, iov, 1), 1);
	assert_int_equal(iov[0].iov_len, 7);
}

static void a_range_does_not_wrap_round_the_address_space(void **state)
{
	(void)state;
	struct vhost_user_memory_region specs[] = {
		{ 0, PAGE, USER, 0 },
		{ UINT64_MAX - PAGE + 1, PAGE, USER, PAGE },
	};
	int fds[] = { file, file };
	struct iovec iov[2];

	assert_int_equal(guest_memory_set(&memory, specs, fds, 2), 0);
	assert_int_equal(guest_memory_iov(&memory, UINT64_MAX, 1, iov, 2), 1);
	assert_int_equal(guest_memory_iov(&memory, UINT64_MAX, 2, iov, 2), -EFAULT);
	assert_null(guest_memory_at(&memory, UINT64_MAX, 2));
	assert_non_null(guest_memory_at(&memory, UINT64_MAX - PAGE + 1, PAGE));
}

static void a_region_that_stays_keeps_its_mapping(void **state)
{
	(void)state;
	struct vhost_user_memory_region specs[] = { spec(GPA, 8 * PAGE, 0),
						    spec(GPA + 8 * PAGE, PAGE, 8 * PAGE) };
	int copy = dup(file), fds[] = { copy, copy };

	add_first();
	uint8_t *old = guest_memory_at(&memory, GPA, 1);

	assert_int_equal(guest_memory_set(&memory, specs, fds, 2), 0);
	assert_ptr_equal(guest_memory_at(&memory, GPA, 1), old);
	assert_int_equal(changes, 2);
	assert_int_equal(guest_memory_set(&memory, specs, fds, 2), 0);
	assert_int_equal(changes, 2); /* the table is unchanged */
	specs[0].user_addr += PAGE;
	assert_int_equal(guest_memory_set(&memory, specs, fds, 2), 0);
	assert_int_equal(changes, 3);
	assert_ptr_equal(guest_memory_at(&memory, GPA, 1), old);
	assert_ptr_equal(guest_memory_at_user(&memory, USER + PAGE, 1), old);

	watched = old;
	specs[0].mmap_offset = 4 * PAGE; /* other memory now */
	assert_int_equal(guest_memory_set(&memory, specs, fds, 2), 0);
	assert_int_equal(changes, 4);
	assert_int_equal(msync(old, PAGE, MS_ASYNC), -1);
	watched = NULL;
	assert_int_equal(guest_memory_set(&memory, NULL, NULL, 0), 0);
	assert_int_equal(changes, 5);
	assert_int_equal(memory.n_regions, 0);
	close(copy);
}

static void another_file_at_the_same_address_is_mapped_again(void **state)
{
	(void)state;
	struct vhost_user_memory_region s = spec(GPA, 8 * PAGE, 0);
	int other = memfd_create("other", MFD_CLOEXEC);

	add_first();
	assert_int_equal(ftruncate(other, FILE_SIZE), 0);
	assert_int_equal(guest_memory_set(&memory, &s, &other, 1), 0);
	assert_int_equal(changes, 2);
	assert_int_equal(*(uint8_t *)guest_memory_at(&memory, GPA + 32, 1), 0);
	close(other);
}

static void the_table_has_a_limit(void **state)
{
	(void)state;
	struct vhost_user_memory_region s = spec(GPA, PAGE, 0);
	static struct vhost_user_memory_region many[GUEST_MEMORY_MAX_REGIONS + 1];
	static int fds[GUEST_MEMORY_MAX_REGIONS + 1];

	for (unsigned i = 0; i < GUEST_MEMORY_MAX_REGIONS; i++) {
		s.gpa = GPA + (uint64_t)i * 2 * PAGE;
		assert_int_equal(guest_memory_add(&memory, &s, file), 0);
	}
	s.gpa += 2 * PAGE;
	assert_int_equal(guest_memory_add(&memory, &s, file), -ENOSPC);
	assert_int_equal(guest_memory_set(&memory, many, fds, N(many)), -ENOSPC);
	for (unsigned i = 0; i < GUEST_MEMORY_MAX_REGIONS; i++) {
		assert_non_null(guest_memory_at(&memory, GPA + (uint64_t)i * 2 * PAGE, PAGE));
		assert_null(guest_memory_at(&memory, GPA + (uint64_t)i * 2 * PAGE + PAGE, 1));
	}
}

/* Pages 0 to 7 of the file, and pages 10 to 11 right behind them. */
static void add_adjacent(struct udmabuf_list *list)
{
	const struct vhost_user_memory_region both[] = {
		spec(GPA, 8 * PAGE, 0),
		spec(GPA + 8 * PAGE, 2 * PAGE, 10 * PAGE),
	};

	*list = (struct udmabuf_list){ 0 };
	for (unsigned i = 0; i < N(both); i++)
		assert_int_equal(guest_memory_add(&memory, &both[i], file), 0);
}

static void sealed_memory_is_listed_as_pieces_of_its_files(void **state)
{
	static struct udmabuf_list list;

	(void)state;
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	guest_memory_keep_memfds(&memory);
	add_adjacent(&list);
	assert_int_equal(guest_memory_list(&memory, GPA + PAGE, PAGE, &list), 0);
	assert_int_equal(guest_memory_list(&memory, GPA + 2 * PAGE, 7 * PAGE, &list), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].offset, PAGE);
	assert_int_equal(list.items[0].size, 7 * PAGE); /* what follows in the file is joined */
	assert_int_equal(list.items[1].offset, 10 * PAGE);
	assert_int_equal(list.items[1].size, PAGE);
	assert_int_equal(list.size, 8 * PAGE);
	assert_int_equal(guest_memory_list(&memory, GPA + 9 * PAGE, 2 * PAGE, &list), -EFAULT);
	assert_int_equal(guest_memory_list(&memory, GPA, UINT64_MAX, &list), -EFAULT);
}

static void memory_whose_file_can_shrink_is_not_listed(void **state)
{
	static struct udmabuf_list list;

	(void)state;
	guest_memory_keep_memfds(&memory);
	add_adjacent(&list);
	assert_int_equal(guest_memory_list(&memory, GPA, PAGE, &list), -ENOTSUP);
}

static void no_descriptor_is_kept_unless_it_is_asked_for(void **state)
{
	static struct udmabuf_list list;
	const int next = dup(file);

	(void)state;
	assert_int_equal(close(next), 0);
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	add_adjacent(&list);
	auto_fd free_one = dup(file);

	assert_int_equal(free_one, next);
	assert_int_equal(guest_memory_list(&memory, GPA, PAGE, &list), -ENOTSUP);
}

static void a_list_takes_no_more_pieces_than_the_kernel(void **state)
{
	static struct udmabuf_list list;

	(void)state;
	for (uint64_t i = 0; i < UDMABUF_MAX_PIECES; i++)
		assert_int_equal(udmabuf_list_add(&list, 3, 2 * i * PAGE, PAGE), 0);
	assert_int_equal(udmabuf_list_add(&list, 3, 2 * UDMABUF_MAX_PIECES * PAGE, PAGE), -E2BIG);
	list = (struct udmabuf_list){ 0 };
	assert_int_equal(udmabuf_list_add(&list, 3, 0, UDMABUF_MAX_BYTES), 0);
	assert_int_equal(udmabuf_list_add(&list, 3, UDMABUF_MAX_BYTES, PAGE), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(an_invalid_region_is_refused_and_the_old_table_stays),
		TEST(a_descriptor_that_cannot_be_mapped_fails_with_the_errno_of_mmap),
		TEST(a_region_is_removed_by_its_gpa_user_address_and_size),
		TEST(addresses_past_the_end_of_a_region_are_not_found),
		TEST(a_file_offset_need_not_be_of_whole_pages),
		TEST(pieces_cross_adjacent_regions_and_stop_at_a_hole),
		TEST(a_range_does_not_wrap_round_the_address_space),
		TEST(a_region_that_stays_keeps_its_mapping),
		TEST(another_file_at_the_same_address_is_mapped_again),
		TEST(the_table_has_a_limit),
		TEST(sealed_memory_is_listed_as_pieces_of_its_files),
		TEST(memory_whose_file_can_shrink_is_not_listed),
		TEST(no_descriptor_is_kept_unless_it_is_asked_for),
		TEST(a_list_takes_no_more_pieces_than_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
