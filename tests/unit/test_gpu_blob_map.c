// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Maps of host blobs, with a fake session: it records the maps and unmaps that gpu/blob_map.c asks
 * for, and answers when a test says so. The tests check, in each state of a map, what is asked for,
 * what the guest is told, and which commands wait.
 */
#include "gpu_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "gpu_guest.h"
#include "vhost/session.h"

#define PAGE   UINT64_C(4096)
#define WINDOW (UINT64_C(1) << 33)
#define SIZE   (2 * PAGE - 100) /* of the blobs; they take two pages */
#define CTX    1
#define BLOB   5

/* Slots of the commands that may wait. */
enum { SLOT_MAP = 1, SLOT_OTHER, SLOT_LAST };

/* The state of the fake session. */
static struct {
	struct vhost_mapping *mapping; /* the map or unmap in flight */
	int result;                    /* if negative, map and unmap return it */
	uint64_t size;
	unsigned n_maps, n_unmaps, n_forgotten;
	uint64_t memory_size;
} window;

uint64_t __wrap_vhost_session_window(const struct vhost_session *session);
int __wrap_vhost_session_map(struct vhost_session *session, struct vhost_mapping *mapping, int fd);
int __wrap_vhost_session_unmap(struct vhost_session *session, struct vhost_mapping *mapping);
void __wrap_vhost_session_forget(struct vhost_session *session, struct vhost_mapping *mapping);

uint64_t __wrap_vhost_session_window(const struct vhost_session *session)
{
	(void)session;
	return window.size;
}

int __wrap_vhost_session_map(struct vhost_session *session, struct vhost_mapping *mapping, int fd)
{
	(void)session;
	assert_true(lseek(fd, 0, SEEK_END) >= (off_t)mapping->size);
	close(fd);
	if (window.result < 0)
		return window.result;
	assert_null(window.mapping);
	window.mapping = mapping;
	window.n_maps++;
	return 0;
}

int __wrap_vhost_session_unmap(struct vhost_session *session, struct vhost_mapping *mapping)
{
	(void)session;
	if (window.result < 0)
		return window.result;
	assert_null(window.mapping);
	window.mapping = mapping;
	window.n_unmaps++;
	return 0;
}

void __wrap_vhost_session_forget(struct vhost_session *session, struct vhost_mapping *mapping)
{
	(void)session;
	if (window.mapping == mapping)
		window.mapping = NULL;
	window.n_forgotten++;
}

static void answer(int error)
{
	struct vhost_mapping *mapping = window.mapping;

	assert_non_null(mapping);
	window.mapping = NULL;
	mapping->fn(mapping, error);
	gpu_rig_turn();
}

static int new_memfd(void)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)window.memory_size), 0);
	return fd;
}

static int new_device(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static uint32_t create(uint32_t id, uint32_t flags)
{
	const struct virtio_gpu_resource_create_blob request = {
		.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = CTX },
		.resource_id = id,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.blob_flags = flags,
		.blob_id = 77,
		.size = SIZE,
	};

	return RUN(request);
}

/* A device with a context and a mappable blob in it. */
static int setup(void **state)
{
	memset(&window, 0, sizeof(window));
	window.size = WINDOW;
	window.memory_size = 2 * PAGE;
	if (gpu_rig_setup(state) < 0)
		return -1;
	gpu_rig.renderer.base.can_export_blobs = true;
	gpu_rig.renderer.export_memory = new_memfd;
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, CTX),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(create(BLOB, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	return 0;
}

static void offer_map(unsigned slot, uint64_t offset)
{
	const struct virtio_gpu_resource_map_blob request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
		.resource_id = BLOB,
		.offset = offset,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
	gpu_guest_kick(0);
}

static void offer_unmap(unsigned slot)
{
	const struct virtio_gpu_resource_unmap_blob request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
		.resource_id = BLOB,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
	gpu_guest_kick(0);
}

static void offer_unref(unsigned slot)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = BLOB,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
	gpu_guest_kick(0);
}

/* 0: not answered yet. */
static uint32_t reply_of(unsigned slot)
{
	return gpu_guest_reply(0, slot)->type;
}

static uint32_t map_at(uint64_t offset)
{
	offer_map(SLOT_MAP, offset);
	return reply_of(SLOT_MAP);
}

static void have_mapped(uint64_t offset)
{
	assert_int_equal(map_at(offset), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

/* ---- one command at a time ---- */

static void a_map_is_answered_when_it_is_in_place(void **state)
{
	(void)state;
	assert_int_equal(map_at(WINDOW - 2 * PAGE), 0);
	assert_int_equal(window.mapping->offset, WINDOW - 2 * PAGE);
	assert_int_equal(window.mapping->size, 2 * PAGE);
	answer(0);
	const struct virtio_gpu_resp_map_info *reply = (const void *)gpu_guest_reply(0, SLOT_MAP);

	assert_int_equal(reply->hdr.type, VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(reply->map_info, FAKE_RENDERER_MAP_INFO);
	offer_unmap(SLOT_OTHER);
	assert_int_equal(reply_of(SLOT_OTHER), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_maps + window.n_unmaps, 2);
}

static void a_map_that_failed_can_be_tried_again(void **state)
{
	static const int errors[] = { -EINVAL, -ETIMEDOUT, -ENOTCONN };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
		assert_int_equal(map_at(0), 0);
		answer(errors[i]);
		assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_ERR_UNSPEC);
		/* Linux's driver sends an unmap also after a map that failed. */
		offer_unmap(SLOT_OTHER);
		assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	}
	assert_int_equal(window.n_unmaps, 0);
	have_mapped(PAGE);
}

static void what_the_session_refuses_is_an_error_at_once(void **state)
{
	static const struct {
		int result;
		uint32_t reply;
	} refusals[] = {
		{ -EINVAL, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ -ENOSPC, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY },
		{ -ETIMEDOUT, VIRTIO_GPU_RESP_ERR_UNSPEC },
		{ -ENOTCONN, VIRTIO_GPU_RESP_ERR_UNSPEC },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
		window.result = refusals[i].result;
		assert_int_equal(map_at(0), refusals[i].reply);
	}
	window.result = 0;
	have_mapped(0);
}

static void places_outside_of_the_window_are_not_asked_for(void **state)
{
	static const uint64_t offsets[] = { 1,      PAGE - 1,          WINDOW - PAGE,
					    WINDOW, UINT64_MAX - 4095, UINT64_C(1) << 63 };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++)
		assert_int_equal(map_at(offsets[i]), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	window.size = PAGE; /* smaller than the blob */
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	window.size = 0;
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(window.n_maps, 0);
}

static void only_mappable_host_blobs_are_mapped(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_unref(BLOB), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	offer_unmap(SLOT_OTHER);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(create(BLOB, 0), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(gpu_guest_unref(BLOB), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_blob(BLOB, GPA + DATA_AT, SIZE),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	offer_unmap(SLOT_OTHER);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(gpu_rig.renderer.n_exported, 0);
}

static void only_a_memfd_or_dma_buf_as_large_as_the_blob_is_handed_on(void **state)
{
	(void)state;
	window.memory_size = 2 * PAGE - 1;
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	window.memory_size = 2 * PAGE;
	gpu_rig.renderer.export_memory = new_device;
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_rig.renderer.export_memory = NULL;
	assert_int_equal(map_at(0), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(window.n_maps, 0);
	gpu_rig.renderer.export_memory = new_memfd;
	have_mapped(0);
}

static void a_blob_is_mapped_once(void **state)
{
	(void)state;
	have_mapped(PAGE);
	assert_int_equal(map_at(PAGE), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(map_at(4 * PAGE), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(window.n_maps, 1);
}

static void a_map_outlives_its_context(void **state)
{
	(void)state;
	have_mapped(0);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_DESTROY, CTX),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_unmaps + window.n_forgotten, 0);
	offer_unref(SLOT_OTHER);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
}

static void without_a_channel_an_unmap_is_done_at_once(void **state)
{
	(void)state;
	have_mapped(0);
	window.result = -ENOTCONN;
	offer_unmap(SLOT_OTHER);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	window.result = 0;
	have_mapped(4 * PAGE);
}

/* ---- commands that wait for another one's map ---- */

static void an_unmap_waits_for_the_map_before_it(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unmap(SLOT_OTHER);
	assert_int_equal(window.n_unmaps, 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(reply_of(SLOT_OTHER), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_unmaps, 1);
}

static void a_second_map_waits_for_the_first(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_map(SLOT_OTHER, 0);
	offer_map(SLOT_LAST, 4 * PAGE);
	assert_int_equal(reply_of(SLOT_OTHER) | reply_of(SLOT_LAST), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(reply_of(SLOT_LAST), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(window.n_maps, 1);
}

static void a_map_waits_for_the_unmap_before_it(void **state)
{
	(void)state;
	have_mapped(0);
	offer_unmap(SLOT_OTHER);
	offer_map(SLOT_LAST, 4 * PAGE);
	assert_int_equal(window.n_maps, 1);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.mapping->offset, 4 * PAGE);
	answer(0);
	assert_int_equal(reply_of(SLOT_LAST), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void a_blob_is_freed_when_it_is_unmapped(void **state)
{
	(void)state;
	have_mapped(0);
	offer_unref(SLOT_OTHER);
	assert_int_equal(gpu_rig.renderer.n_resources, 1);
	assert_int_equal(window.n_unmaps, 1);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

static void a_blob_is_freed_though_its_unmap_failed(void **state)
{
	(void)state;
	have_mapped(0);
	offer_unref(SLOT_OTHER);
	answer(-ETIMEDOUT);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

static void a_blob_whose_map_is_in_flight_is_unmapped_and_freed(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unref(SLOT_OTHER);
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(gpu_rig.renderer.n_resources, 1);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

static void a_blob_whose_map_fails_is_freed_without_an_unmap(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unref(SLOT_OTHER);
	answer(-EINVAL);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_unmaps, 0);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

/* ---- stops and resets ---- */

static void a_map_answered_while_stopped_is_found_in_place(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	gpu_rig_stop();
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), 0);
	gpu_rig_cont();
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(window.n_maps, 1);
}

static void a_map_refused_while_stopped_is_tried_again(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	gpu_rig_stop();
	answer(-ETIMEDOUT);
	gpu_rig_cont();
	assert_int_equal(reply_of(SLOT_MAP), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(window.n_maps, 2);
}

static void commands_keep_their_order_if_the_map_before_them_is_answered_while_stopped(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unmap(SLOT_OTHER);
	gpu_rig_stop();
	answer(0);
	gpu_rig_cont();
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(window.n_unmaps, 1);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_maps, 1);
	assert_null(window.mapping);
}

static void a_blob_is_freed_after_its_map_that_was_refused_while_stopped(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unref(SLOT_OTHER);
	gpu_rig_stop();
	answer(-EINVAL);
	gpu_rig_cont();
	assert_int_equal(reply_of(SLOT_MAP) | reply_of(SLOT_OTHER), 0);
	answer(0); /* the map is tried again */
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(reply_of(SLOT_OTHER), 0);
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

static void an_unmap_answered_while_stopped_is_done(void **state)
{
	(void)state;
	have_mapped(0);
	offer_unmap(SLOT_OTHER);
	gpu_rig_stop();
	answer(0);
	assert_int_equal(reply_of(SLOT_OTHER), 0);
	gpu_rig_cont();
	assert_int_equal(reply_of(SLOT_OTHER), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(window.n_unmaps, 1);
}

static void a_map_answered_after_cont_answers_its_command(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	gpu_rig_stop();
	gpu_rig_cont();
	assert_int_equal(window.n_maps, 1);
	answer(0);
	assert_int_equal(reply_of(SLOT_MAP), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

/* At a reset the front-end drops all maps by itself, so none is unmapped. They are forgotten,
 * because an answer that comes later must not be taken for one to the next guest. */
static void a_reset_forgets_a_map_in_each_state(void **state)
{
	for (unsigned in_flight = 0; in_flight < 3; in_flight++) {
		if (in_flight == 1) {
			assert_int_equal(map_at(0), 0);
			offer_unref(SLOT_OTHER);
		} else {
			have_mapped(0);
		}
		if (in_flight == 2)
			offer_unmap(SLOT_OTHER);
		const unsigned n_unmaps = window.n_unmaps;

		gpu_rig_reset_device();
		assert_int_equal(window.n_forgotten, in_flight + 1);
		assert_int_equal(window.n_unmaps, n_unmaps);
		assert_null(window.mapping);
		assert_int_equal(gpu_rig.renderer.n_resources, 0);
		assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, CTX),
				 VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(create(BLOB, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
				 VIRTIO_GPU_RESP_OK_NODATA);
	}
	(void)state;
}

static void the_end_of_the_session_forgets_a_map_in_flight(void **state)
{
	(void)state;
	assert_int_equal(map_at(0), 0);
	offer_unmap(SLOT_OTHER);
	gpu_rig_close_session();
	assert_int_equal(window.n_forgotten, 1);
	assert_null(window.mapping);
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, gpu_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_map_is_answered_when_it_is_in_place),
		TEST(a_map_that_failed_can_be_tried_again),
		TEST(what_the_session_refuses_is_an_error_at_once),
		TEST(places_outside_of_the_window_are_not_asked_for),
		TEST(only_mappable_host_blobs_are_mapped),
		TEST(only_a_memfd_or_dma_buf_as_large_as_the_blob_is_handed_on),
		TEST(a_blob_is_mapped_once),
		TEST(a_map_outlives_its_context),
		TEST(without_a_channel_an_unmap_is_done_at_once),
		TEST(an_unmap_waits_for_the_map_before_it),
		TEST(a_second_map_waits_for_the_first),
		TEST(a_map_waits_for_the_unmap_before_it),
		TEST(a_blob_is_freed_when_it_is_unmapped),
		TEST(a_blob_is_freed_though_its_unmap_failed),
		TEST(a_blob_whose_map_is_in_flight_is_unmapped_and_freed),
		TEST(a_blob_whose_map_fails_is_freed_without_an_unmap),
		TEST(a_map_answered_while_stopped_is_found_in_place),
		TEST(a_map_refused_while_stopped_is_tried_again),
		TEST(commands_keep_their_order_if_the_map_before_them_is_answered_while_stopped),
		TEST(a_blob_is_freed_after_its_map_that_was_refused_while_stopped),
		TEST(an_unmap_answered_while_stopped_is_done),
		TEST(a_map_answered_after_cont_answers_its_command),
		TEST(a_reset_forgets_a_map_in_each_state),
		TEST(the_end_of_the_session_forgets_a_map_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
