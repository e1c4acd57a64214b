// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Displays at the other end of the socket that send invalid messages, hang up, do not reply or
 * reply late; and the headless display.
 */
#include "socket_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "display/headless.h"

#define HOUR_MS 3600000

/* Sets the request's deadline to the past and fires the timer. */
static void let_time_out(struct socket_ask *ask)
{
	ask->request.deadline = 1;
	socket_request_expire(&socket_rig_display()->timer);
}

static void let_features_time_out(void)
{
	socket_rig_display()->protocol_deadline = 1;
	socket_request_expire(&socket_rig_display()->timer);
	socket_rig_turns(1);
}

static void an_invalid_reply_closes_the_socket(void **state)
{
	static const struct {
		uint32_t request, flags, size;
	} lies[] = {
		{ VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 407 },
		{ VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 0 },
		{ VHOST_USER_GPU_GET_DISPLAY_INFO, 0, 408 },
		{ VHOST_USER_GPU_GET_EDID, 4, UINT32_MAX },
		{ VHOST_USER_GPU_GET_PROTOCOL_FEATURES, 4, 9 },
		{ VHOST_USER_GPU_DMABUF_UPDATE, 4, 1 },
		{ VHOST_USER_GPU_SCANOUT, 4, 12 },
		{ 0, 0, 0 },
		{ 99, 4, 8 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
		struct socket_ask sent, waiting, edid;

		socket_rig_connect(0, NULL);
		socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
		socket_ask_info(&sent);
		socket_ask_expect_info();
		socket_ask_info(&waiting);
		socket_ask_edid(&edid, 0);
		socket_rig_say(lies[i].request, lies[i].flags, lies[i].size, NULL, 0);
		socket_rig_expect_end();
		socket_ask_assert_ended(&sent, -ENOTCONN);
		socket_ask_assert_ended(&waiting, -ENOTCONN);
		socket_ask_assert_ended(&edid, -ENOTCONN);
		assert_false(display_shows_dmabufs(socket_rig.display));
	}
}

static void the_end_of_the_socket_ends_the_requests(void **state)
{
	struct socket_ask flush, info;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_flush(&flush, 0, 0, 0, 1, 1);
	socket_ask_info(&info);
	socket_rig_turns(2);
	fd_close(&socket_rig.peer);
	socket_rig_turns(2);
	socket_ask_assert_ended(&flush, -ENOTCONN);
	socket_ask_assert_ended(&info, -ENOTCONN);
	socket_ask_init(&info);
	assert_int_equal(display_request_info(socket_rig.display, &info.request), -ENOTSUP);
	assert_int_equal(display_request_edid(socket_rig.display, &info.request, 0), -ENOTSUP);
	assert_int_equal(display_flush_dmabuf(socket_rig.display, &info.request, 0,
					      &(struct rect){ 0, 0, 1, 1 }),
			 -ENOTSUP);
	socket_rig_turns(2);
	assert_int_equal(info.calls, 0);
}

static void a_closed_display_socket_raises_no_sigpipe(void **state)
{
	struct socket_ask info;

	(void)state;
	socket_ask_info(&info);
	assert_int_equal(shutdown(socket_rig.peer, SHUT_RD), 0);
	socket_rig_turns(2);
	socket_ask_assert_ended(&info, -ENOTCONN);
	assert_int_equal(socket_rig_display()->fd, -1);
}

static void a_reply_cut_off_by_a_hang_up_is_ignored(void **state)
{
	struct socket_ask info;

	(void)state;
	socket_ask_info(&info);
	socket_ask_expect_info();
	socket_rig_say(VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 408, "half", 4);
	fd_close(&socket_rig.peer);
	socket_rig_turns(3);
	socket_ask_assert_ended(&info, -ENOTCONN);
}

static void a_display_that_never_replies_costs_only_a_time_out(void **state)
{
	struct socket_ask info, edid, flush[3];

	(void)state;
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_ask_edid(&edid, 0);
	socket_ask_info(&info);
	socket_ask_expect_info();
	assert_false(display_shows_dmabufs(socket_rig.display));
	let_features_time_out();
	socket_ask_assert_ended(&edid, -ENOTSUP); /* no features, so no EDID */
	assert_int_equal(info.calls, 0);
	let_time_out(&info);
	socket_ask_assert_ended(&info, -ETIMEDOUT);
	socket_ask_show_dmabuf(0);
	socket_ask_flush(&flush[0], 0, 1, 1, 2, 2);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 1, 1, 2, 2);
	socket_ask_flush(&flush[1], 0, 3, 3, 2, 2);
	let_time_out(&flush[0]);
	socket_ask_assert_ended(&flush[0], -ETIMEDOUT);
	socket_rig_expect_silence();
	socket_rig_display()->scanouts[0].flush_deadline = 1;
	let_time_out(&flush[1]); /* before it was sent */
	socket_ask_assert_ended(&flush[1], -ETIMEDOUT);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 3, 3, 2, 2);
	socket_rig_display()->scanouts[0].flush_deadline = 1;
	socket_request_expire(&socket_rig_display()->timer);
	assert_int_equal(socket_rig_display()->flush_order_len, 0);
	socket_ask_flush(&flush[2], 0, 0, 0, 2, 2);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 2, 2);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&flush[2], 0);
}

/* QEMU answers nothing while its window is hidden. */
static void a_flush_of_the_guest_ends_long_before_the_display_times_out(void **state)
{
	struct socket_ask flush;

	(void)state;
	assert_true(SOCKET_HOLD_TIMEOUT <= SOCKET_FLUSH_TIMEOUT / 10);
	socket_rig_connect_and_negotiate(0);
	socket_rig_display()->timeouts.hold = 20;
	socket_ask_show_dmabuf(0);
	for (unsigned i = 0; i < 3; i++) {
		socket_ask_flush(&flush, 0, i, 1, 2, 2);
		for (unsigned turns = 0; flush.calls == 0 && turns < 1000; turns++)
			assert_int_equal(loop_turn(&socket_rig.loop, 10), 0);
		socket_ask_assert_ended(&flush, -ETIMEDOUT);
	}
	/* One DMABUF_UPDATE was sent. The next one covers what the display has not been told. */
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 1, 2, 2);
	socket_rig_expect_silence();
	assert_false(socket_rig_display()->has_warned);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 1, 1, 3, 2);
	socket_rig_expect_silence();
}

static void a_display_that_does_not_read_costs_only_a_time_out(void **state)
{
	struct socket_display *sd = socket_rig_display();
	struct picture picture;
	struct socket_ask later, sooner;

	(void)state;
	sd->timeouts.protocol = HOUR_MS; /* the timer is set to it first */
	socket_rig_connect(SOCKET_RIG_SMALL_BUFFER, NULL);
	picture_init(&picture, 256, 256, 1);
	display_scanout_pixels(socket_rig.display, 0, 256, 256, &picture.base);
	socket_rig_turns(2);
	uint64_t start = socket_request_now(), end = start + HOUR_MS / 360;

	sd->timeouts.request = 40;
	socket_ask_info(&later);
	sd->timeouts.request = 20;
	socket_ask_info(&sooner);
	while (sooner.calls == 0 && socket_request_now() < end)
		assert_int_equal(loop_turn(&socket_rig.loop, 1000), 0);
	socket_ask_assert_ended(&sooner, -ETIMEDOUT);
	while (later.calls == 0 && socket_request_now() < end)
		assert_int_equal(loop_turn(&socket_rig.loop, 1000), 0);
	socket_ask_assert_ended(&later, -ETIMEDOUT);
	assert_true(socket_request_now() - start >= 39);
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&picture);
}

static void a_late_reply_does_not_answer_a_later_request(void **state)
{
	struct socket_ask first, second, edid;

	(void)state;
	socket_ask_info(&first);
	socket_ask_edid(&edid, 1);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 1);
	socket_ask_expect_info();
	let_time_out(&first);
	let_time_out(&edid);
	socket_ask_assert_ended(&first, -ETIMEDOUT);
	socket_ask_assert_ended(&edid, -ETIMEDOUT);
	socket_ask_info(&second);
	socket_ask_edid(&edid, 2);
	socket_rig_expect_silence();
	socket_ask_reply_edid(128, 1);
	socket_ask_reply_info(111);
	assert_int_equal(second.calls, 0);
	assert_int_equal(edid.calls, 0);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 2);
	socket_ask_expect_info();
	socket_ask_reply_edid(128, 2);
	socket_ask_reply_info(222);
	socket_ask_assert_ended(&second, 0);
	assert_int_equal(second.info.outputs[3].rect.width, 222);
	socket_ask_assert_ended(&edid, 0);
	assert_int_equal(edid.edid.data[1023], 2);
}

static void features_that_come_after_the_time_out_are_used(void **state)
{
	struct socket_ask edid;

	(void)state;
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	let_features_time_out();
	socket_ask_init(&edid);
	assert_int_equal(display_request_edid(socket_rig.display, &edid.request, 0), -ENOTSUP);
	socket_rig_reply(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &(uint64_t){ UINT64_MAX }, 8);
	socket_rig_expect_words(VHOST_USER_GPU_SET_PROTOCOL_FEATURES, 3, 0);
	socket_ask_edid(&edid, 0);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 0);
	display_cancel(&edid.request);
}

static void a_new_socket_a_reset_and_a_disconnect_end_the_requests(void **state)
{
	struct socket_ask info, edid, flush;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_info(&info);
	socket_ask_edid(&edid, 0);
	socket_ask_flush(&flush, 0, 0, 0, 1, 1);
	socket_rig_turns(2);
	socket_rig_say(VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 408, "half", 4);
	socket_rig_turns(1);
	socket_rig_connect(0, NULL);
	socket_ask_assert_ended(&info, -ENOTCONN);
	socket_ask_assert_ended(&edid, -ENOTCONN);
	socket_ask_assert_ended(&flush, -ENOTCONN);
	socket_rig_negotiate(3);

	socket_ask_info(&info);
	socket_ask_edid(&edid, 0);
	display_reset(socket_rig.display);
	socket_ask_assert_ended(&info, -ENOTCONN);
	socket_ask_assert_ended(&edid, -ENOTCONN);

	socket_ask_info(&info);
	info.then_asks = &edid;
	edid.calls = 0;
	display_free(socket_rig.display);
	socket_ask_assert_ended(&info, -ENOTCONN);
	assert_int_equal(edid.calls, 0);
	socket_rig.display = NULL;
}

static void a_descriptor_that_is_not_a_socket_is_refused_and_closed(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	close(pair[0]);
	auto_fd file = memfd_create("no socket", MFD_CLOEXEC);
	assert_true(display_set_socket(socket_rig.display, fd_steal(&file)) < 0);
	socket_rig_expect_end(); /* the former display has hung up as well */
	assert_int_equal(display_set_socket(socket_rig.display, pair[1]), 0);
	socket_rig_turns(3);
	assert_int_equal(socket_rig_display()->fd, -1);
}

static void a_headless_display_keeps_its_socket_open_and_reads_it_empty(void **state)
{
	struct display *headless = headless_display_new(&socket_rig.loop);
	char bytes[8192] = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	auto_fd peer = pair[0];
	assert_int_equal(display_set_socket(headless, pair[1]), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(send(peer, bytes, sizeof(bytes), MSG_DONTWAIT), sizeof(bytes));
		socket_rig_turns(3);
	}
	assert_int_equal(recv(peer, bytes, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(display_set_socket(headless, -1), 0);
	assert_int_equal(recv(peer, bytes, 1, MSG_DONTWAIT), 0);
	display_free(headless);
}

static void a_headless_display_drops_a_socket_that_hangs_up(void **state)
{
	struct display *headless = headless_display_new(&socket_rig.loop);
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(display_set_socket(headless, pair[1]), 0);
	close(pair[0]);
	socket_rig_turns(2);
	assert_int_equal(fcntl(pair[1], F_GETFD), -1);
	display_free(headless);
}

static void a_headless_display_answers_no_request(void **state)
{
	struct display *headless = headless_display_new(&socket_rig.loop);
	struct display_request request = { .fn = socket_ask_on_reply };
	struct dmabuf dmabuf = { .fd = 0, .n_planes = 1 };

	(void)state;
	assert_int_equal(display_request_info(headless, &request), -ENOTSUP);
	assert_int_equal(display_request_edid(headless, &request, 0), -ENOTSUP);
	assert_false(display_shows_dmabufs(headless));
	assert_int_equal(display_scanout_dmabuf(headless, 0, &dmabuf, &socket_rig_dmabuf_rect),
			 -ENOTSUP);
	assert_int_equal(display_flush_dmabuf(headless, &request, 0, &(struct rect){ 0, 0, 1, 1 }),
			 -ENOTSUP);
	display_cancel(&request);
	display_damage(headless, 0, &(struct rect){ 0, 0, 1, 1 });
	display_cursor_move(headless, 15, 1, 1, true);
	display_pixels_changed(headless, NULL);
	display_reset(headless);
	display_free(headless);
	display_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(an_invalid_reply_closes_the_socket),
		CONNECTED(the_end_of_the_socket_ends_the_requests),
		CONNECTED(a_closed_display_socket_raises_no_sigpipe),
		CONNECTED(a_reply_cut_off_by_a_hang_up_is_ignored),
		ALONE(a_display_that_never_replies_costs_only_a_time_out),
		ALONE(a_flush_of_the_guest_ends_long_before_the_display_times_out),
		ALONE(a_display_that_does_not_read_costs_only_a_time_out),
		CONNECTED(a_late_reply_does_not_answer_a_later_request),
		ALONE(features_that_come_after_the_time_out_are_used),
		CONNECTED(a_new_socket_a_reset_and_a_disconnect_end_the_requests),
		CONNECTED(a_descriptor_that_is_not_a_socket_is_refused_and_closed),
		ALONE(a_headless_display_keeps_its_socket_open_and_reads_it_empty),
		ALONE(a_headless_display_drops_a_socket_that_hangs_up),
		ALONE(a_headless_display_answers_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
