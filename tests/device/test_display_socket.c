// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display socket when it is slow, wrong or closed. QEMU reads it on its main loop, under its
 * big lock. A daemon that waits for room in this socket stops serving the vhost-user socket, and a
 * guest that then reads its configuration stops the whole VM.
 */
#include "fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Far larger than a socket's buffer. */
#define FRAME_WIDTH  1024u
#define FRAME_HEIGHT 768u
#define FRAME_BYTES  (FRAME_WIDTH * FRAME_HEIGHT * 4)
#define FRAME        gpu_rect(0, 0, FRAME_WIDTH, FRAME_HEIGHT)

static struct image new_frame(struct vmm *vmm, uint32_t id)
{
	struct image i = image_new(vmm, id, BGRX, FRAME_WIDTH, FRAME_HEIGHT);

	image_fill(&i, id);
	assert_ok(image_transfer(vmm, &i, FRAME));
	return i;
}

static struct image shown(struct vmm *vmm, uint32_t id)
{
	struct image i = new_frame(vmm, id);

	assert_ok(gpu_set_scanout(vmm, 0, id, FRAME));
	assert_ok(gpu_flush(vmm, id, FRAME));
	image_wait_shown(vmm, &i, 0, FRAME);
	return i;
}

static void draw(struct vmm *vmm, struct image *i, uint32_t seed)
{
	image_fill(i, seed);
	assert_ok(image_transfer(vmm, i, FRAME));
	assert_ok(gpu_flush(vmm, i->id, FRAME));
}

/* The display has stopped reading, with a part of a frame in its socket. */
static void get_stuck(struct vmm *vmm, struct image *i)
{
	vmm->display.is_paused = true;
	draw(vmm, i, 1000);
	assert_session_alive(vmm);
}

static void go_on(struct vmm *vmm)
{
	vmm->display.is_paused = false;
}

/* ---- one message for one frame ---- */

/* QEMU may show its window, or take a screenshot, between two messages: a frame in several would be
 * torn. */
static void a_flush_of_a_whole_screen_is_one_update(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 1280, 800);

	image_fill(&i, 6);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	display_forget(&vmm->display);
	image_fill(&i, 7);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 1);

	/* A rectangle with short rows: they are copied before they are sent, at most 200 KiB (a
	 * band) at once. Together they have 320000 bytes, so that takes two bands. */
	struct virtio_gpu_rect narrow = gpu_rect(3, 0, 100, 800);

	for (uint32_t y = 0; y < 800; y++)
		memset(i.bytes + (y * 1280 + 3) * 4, (int)y, 400);
	assert_ok(image_transfer(vmm, &i, narrow));
	assert_ok(gpu_flush(vmm, 1, narrow));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 2);
}

/* ---- a display that does not read ---- */

static void commands_go_on_while_a_frame_is_stuck(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);
	int64_t start;

	get_stuck(vmm, &i);
	start = vmm_now_ms();
	for (uint32_t k = 0; k < 30; k++)
		draw(vmm, &i, k);
	for (uint32_t id = 100; id < 200; id++)
		assert_ok(gpu_create_2d(vmm, id, BGRX, 64, 64));
	assert_ok(gpu_move_cursor(vmm, 0, 1, 1, 0));
	/* Far less than the seconds that a blocked daemon would take. */
	assert_true(vmm_now_ms() - start < vmm->timeout_ms / 2);
	go_on(vmm);
	image_wait_shown(vmm, &i, 0, FRAME);
}

static void the_session_is_served_while_a_frame_is_stuck(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);
	unsigned n_slow = 0;

	get_stuck(vmm, &i);
	for (unsigned k = 0; k < 1000; k++) {
		int64_t start = vmm_now_ms();

		assert_session_alive(vmm);
		n_slow += vmm_now_ms() - start >= 500;
		/* A busy machine is slow now and then, a blocked daemon every time. */
		assert_true(n_slow < 10);
	}
	assert_int_equal(vhost_get_u64(vmm, VHOST_USER_GET_QUEUE_NUM), 2);
	go_on(vmm);
	image_wait_shown(vmm, &i, 0, FRAME);
}

static void unread_frames_are_merged(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);
	uint64_t before;

	get_stuck(vmm, &i);
	before = vmm->display.bytes;
	for (uint32_t k = 0; k < 20; k++)
		draw(vmm, &i, k);
	go_on(vmm);
	image_wait_shown(vmm, &i, 0, FRAME);
	assert_alive(vmm);
	/* Not twenty frames, but the stuck one, the last one, and the rest of a frame that was half
	 * read when the display stopped reading (if one was). */
	assert_true(vmm->display.bytes - before < 3ull * FRAME_BYTES);
}

static void a_slow_display_sees_the_last_frame(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);

	for (uint32_t k = 0; k < 40; k++) {
		vmm->display.is_paused = k % 3 != 0;
		draw(vmm, &i, k);
	}
	go_on(vmm);
	image_wait_shown(vmm, &i, 0, FRAME);
}

/* ---- the scanout changes under a stuck frame ---- */

static void the_scanout_can_change_while_a_frame_is_stuck(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1), other = image_new(vmm, 2, BGRX, 800, 600);

	image_fill(&other, 2);
	assert_ok(image_transfer(vmm, &other, image_rect(&other)));
	get_stuck(vmm, &i);
	assert_ok(gpu_set_scanout(vmm, 0, 2, gpu_rect(0, 0, 400, 300)));
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	assert_ok(gpu_set_scanout(vmm, 0, 2, image_rect(&other)));
	assert_ok(gpu_flush(vmm, 2, image_rect(&other)));
	go_on(vmm);
	image_wait_shown(vmm, &other, 0, image_rect(&other));
}

static void the_resource_can_be_destroyed_while_its_frame_is_stuck(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);

	for (unsigned k = 0; k < 3; k++) {
		get_stuck(vmm, &i);
		assert_ok(gpu_unref(vmm, 1));
		memset(i.bytes, 0xff, FRAME_BYTES);
		i = new_frame(vmm, 1);
		go_on(vmm);
		assert_alive(vmm);
		assert_int_equal(vmm->display.surfaces[0].width, 0);
		assert_ok(gpu_set_scanout(vmm, 0, 1, FRAME));
		image_wait_shown(vmm, &i, 0, FRAME);
	}
}

static void the_backing_can_be_detached_while_the_frame_is_stuck(void **state)
{
	struct vmm *vmm = *state;
	unsigned hot = memory_add(&vmm->memory, 0x200000000ull, 16 << 20, 0);
	struct image i = {
		1, BGRX, FRAME_WIDTH, FRAME_HEIGHT, 0x200000000ull, vmm->memory.regions[hot].host
	};
	struct virtio_gpu_mem_entry e = { i.gpa, FRAME_BYTES, 0 };

	vhost_add_region(vmm, hot);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, FRAME_WIDTH, FRAME_HEIGHT));
	assert_ok(gpu_attach(vmm, 1, &e, 1));
	assert_ok(gpu_set_scanout(vmm, 0, 1, FRAME));
	draw(vmm, &i, 5);
	image_wait_shown(vmm, &i, 0, FRAME);
	get_stuck(vmm, &i);
	assert_ok(gpu_detach(vmm, 1));
	vhost_remove_region(vmm, hot);
	go_on(vmm);
	image_wait_shown(vmm, &i, 0, FRAME);
}

/* ---- a display that hangs up, or is replaced ---- */

static void a_display_that_hangs_up_does_no_harm(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);

	for (unsigned k = 0; k < 5; k++) {
		get_stuck(vmm, &i);
		display_close(&vmm->display);
		draw(vmm, &i, k);
		assert_ok(gpu_move_cursor(vmm, 0, k, k, 0));
		assert_session_alive(vmm);
		vmm->display.is_paused = false;
		vmm_open_display(vmm);
		image_wait_shown(vmm, &i, 0, FRAME);
	}
}

static void a_second_socket_replaces_the_first(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);
	unsigned fds = daemon_count_fds(&vmm->daemon);

	for (unsigned k = 0; k < 10; k++) {
		int old = dup(vmm->display.fd);
		uint8_t buffer[65536];
		ssize_t n;

		display_forget(&vmm->display);
		vmm_open_display(vmm);
		image_wait_shown(vmm, &i, 0, FRAME);
		assert_int_equal(vmm->display.log[0].request, DISPLAY_GET_PROTOCOL_FEATURES);
		draw(vmm, &i, k);
		image_wait_shown(vmm, &i, 0, FRAME);
		/* The daemon has closed the old socket: recv() returns what it had sent, then 0. */
		do {
			n = recv(old, buffer, sizeof(buffer), MSG_DONTWAIT);
		} while (n > 0);
		assert_int_equal(n, 0);
		close(old);
	}
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void display_requests_end_with_the_display(void **state)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vmm *vmm = *state;
	struct chain *c;

	vmm->display.on_info = NEVER;
	c = gpu_submit(vmm, CONTROL, &h, sizeof(h), sizeof(struct virtio_gpu_resp_display_info),
		       NULL, 0);
	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	display_close(&vmm->display);
	assert_response(gpu_finish(vmm, c, NULL, 0), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

static void without_a_display_everything_else_works(void **state)
{
	struct vmm_options options = { .profile = &vmm_generic };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = new_frame(vmm, 1);
	struct virtio_gpu_resp_edid edid;

	assert_ok(gpu_set_scanout(vmm, 0, 1, FRAME));
	draw(vmm, &i, 3);
	assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
	assert_alive(vmm);
	vmm_open_display(vmm); /* a late one is accepted */
	image_wait_shown(vmm, &i, 0, FRAME);
}

/* ---- a display that sends invalid messages ---- */

struct nonsense {
	const char *name;
	struct vhost_user_header header;
	uint32_t payload; /* number of bytes that really follow */
};

static const struct nonsense nonsense[] = {
	{ "an answer nobody asked for", { DISPLAY_DMABUF_UPDATE, DISPLAY_REPLY, 0 }, 0 },
	{ "display info nobody asked for", { DISPLAY_GET_DISPLAY_INFO, DISPLAY_REPLY, 408 }, 408 },
	{ "features once more", { DISPLAY_GET_PROTOCOL_FEATURES, DISPLAY_REPLY, 8 }, 8 },
	{ "an EDID that is too short", { DISPLAY_GET_EDID, DISPLAY_REPLY, 4 }, 4 },
	{ "an EDID nobody asked for", { DISPLAY_GET_EDID, DISPLAY_REPLY, 1056 }, 1056 },
	{ "a request where an answer is due", { DISPLAY_GET_DISPLAY_INFO, 0, 0 }, 0 },
	{ "an unknown answer", { 77, DISPLAY_REPLY, 4 }, 4 },
	{ "an answer of 4 GiB", { DISPLAY_GET_DISPLAY_INFO, DISPLAY_REPLY, 0xffffffff }, 4096 },
	{ "half a header", { DISPLAY_GET_DISPLAY_INFO, DISPLAY_REPLY, 408 }, 0 },
	{ "half an answer", { DISPLAY_GET_DISPLAY_INFO, DISPLAY_REPLY, 408 }, 100 },
};

static void invalid_messages_of_the_display_do_no_harm(void **state)
{
	static const uint8_t zeros[4096];
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);

	for (unsigned k = 0; k < ARRAY_LENGTH(nonsense); k++) {
		print_message("\t%s\n", nonsense[k].name);
		assert_alive(vmm);
		send(vmm->display.fd, &nonsense[k].header, sizeof(nonsense[k].header),
		     MSG_NOSIGNAL);
		send(vmm->display.fd, zeros, nonsense[k].payload, MSG_NOSIGNAL);
		/* The daemon may close the socket for that: then the next one must work. */
		assert_ok(gpu_flush(vmm, 1, FRAME));
		assert_session_alive(vmm);
		vmm_open_display(vmm);
		draw(vmm, &i, k);
		image_wait_shown(vmm, &i, 0, FRAME);
	}
}

static void flush_replies_without_a_request_are_ignored(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown(vmm, 1);

	/* QEMU's leftovers from before the reset: they come on the new socket. */
	for (unsigned k = 0; k < 3; k++)
		display_reply(&vmm->display, DISPLAY_DMABUF_UPDATE, NULL, 0);
	assert_alive(vmm);
	draw(vmm, &i, 9);
	image_wait_shown(vmm, &i, 0, FRAME);
	assert_int_equal(vmm->display.counts[DISPLAY_GET_PROTOCOL_FEATURES], 1);
}

static void an_edid_with_a_wrong_size_is_ignored(void **state)
{
	struct virtio_gpu_resp_edid edid;
	struct vmm *vmm = *state;

	for (uint32_t size = 1025; size < 0x80000000; size *= 8) {
		vmm->display.edid_size = size;
		assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
		assert_true(edid.size <= 1024);
		vmm_open_display(vmm);
		assert_alive(vmm);
	}
}

static void mute_on_features(struct vmm *vmm)
{
	vmm->display.is_silent_on_features = true;
}

static void a_display_without_a_features_reply_is_sent_pictures(void **state)
{
	struct vmm_options options = { .adjust = mute_on_features };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i;

	vmm->timeout_ms *= 2;
	i = shown(vmm, 1);
	draw(vmm, &i, 8);
	image_wait_shown(vmm, &i, 0, FRAME);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_GET_EDID], 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(a_flush_of_a_whole_screen_is_one_update),
		BOOTED_TEST(commands_go_on_while_a_frame_is_stuck),
		BOOTED_TEST(the_session_is_served_while_a_frame_is_stuck),
		BOOTED_TEST(unread_frames_are_merged),
		BOOTED_TEST(a_slow_display_sees_the_last_frame),
		BOOTED_TEST(the_scanout_can_change_while_a_frame_is_stuck),
		BOOTED_TEST(the_resource_can_be_destroyed_while_its_frame_is_stuck),
		BOOTED_TEST(the_backing_can_be_detached_while_the_frame_is_stuck),
		BOOTED_TEST(a_display_that_hangs_up_does_no_harm),
		BOOTED_TEST(a_second_socket_replaces_the_first),
		BOOTED_TEST(display_requests_end_with_the_display),
		DEVICE_TEST(without_a_display_everything_else_works),
		BOOTED_TEST(invalid_messages_of_the_display_do_no_harm),
		BOOTED_TEST(flush_replies_without_a_request_are_ignored),
		BOOTED_TEST(an_edid_with_a_wrong_size_is_ignored),
		DEVICE_TEST(a_display_without_a_features_reply_is_sent_pictures),
	};

	return cmocka_run_group_tests_name("display-socket", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
