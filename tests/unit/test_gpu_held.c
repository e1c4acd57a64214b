// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands that wait for the display, in every state in which something can happen to them: the
 * queue stops, the reply comes while it is stopped, the device is reset, the front-end disconnects,
 * their resource is freed or replaced.
 */
#include "gpu_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "gpu_guest.h"
#include "vhost/vhost_user.h"

static void offer_info(unsigned slot)
{
	const struct virtio_gpu_ctrl_hdr request = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };

	gpu_guest_offer(0, slot, &request, sizeof(request));
}

static void offer_edid(unsigned slot, uint32_t scanout)
{
	const struct virtio_gpu_cmd_get_edid request = {
		.hdr.type = VIRTIO_GPU_CMD_GET_EDID,
		.scanout = scanout,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
}

/* The width of output 0 in the response to GET_DISPLAY_INFO. */
static uint32_t width_of(unsigned slot)
{
	const struct virtio_gpu_resp_display_info *info = (const void *)gpu_guest_reply(0, slot);

	assert_int_equal(info->hdr.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	return info->pmodes[0].r.width;
}

static const struct display_info wide = { .outputs[0] = { .rect = { 0, 0, 1920, 1080 } } };

/* Shows resource 1 as a dma-buf on the outputs of the mask. */
static void show_dmabuf(uint32_t outputs)
{
	gpu_rig.renderer.has_dmabufs = gpu_rig.display.shows_dmabufs = true;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (outputs >> i & 1)
			assert_int_equal(gpu_guest_set_scanout(i, 1, 64, 64),
					 VIRTIO_GPU_RESP_OK_NODATA);
}

static void commands_are_answered_when_the_display_replies(void **state)
{
	struct display_edid edid = { .size = 256 };

	(void)state;
	memset(edid.data, 0x5a, edid.size);
	offer_info(1);
	offer_edid(2, 15);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_used(0)->idx, 0);
	assert_int_equal(gpu_rig.display.n_requests, 2);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(width_of(1), 1920);
	fake_display_answer(&gpu_rig.display, 0, &edid);
	const struct virtio_gpu_resp_edid *reply = (const void *)gpu_guest_reply(0, 2);

	assert_int_equal(reply->hdr.type, VIRTIO_GPU_RESP_OK_EDID);
	assert_int_equal(reply->size, 256);
	assert_int_equal(reply->edid[255], 0x5a);
	assert_int_equal(gpu_guest_used(0)->idx, 2);
}

static void a_failed_display_request_returns_the_last_known_values(void **state)
{
	(void)state;
	offer_info(1);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, -ETIMEDOUT, NULL);
	assert_int_equal(width_of(1), 1280);
	offer_info(2);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	offer_info(3);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, -ENOTCONN, NULL);
	assert_int_equal(width_of(3), 1920);
}

static void a_display_reply_while_stopped_makes_the_command_ask_again(void **state)
{
	(void)state;
	offer_info(1);
	gpu_guest_kick(0);
	gpu_rig_stop();
	fake_display_answer(&gpu_rig.display, -ENOTCONN, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, 0);
	gpu_rig_cont();
	assert_int_equal(gpu_rig.display.n_requests, 1);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(gpu_guest_used(0)->idx, 1);
	assert_int_equal(width_of(1), 1920);
}

static void a_display_reply_after_cont_answers_the_command(void **state)
{
	(void)state;
	offer_info(1);
	gpu_guest_kick(0);
	gpu_rig_stop();
	gpu_rig_cont();
	assert_int_equal(gpu_rig.display.n_requests, 1);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(gpu_guest_used(0)->idx, 1);
	assert_int_equal(width_of(1), 1920);
}

static void a_new_display_socket_ends_the_display_requests_of_a_stopped_guest(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	offer_info(1);
	offer_edid(2, 0);
	gpu_guest_kick(0);
	gpu_rig_stop();
	gpu_rig_tell(VHOST_USER_GPU_SET_SOCKET, NULL, 0, fd);
	fd_close(&fd);
	assert_int_equal(gpu_rig.display.n_requests, 0);
	gpu_rig_cont();
	assert_int_equal(gpu_rig.display.n_requests, 2);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	fake_display_answer(&gpu_rig.display, -ENOTSUP, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, 2);
	assert_int_equal(gpu_guest_reply(0, 2)->type, VIRTIO_GPU_RESP_OK_EDID);
}

static void a_reset_drops_display_requests(void **state)
{
	(void)state;
	offer_info(1);
	offer_info(2);
	gpu_guest_kick(0);
	gpu_rig_stop();
	fake_display_answer(&gpu_rig.display, -ENOTCONN, NULL); /* to run again */
	assert_int_equal(gpu_rig.display.n_requests, 1);
	gpu_rig_reset_device();
	assert_int_equal(gpu_rig.display.n_requests, 0);
	assert_int_equal(gpu_guest_used(0)->idx, 0);
	offer_info(3);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(gpu_guest_used(0)->idx, 1);
}

static void a_disconnect_drops_display_requests(void **state)
{
	(void)state;
	show_dmabuf(1);
	offer_info(1);
	gpu_guest_offer_flush(2, 1, 0, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.display.n_requests, 2);
	gpu_rig_close_session();
	assert_int_equal(gpu_rig.display.n_requests, 0);
}

/* A hostile guest can do this: each copy is a command of its own, and each is returned. */
static void a_chain_that_is_made_available_twice_is_returned_twice(void **state)
{
	(void)state;
	offer_info(1);
	gpu_guest_offer_head(0, 3);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.display.n_requests, 2);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	fake_display_answer(&gpu_rig.display, -ENOTSUP, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, 2);
}

static void a_chain_that_is_invalid_when_the_reply_comes_does_no_harm(void **state)
{
	(void)state;
	offer_info(1);
	offer_info(2);
	gpu_guest_kick(0);
	gpu_guest_descriptors(0)[4].addr = 0;
	gpu_guest_descriptors(0)[6].next = 6;
	fake_display_answer(&gpu_rig.display, 0, &wide);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(gpu_guest_used(0)->idx, 2);
	assert_int_equal(gpu_guest_used(0)->ring[0].len, 0);
	assert_int_equal(gpu_guest_used(0)->ring[1].len, 0);
}

static void memory_removed_during_a_display_request_stops_only_the_ring(void **state)
{
	(void)state;
	offer_info(1);
	gpu_guest_kick(0);
	gpu_rig_tell_memory(VHOST_USER_REM_MEM_REG);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	gpu_rig_stop();
	gpu_rig_tell_memory(VHOST_USER_ADD_MEM_REG);
	gpu_rig_reset_device();
	offer_info(1);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, 0, &wide);
	assert_int_equal(width_of(1), 1920);
}

static void a_flush_waits_for_one_output_after_the_other(void **state)
{
	(void)state;
	show_dmabuf(1 << 0 | 1 << 15);
	uint16_t before = gpu_guest_used(0)->idx;

	gpu_guest_offer_flush(1, 1, 0, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.display.n_requests, 1);
	assert_int_equal(gpu_rig.display.requests->display, &gpu_rig.display.base);
	fake_display_answer(&gpu_rig.display, 0, NULL);
	assert_int_equal(gpu_rig.display.n_requests, 1);
	assert_int_equal(gpu_guest_used(0)->idx, before);
	fake_display_answer(&gpu_rig.display, -ETIMEDOUT, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, (uint16_t)(before + 1));
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_flush_waits_for_no_other_output_after_a_late_one(void **state)
{
	(void)state;
	show_dmabuf(1 << 0 | 1 << 7 | 1 << 15);
	uint16_t before = gpu_guest_used(0)->idx;
	unsigned damages = gpu_rig.display.n_damages;

	gpu_guest_offer_flush(1, 1, 0, 0);
	gpu_guest_kick(0);
	fake_display_answer(&gpu_rig.display, -ETIMEDOUT, NULL);
	assert_int_equal(gpu_rig.display.n_requests, 0);
	assert_int_equal(gpu_rig.display.n_damages, damages + 2);
	assert_int_equal(gpu_guest_used(0)->idx, (uint16_t)(before + 1));
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_flush_outlives_its_resource(void **state)
{
	(void)state;
	show_dmabuf(1 << 0 | 1 << 1);
	gpu_guest_offer_flush(1, 1, 0, 0);
	gpu_guest_offer_flush(2, 1, 0, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	uint16_t before = gpu_guest_used(0)->idx;

	/* Another resource, which is shown as pixels, has replaced it. */
	gpu_rig.display.shows_dmabufs = false;
	assert_int_equal(gpu_guest_create_2d(1, 32, 32), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(1, 1, 32, 32), VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_answer(&gpu_rig.display, 0, NULL);
	fake_display_answer(&gpu_rig.display, 0, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, (uint16_t)(before + 4));
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_reply(0, 2)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_flush_with_a_fence_waits_for_both(void **state)
{
	(void)state;
	show_dmabuf(1);
	uint16_t before = gpu_guest_used(0)->idx;

	gpu_guest_offer_flush(1, 1, VIRTIO_GPU_FLAG_FENCE, 9);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.renderer.n_fences, 0);
	fake_display_answer(&gpu_rig.display, 0, NULL);
	assert_int_equal(gpu_rig.renderer.n_fences, 1);
	assert_int_equal(gpu_guest_used(0)->idx, before);
	gpu_rig_pass_fence(0);
	assert_int_equal(gpu_guest_used(0)->idx, (uint16_t)(before + 1));
	assert_int_equal(gpu_guest_reply(0, 1)->fence_id, 9);
}

static void a_flush_that_ends_while_stopped_is_sent_again(void **state)
{
	(void)state;
	show_dmabuf(1);
	uint16_t before = gpu_guest_used(0)->idx;

	gpu_guest_offer_flush(1, 1, 0, 0);
	gpu_guest_kick(0);
	gpu_rig_stop();
	fake_display_answer(&gpu_rig.display, -ENOTCONN, NULL);
	gpu_rig_cont();
	assert_int_equal(gpu_rig.display.n_requests, 1);
	fake_display_answer(&gpu_rig.display, 0, NULL);
	assert_int_equal(gpu_guest_used(0)->idx, (uint16_t)(before + 1));
}

/* What the device logs when the front-end passes a display socket; heap. */
static char *log_of_a_socket(int error)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);
	auto_fd log = memfd_create("log", MFD_CLOEXEC), usual = dup(STDERR_FILENO);
	char *text = calloc(1, 1024);

	gpu_rig.display.socket_error = error;
	dup2(log, STDERR_FILENO);
	backend->ops->gpu_socket(backend, eventfd(0, EFD_CLOEXEC));
	dup2(usual, STDERR_FILENO);
	assert_true(pread(log, text, 1023, 0) >= 0);
	return text;
}

static void a_display_socket_that_cannot_be_used_is_logged(void **state)
{
	(void)state;
	char *without = log_of_a_socket(-ENOTSUP), *with = log_of_a_socket(-ENOSPC);

	assert_string_equal(without, "");
	assert_non_null(strstr(with, "error device: cannot use the display socket"));
	free(without);
	free(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gpu_rig_setup, gpu_rig_teardown)
		TEST(commands_are_answered_when_the_display_replies),
		TEST(a_failed_display_request_returns_the_last_known_values),
		TEST(a_display_reply_while_stopped_makes_the_command_ask_again),
		TEST(a_display_reply_after_cont_answers_the_command),
		TEST(a_new_display_socket_ends_the_display_requests_of_a_stopped_guest),
		TEST(a_reset_drops_display_requests),
		TEST(a_disconnect_drops_display_requests),
		TEST(a_chain_that_is_made_available_twice_is_returned_twice),
		TEST(a_chain_that_is_invalid_when_the_reply_comes_does_no_harm),
		TEST(memory_removed_during_a_display_request_stops_only_the_ring),
		TEST(a_flush_waits_for_one_output_after_the_other),
		TEST(a_flush_waits_for_no_other_output_after_a_late_one),
		TEST(a_flush_outlives_its_resource),
		TEST(a_flush_with_a_fence_waits_for_both),
		TEST(a_flush_that_ends_while_stopped_is_sent_again),
		TEST(a_display_socket_that_cannot_be_used_is_logged),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
