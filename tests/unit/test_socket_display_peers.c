// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Peers of the vhost-user-gpu display that lie, go away, say nothing or speak too late; and
 * displays that have no peer.
 */
#include "socket_display_ask.h"

#include <fcntl.h>

#include "display/headless.h"

/* As if that much time had passed for the request, and the timer fired. */
static void let_time_out(struct ask *ask)
{
	ask->request.deadline = 1;
	socket_request_expire(&rig_socket_display(&rig)->timer);
}

static void let_features_time_out(void)
{
	rig_socket_display(&rig)->protocol_deadline = 1;
	socket_request_expire(&rig_socket_display(&rig)->timer);
	rig_turns(&rig, 1);
}

static void test_what_is_no_answer_closes_the_socket(void **state)
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
		struct ask sent, waiting, edid;

		rig_connect(&rig, 0, NULL);
		rig_expect(&rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
		ask_info(&sent);
		expect_info_asked();
		ask_info(&waiting);
		ask_edid(&edid, 0);
		rig_say(&rig, lies[i].request, lies[i].flags, lies[i].size, NULL, 0);
		rig_expect_end(&rig);
		assert_ended(&sent, -ENOTCONN);
		assert_ended(&waiting, -ENOTCONN);
		assert_ended(&edid, -ENOTCONN);
		assert_false(display_shows_dmabufs(rig.display));
	}
}

static void test_the_end_of_the_socket_ends_the_requests(void **state)
{
	struct ask flush, info;

	(void)state;
	show_dmabuf(0);
	ask_flush(&flush, 0, 0, 0, 1, 1);
	ask_info(&info);
	rig_turns(&rig, 2);
	fd_close(&rig.peer);
	rig_turns(&rig, 2);
	assert_ended(&flush, -ENOTCONN);
	assert_ended(&info, -ENOTCONN);
	ask_init(&info);
	assert_int_equal(display_request_info(rig.display, &info.request), -ENOTSUP);
	assert_int_equal(display_request_edid(rig.display, &info.request, 0), -ENOTSUP);
	assert_int_equal(
		display_flush_dmabuf(rig.display, &info.request, 0, &(struct rect){ 0, 0, 1, 1 }),
		-ENOTSUP);
	rig_turns(&rig, 2);
	assert_int_equal(info.calls, 0);
}

static void test_a_peer_that_no_longer_reads_is_dropped_without_a_signal(void **state)
{
	struct ask info;

	(void)state;
	ask_info(&info);
	assert_int_equal(shutdown(rig.peer, SHUT_RD), 0);
	rig_turns(&rig, 2);
	assert_ended(&info, -ENOTCONN);
	assert_int_equal(rig_socket_display(&rig)->fd, -1);
}

static void test_an_answer_cut_short_by_the_end_is_no_answer(void **state)
{
	struct ask info;

	(void)state;
	ask_info(&info);
	expect_info_asked();
	rig_say(&rig, VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 408, "half", 4);
	fd_close(&rig.peer);
	rig_turns(&rig, 3);
	assert_ended(&info, -ENOTCONN);
}

static void test_a_peer_that_never_answers_costs_a_time_out_and_no_more(void **state)
{
	struct ask info, edid, flush[3];

	(void)state;
	rig_connect(&rig, 0, NULL);
	rig_expect(&rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	ask_edid(&edid, 0);
	ask_info(&info);
	expect_info_asked();
	assert_false(display_shows_dmabufs(rig.display));
	let_features_time_out();
	assert_ended(&edid, -ENOTSUP); /* no features, so no EDID */
	assert_int_equal(info.calls, 0);
	let_time_out(&info);
	assert_ended(&info, -ETIMEDOUT);
	show_dmabuf(0);
	ask_flush(&flush[0], 0, 1, 1, 2, 2);
	rig_expect_words(&rig, VHOST_USER_GPU_DMABUF_UPDATE, 0, 1, 1, 2, 2);
	ask_flush(&flush[1], 0, 3, 3, 2, 2);
	let_time_out(&flush[0]);
	assert_ended(&flush[0], -ETIMEDOUT);
	rig_expect_silence(&rig);
	rig_socket_display(&rig)->scanouts[0].flush_deadline = 1;
	let_time_out(&flush[1]); /* before it was sent */
	assert_ended(&flush[1], -ETIMEDOUT);
	rig_expect_words(&rig, VHOST_USER_GPU_DMABUF_UPDATE, 0, 3, 3, 2, 2);
	rig_socket_display(&rig)->scanouts[0].flush_deadline = 1;
	socket_request_expire(&rig_socket_display(&rig)->timer);
	assert_int_equal(rig_socket_display(&rig)->flush_order_len, 0);
	ask_flush(&flush[2], 0, 0, 0, 2, 2);
	rig_expect_words(&rig, VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 2, 2);
	rig_reply(&rig, VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	assert_ended(&flush[2], 0);
}

static void test_a_peer_that_does_not_even_read_costs_a_time_out(void **state)
{
	struct socket_display *sd = rig_socket_display(&rig);
	struct picture picture;
	struct ask later, sooner;

	(void)state;
	rig_connect(&rig, RIG_SMALL_BUFFER, NULL);
	picture_init(&picture, 256, 256, 1);
	display_scanout_pixels(rig.display, 0, 256, 256, &picture.base);
	rig_turns(&rig, 2);
	sd->timeouts.request = 40;
	ask_info(&later);
	sd->timeouts.request = 20;
	ask_info(&sooner);
	uint64_t start = socket_request_now();
	while (sooner.calls == 0)
		assert_int_equal(loop_turn(&rig.loop, 1000), 0);
	assert_ended(&sooner, -ETIMEDOUT);
	while (later.calls == 0)
		assert_int_equal(loop_turn(&rig.loop, 1000), 0);
	assert_ended(&later, -ETIMEDOUT);
	assert_true(socket_request_now() - start >= 39);
	assert_true(socket_request_now() - start <
		    SOCKET_PROTOCOL_TIMEOUT / 2); /* not the first timer */
	display_scanout_pixels(rig.display, 0, 0, 0, NULL);
	picture_finish(&picture);
}

static void test_a_late_answer_is_not_taken_for_that_of_a_later_request(void **state)
{
	struct ask first, second, edid;

	(void)state;
	ask_info(&first);
	ask_edid(&edid, 1);
	rig_expect_words(&rig, VHOST_USER_GPU_GET_EDID, 1);
	expect_info_asked();
	let_time_out(&first);
	let_time_out(&edid);
	assert_ended(&first, -ETIMEDOUT);
	assert_ended(&edid, -ETIMEDOUT);
	ask_info(&second);
	ask_edid(&edid, 2);
	rig_expect_silence(&rig);
	reply_edid(128, 1);
	reply_info(111);
	assert_int_equal(second.calls, 0);
	assert_int_equal(edid.calls, 0);
	rig_expect_words(&rig, VHOST_USER_GPU_GET_EDID, 2);
	expect_info_asked();
	reply_edid(128, 2);
	reply_info(222);
	assert_ended(&second, 0);
	assert_int_equal(second.info.outputs[3].rect.width, 222);
	assert_ended(&edid, 0);
	assert_int_equal(edid.edid.data[1023], 2);
}

static void test_features_that_come_after_the_time_out_count(void **state)
{
	struct ask edid;

	(void)state;
	rig_connect(&rig, 0, NULL);
	rig_expect(&rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	let_features_time_out();
	ask_init(&edid);
	assert_int_equal(display_request_edid(rig.display, &edid.request, 0), -ENOTSUP);
	rig_reply(&rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &(uint64_t){ UINT64_MAX }, 8);
	rig_expect_words(&rig, VHOST_USER_GPU_SET_PROTOCOL_FEATURES, 3, 0);
	ask_edid(&edid, 0);
	rig_expect_words(&rig, VHOST_USER_GPU_GET_EDID, 0);
	display_cancel(&edid.request);
}

static void test_a_new_socket_a_reset_and_the_end_end_the_requests(void **state)
{
	struct ask info, edid, flush;

	(void)state;
	show_dmabuf(0);
	ask_info(&info);
	ask_edid(&edid, 0);
	ask_flush(&flush, 0, 0, 0, 1, 1);
	rig_turns(&rig, 2);
	rig_say(&rig, VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 408, "half", 4);
	rig_turns(&rig, 1);
	rig_connect(&rig, 0, NULL);
	assert_ended(&info, -ENOTCONN);
	assert_ended(&edid, -ENOTCONN);
	assert_ended(&flush, -ENOTCONN);
	rig_negotiate(&rig, 3);

	ask_info(&info);
	ask_edid(&edid, 0);
	display_reset(rig.display);
	assert_ended(&info, -ENOTCONN);
	assert_ended(&edid, -ENOTCONN);

	ask_info(&info);
	info.then_asks = &edid;
	edid.calls = 0;
	display_free(rig.display);
	assert_ended(&info, -ENOTCONN);
	assert_int_equal(edid.calls, 0);
	rig.display = NULL;
}

static void test_a_socket_that_is_none_is_refused_and_closed(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	close(pair[0]);
	auto_fd file = memfd_create("no socket", MFD_CLOEXEC);
	assert_true(display_set_socket(rig.display, fd_steal(&file)) < 0);
	rig_expect_end(&rig); /* the former peer is gone as well */
	assert_int_equal(display_set_socket(rig.display, pair[1]), 0);
	rig_turns(&rig, 3);
	assert_int_equal(rig_socket_display(&rig)->fd, -1);
}

static void test_a_display_without_hooks_says_so(void **state)
{
	struct display *headless = headless_display_new();
	struct display_request request = { .fn = on_reply };
	struct dmabuf dmabuf = { .fd = 0, .n_planes = 1 };
	int pair[2];

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(display_set_socket(headless, pair[1]), -ENOTSUP);
	assert_int_equal(fcntl(pair[1], F_GETFD), -1); /* taken, also on failure */
	close(pair[0]);
	assert_int_equal(display_request_info(headless, &request), -ENOTSUP);
	assert_int_equal(display_request_edid(headless, &request, 0), -ENOTSUP);
	assert_false(display_shows_dmabufs(headless));
	assert_int_equal(display_scanout_dmabuf(headless, 0, &dmabuf, &dmabuf_rect), -ENOTSUP);
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
		ALONE(test_what_is_no_answer_closes_the_socket),
		CONNECTED(test_the_end_of_the_socket_ends_the_requests),
		CONNECTED(test_a_peer_that_no_longer_reads_is_dropped_without_a_signal),
		CONNECTED(test_an_answer_cut_short_by_the_end_is_no_answer),
		ALONE(test_a_peer_that_never_answers_costs_a_time_out_and_no_more),
		ALONE(test_a_peer_that_does_not_even_read_costs_a_time_out),
		CONNECTED(test_a_late_answer_is_not_taken_for_that_of_a_later_request),
		ALONE(test_features_that_come_after_the_time_out_count),
		CONNECTED(test_a_new_socket_a_reset_and_the_end_end_the_requests),
		CONNECTED(test_a_socket_that_is_none_is_refused_and_closed),
		ALONE(test_a_display_without_hooks_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
