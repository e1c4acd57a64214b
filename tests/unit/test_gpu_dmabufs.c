// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs of guest memory that the display is given as dma-bufs. The kernel's part is played here:
 * udmabuf_new() notes what it was asked for. With a kernel that has /dev/udmabuf the same is in
 * tests/device/test_dmabuf.c.
 */
#include "gpu_rig.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/udmabuf.h"
#include "gpu_guest.h"
#include "vhost/vhost_user.h"

#define W    64u
#define H    64u
#define SIZE (W * H * 4)
#define OK   VIRTIO_GPU_RESP_OK_NODATA

/* The last call of udmabuf_new(), and how many there were; udmabuf_flush() as well. */
static struct {
	unsigned n, n_flushed;
	int error; /* its answer, unless it is 0 */
	unsigned count;
	struct udmabuf_create_item first;
	bool is_guest_memory, was_lock_free;
	int flushed;
} kernel;

int __wrap_udmabuf_new(int device, struct udmabuf_list *list);
void __wrap_udmabuf_flush(int fd);

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

int __wrap_udmabuf_new(int device, struct udmabuf_list *list)
{
	assert_int_equal(device, gpu_rig.udmabuf);
	kernel.n++;
	kernel.count = list->count;
	kernel.first = list->items[0];
	if (gpu_rig.renderer.base.lock) {
		kernel.was_lock_free = state_lock_take_within(gpu_rig.renderer.base.lock, 0);
		if (kernel.was_lock_free)
			state_lock_release(gpu_rig.renderer.base.lock);
	}
	kernel.is_guest_memory = is_same_file((int)list->items[0].memfd, gpu_rig.memory_fd);
	return kernel.error ? kernel.error : memfd_create("dmabuf", MFD_CLOEXEC);
}

void __wrap_udmabuf_flush(int fd)
{
	kernel.n_flushed++;
	kernel.flushed = fd;
}

static int setup(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	return gpu_rig_setup_udmabuf(state);
}

static unsigned count_fds(void)
{
	g_autoptr(GArray) fds = fd_list();

	return fds->len;
}

static const struct dmabuf *shown(unsigned scanout)
{
	return &gpu_rig.display.dmabufs[scanout];
}

static void check_shown_as_pixels(void)
{
	assert_int_equal(shown(0)->n_planes, 0);
	assert_non_null(gpu_rig.display.sources[0]);
}

static void a_blob_is_shown_as_a_dma_buf_of_its_pages(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_int_equal(kernel.n, 1);
	assert_int_equal(kernel.count, 1);
	assert_true(kernel.is_guest_memory);
	assert_int_equal(kernel.first.offset, DATA_AT);
	assert_int_equal(kernel.first.size, SIZE);
	assert_int_equal(shown(0)->n_planes, 1);
	assert_int_equal(shown(0)->width, W);
	assert_int_equal(shown(0)->height, H);
	assert_int_equal(shown(0)->stride[0], W * 4);
	assert_int_equal(shown(0)->fourcc, DRM_FORMAT_XRGB8888);
	assert_int_equal(shown(0)->modifier, DRM_FORMAT_MOD_LINEAR);
}

static void each_flush_writes_the_caches_back_and_waits_for_the_display(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	for (unsigned i = 1; i <= 3; i++) {
		gpu_guest_offer_flush(1, 1, 0, 0);
		gpu_guest_kick(QUEUE_CONTROL);
		assert_int_equal(kernel.n_flushed, i);
		assert_int_equal(kernel.flushed, shown(0)->fd);
		assert_int_equal(gpu_rig.display.n_requests, 1);
		fake_display_answer(&gpu_rig.display, 0, NULL);
		gpu_rig_turn();
		assert_int_equal(gpu_guest_reply(QUEUE_CONTROL, 1)->type, OK);
	}
	assert_int_equal(gpu_rig.display.n_damages, 0);
}

/* It may read pages from swap, and the watchdog needs the lock meanwhile. */
static void the_kernel_is_called_without_the_state_lock(void **state)
{
	static struct state_lock lock; /* the teardown uses it if the test fails */

	(void)state;
	state_lock_init(&lock); /* and takes it */
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	gpu_rig.renderer.base.lock = &lock;
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_true(kernel.was_lock_free);
	assert_false(state_lock_take_within(&lock, 0));
	gpu_rig.renderer.base.lock = NULL;
	state_lock_finish(&lock);
}

/* The kernel writes zeros to the pages of a picture that were never written. */
static void many_new_dma_bufs_end_a_turn(void **state)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);
	struct virtio_gpu_set_scanout request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
		.r = { .width = W, .height = H },
	};

	(void)state;
	gpu_rig.renderer.has_dmabufs = gpu_rig.renderer.draws_in_memory = true;
	for (unsigned large = 0; large < 2; large++) {
		gpu_rig.renderer.dmabuf_height = large ? 1 << 16 : 0;
		for (unsigned slot = 1; slot <= 8; slot++) {
			request.resource_id = 8 * large + slot;
			assert_int_equal(gpu_guest_create_2d(request.resource_id, W, H), OK);
		}
		for (unsigned slot = 1; slot <= 8; slot++) {
			request.resource_id = 8 * large + slot;
			request.scanout_id = slot;
			gpu_guest_offer(0, slot, &request, sizeof(request));
		}
		backend->ops->queue_kicked(backend, 0);
		assert_int_equal(!!gpu_rig.device->queues[0].again.loop, large);
		gpu_rig_turn();
	}
}

static void a_kernel_that_refuses_leaves_pixels(void **state)
{
	(void)state;
	kernel.error = -EINVAL;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_int_equal(kernel.n, 1);
	check_shown_as_pixels();
	assert_int_equal(gpu_rig.device->n_dmabufs, 0);
}

static void a_display_without_dma_bufs_leaves_pixels(void **state)
{
	(void)state;
	gpu_rig.display.shows_dmabufs = false;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_int_equal(kernel.n, 0);
	check_shown_as_pixels();
}

/* Only a later transfer changes the host copy of a 2D resource, so the guest need not wait until
 * the display has read it. */
static void a_flush_of_a_2d_resource_is_answered_at_once(void **state)
{
	(void)state;
	gpu_rig.renderer.has_dmabufs = gpu_rig.renderer.draws_in_memory = true;
	assert_int_equal(gpu_guest_create_2d(1, W, H), OK);
	assert_int_equal(gpu_guest_set_scanout(0, 1, W, H), OK);
	assert_int_equal(shown(0)->n_planes, 1);
	gpu_guest_offer_flush(1, 1, 0, 0);
	gpu_guest_kick(QUEUE_CONTROL);
	assert_int_equal(gpu_guest_reply(QUEUE_CONTROL, 1)->type, OK);
	assert_int_equal(gpu_rig.display.n_requests, 0);
	assert_int_equal(gpu_rig.display.n_damages, 1);
	assert_int_equal(kernel.n_flushed, 1);
}

static void rows_at_a_stride_that_gpus_cannot_read_are_shown_as_pixels(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W - 1, H), OK);
	assert_int_equal(kernel.n, 0);
	check_shown_as_pixels();
}

/* What the kernel keeps for a dma-buf is charged to the guest until the dma-buf is closed. */
static void a_dma_buf_is_charged_and_released(void **state)
{
	const unsigned fds = count_fds();
	uint64_t used;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
		used = gpu_rig.device->hostmem.used;
		assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
		/* A guest can give its pages back to the host while the dma-buf keeps them. */
		assert_true(gpu_rig.device->hostmem.used >= used + W * H * 4);
		assert_int_equal(count_fds(), fds + 1);
		if (i == 1)
			gpu_rig_reset_device();
		else
			assert_int_equal(gpu_guest_unref(1), OK);
		assert_int_equal(gpu_rig.device->hostmem.used, 0);
		assert_int_equal(count_fds(), fds);
	}
}

static void without_room_in_hostmem_no_dma_buf_is_made(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	gpu_rig.device->hostmem.max = gpu_rig.device->hostmem.used;
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_int_equal(kernel.n, 0);
	check_shown_as_pixels();
}

static void detached_memory_is_shown_no_longer(void **state)
{
	const unsigned fds = count_fds();

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	assert_int_equal(gpu_guest_detach(1), OK);
	check_shown_as_pixels();
	assert_int_equal(count_fds(), fds);
}

/* Another region comes, and goes. */
static void when_memory_changes_the_dma_buf_is_made_anew(void **state)
{
	const struct vhost_user_mem_reg other = { 0,
						  { GPA + MEM_SIZE, 0x1000, USER + MEM_SIZE, 0 } };
	const unsigned fds = count_fds();

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	gpu_rig_tell(VHOST_USER_ADD_MEM_REG, &other, sizeof(other), gpu_rig.memory_fd);
	assert_int_equal(kernel.n, 2);
	assert_int_equal(shown(0)->n_planes, 1);
	gpu_rig_tell(VHOST_USER_REM_MEM_REG, &other, sizeof(other), -1);
	assert_int_equal(kernel.n, 3);
	assert_int_equal(count_fds(), fds + 1);
}

static void a_dma_buf_of_memory_that_is_gone_is_closed(void **state)
{
	const unsigned fds = count_fds();

	(void)state;
	assert_int_equal(gpu_guest_create_blob(1, GPA + DATA_AT, SIZE), OK);
	assert_int_equal(gpu_guest_show_blob(1, W, H), OK);
	gpu_rig_tell_memory(VHOST_USER_REM_MEM_REG);
	check_shown_as_pixels();
	assert_int_equal(count_fds(), fds - 1); /* the region's own was closed too */
	gpu_rig_tell_memory(VHOST_USER_ADD_MEM_REG);
}

#define UDMABUF_TEST(f) cmocka_unit_test_setup_teardown(f, setup, gpu_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDMABUF_TEST(a_blob_is_shown_as_a_dma_buf_of_its_pages),
		UDMABUF_TEST(each_flush_writes_the_caches_back_and_waits_for_the_display),
		UDMABUF_TEST(the_kernel_is_called_without_the_state_lock),
		UDMABUF_TEST(many_new_dma_bufs_end_a_turn),
		UDMABUF_TEST(a_kernel_that_refuses_leaves_pixels),
		UDMABUF_TEST(a_display_without_dma_bufs_leaves_pixels),
		UDMABUF_TEST(a_flush_of_a_2d_resource_is_answered_at_once),
		UDMABUF_TEST(rows_at_a_stride_that_gpus_cannot_read_are_shown_as_pixels),
		UDMABUF_TEST(a_dma_buf_is_charged_and_released),
		UDMABUF_TEST(without_room_in_hostmem_no_dma_buf_is_made),
		UDMABUF_TEST(detached_memory_is_shown_no_longer),
		UDMABUF_TEST(when_memory_changes_the_dma_buf_is_made_anew),
		UDMABUF_TEST(a_dma_buf_of_memory_that_is_gone_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
