// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs of guest memory, and the loss of that memory: the guest detaches it (as Linux does with a
 * dma-buf imported from another driver in the guest), or the front-end unmaps it.
 */
#include "gpu_rig.h"

#include <string.h>

#include "gpu_guest.h"
#include "vhost/vhost_user.h"

#define W 64u
#define H 64u

#define BLOB_SIZE (W * H * 4)

/* What the display reads of row @y of the scanout, pixels 0 to W. */
static int read_row(unsigned y, struct iovec *iov)
{
	struct display_pixels *source = gpu_rig.display.sources[0];
	const struct rect r = { 0, y, W, 1 };

	assert_non_null(source);
	return source->ops->rows(source, &r, iov, 8);
}

static void a_blob_is_read_from_guest_memory(void **state)
{
	struct iovec iov[8];

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, BLOB_SIZE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_show_blob(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	memset(gpu_rig.memory + DATA_AT + 3 * W * 4, 0x77, W * 4);
	assert_int_equal(read_row(3, iov), 1);
	assert_int_equal(iov[0].iov_len, W * 4);
	assert_memory_equal(iov[0].iov_base, gpu_rig.memory + DATA_AT + 3 * W * 4, W * 4);
}

static void a_scattered_blob_is_read_row_by_row(void **state)
{
	enum { N_PAGES = BLOB_SIZE / 4096, ROWS_OF_PAGE = H / N_PAGES };
	struct {
		struct virtio_gpu_resource_create_blob request;
		struct virtio_gpu_mem_entry entries[N_PAGES];
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
			     .resource_id = 1,
			     .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			     .nr_entries = N_PAGES,
			     .size = BLOB_SIZE },
	};
	const struct rect r = { 10, 3, 4, H - 3 };
	struct iovec iov[H];

	(void)state;
	for (unsigned i = 0; i < N_PAGES; i++) /* in reverse order of the pages */
		message.entries[i] =
			(struct virtio_gpu_mem_entry){ GPA + DATA_AT + (N_PAGES - 1 - i) * 4096,
						       4096, 0 };
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_show_blob(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned y = 0; y < H; y++) {
		unsigned page = N_PAGES - 1 - y / ROWS_OF_PAGE, row = y % ROWS_OF_PAGE;

		memset(gpu_rig.memory + DATA_AT + page * 4096 + row * W * 4, (int)y, W * 4);
	}
	assert_int_equal(
		gpu_rig.display.sources[0]->ops->rows(gpu_rig.display.sources[0], &r, iov, H),
		r.height);
	for (unsigned y = 0; y < r.height; y++) {
		assert_int_equal(iov[y].iov_len, r.width * 4);
		assert_int_equal(((uint8_t *)iov[y].iov_base)[0], y + r.y);
		assert_int_equal(((uint8_t *)iov[y].iov_base)[r.width * 4 - 1], y + r.y);
	}
}

static void a_guest_can_detach_the_memory_of_a_blob(void **state)
{
	struct iovec iov[8];

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, BLOB_SIZE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_show_blob(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	unsigned changes = gpu_rig.display.n_changes;
	uint64_t with = gpu_rig.device->hostmem.used, without;

	/* The display has dropped the pixels and must find none. */
	assert_int_equal(gpu_guest_detach(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(gpu_rig.display.n_changes > changes);
	assert_true(read_row(0, iov) < 0);
	assert_int_equal(gpu_rig.renderer.n_attached, 0);
	without = gpu_rig.device->hostmem.used;
	assert_true(without < with);
	assert_int_equal(gpu_guest_detach(1), VIRTIO_GPU_RESP_ERR_UNSPEC);
	/* The memory is attached again at another address, of the same size. */
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT + 4096, BLOB_SIZE - 1),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(gpu_rig.device->hostmem.used, without);
	assert_true(read_row(0, iov) < 0);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT + 4096, BLOB_SIZE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_attached, 1);
	memset(gpu_rig.memory + DATA_AT + 4096, 0x42, W * 4);
	assert_int_equal(read_row(0, iov), 1);
	assert_int_equal(*(uint8_t *)iov[0].iov_base, 0x42);
}

static void a_blob_without_memory_is_refused_as_a_cursor(void **state)
{
	const struct virtio_gpu_update_cursor request = {
		.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
		.resource_id = 1,
	};

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, BLOB_SIZE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(RUN(request), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_detach(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(RUN(request), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* The rings are in their own region here, so that the other region can be removed. */
static void memory_that_the_front_end_removed_is_not_accessed(void **state)
{
	const uint64_t more = GPA + MEM_SIZE;
	const struct vhost_user_mem_reg reg = { 0, { more, MEM_SIZE / 2, USER + MEM_SIZE, 0 } };
	struct iovec iov[8];

	(void)state;
	gpu_rig_tell(VHOST_USER_ADD_MEM_REG, &reg, sizeof(reg), gpu_rig.memory_fd);
	assert_int_equal(gpu_guest_create_blob(1, more, BLOB_SIZE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_2d(2, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(2, more, BLOB_SIZE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_show_blob(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	unsigned changes = gpu_rig.display.n_changes;

	gpu_rig_tell(VHOST_USER_REM_MEM_REG, &reg, sizeof(reg), -1);
	assert_int_equal(gpu_rig.renderer.n_attached, 0);
	assert_true(gpu_rig.display.n_changes > changes);
	assert_true(read_row(0, iov) < 0);
	/* Both backings stay attached, and can be read again when the memory is back. */
	assert_int_equal(gpu_guest_attach(2, GPA + DATA_AT, BLOB_SIZE), VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_rig_tell(VHOST_USER_ADD_MEM_REG, &reg, sizeof(reg), gpu_rig.memory_fd);
	assert_int_equal(gpu_rig.renderer.n_attached, 2);
	assert_int_equal(read_row(0, iov), 1);
	/* The blob is freed while its memory is gone. */
	gpu_rig_tell(VHOST_USER_REM_MEM_REG, &reg, sizeof(reg), -1);
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_detach(2), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_unref(2), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.device->hostmem.used, 0);
}

/* The regions are adjacent for the guest but not in our address space, so an entry that spans all
 * of them becomes one piece for each. The guest is charged for its list of entries, so our list of
 * pieces must not be much longer. */
static void a_backing_entry_in_too_many_pieces_is_refused(void **state)
{
	enum { N_REGIONS = 24, N_ENTRIES = 32, PAGE = 4096 };
	const uint64_t more = GPA + MEM_SIZE;
	struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entries[N_ENTRIES];
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = 1,
			     .nr_entries = N_ENTRIES },
	};

	(void)state;
	for (uint64_t i = 0; i < N_REGIONS; i++) {
		/* Every second page of the file, so that no two pages are mapped side by side. */
		const struct vhost_user_mem_reg reg = {
			0, { more + i * PAGE, PAGE, USER + MEM_SIZE + i * PAGE, i * 2 * PAGE }
		};

		gpu_rig_tell(VHOST_USER_ADD_MEM_REG, &reg, sizeof(reg), gpu_rig.memory_fd);
	}
	assert_int_equal(gpu_guest_create_2d(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned i = 0; i < N_ENTRIES; i++)
		message.entries[i] = (struct virtio_gpu_mem_entry){ more, N_REGIONS * PAGE, 0 };
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	/* The backing of a real picture crosses each border between two regions at most once. */
	assert_int_equal(gpu_guest_attach(1, more, N_REGIONS * PAGE), VIRTIO_GPU_RESP_OK_NODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gpu_rig_setup, gpu_rig_teardown)
		TEST(a_blob_is_read_from_guest_memory),
		TEST(a_scattered_blob_is_read_row_by_row),
		TEST(a_guest_can_detach_the_memory_of_a_blob),
		TEST(a_blob_without_memory_is_refused_as_a_cursor),
		TEST(memory_that_the_front_end_removed_is_not_accessed),
		TEST(a_backing_entry_in_too_many_pieces_is_refused),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
