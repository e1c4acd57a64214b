// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The requests of the socket display, their results, and what callbacks may do.
 */
#include "socket_ask.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

static void a_refused_edid_is_detected_by_the_next_reply(void **state)
{
	struct socket_ask refused, next;

	(void)state;
	socket_ask_edid(&refused, 9);
	socket_ask_edid(&next, 1);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 9);
	socket_ask_expect_info();
	socket_rig_expect_silence();
	socket_ask_reply_info(1);
	socket_ask_assert_ended(&refused, -ENOTSUP);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 1);
	socket_ask_expect_info();
	socket_ask_reply_edid(256, 7);
	socket_ask_assert_ended(&next, 0);
	assert_int_equal(next.edid.size, 256);
	socket_ask_reply_info(1);
	socket_rig_expect_silence();
}

static void an_edid_of_a_wrong_length_is_refused(void **state)
{
	static const struct {
		uint32_t size;
		int error;
	} cases[] = {
		{ 0, -ENOTSUP }, { 1025, -ENOTSUP }, { UINT32_MAX, -ENOTSUP }, { 1024, 0 }, { 1, 0 }
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct socket_ask edid;

		socket_ask_edid(&edid, 0);
		socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 0);
		socket_ask_expect_info();
		socket_ask_reply_edid(cases[i].size, 42);
		socket_ask_assert_ended(&edid, cases[i].error);
		assert_int_equal(edid.edid.size, cases[i].error ? 0 : cases[i].size);
		assert_int_equal(edid.edid.data[1023], cases[i].error ? 0 : 42);
		socket_ask_reply_info(1);
	}
}

static void replies_without_a_request_are_ignored(void **state)
{
	struct socket_ask info;

	(void)state;
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_rig_reply(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &(uint64_t){ 0 }, 8);
	socket_ask_reply_edid(128, 0);
	socket_ask_reply_info(1);
	assert_int_equal(socket_rig_display()->features, 3);
	socket_ask_info(&info);
	socket_ask_expect_info();
	socket_ask_reply_edid(128, 0);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	assert_int_equal(info.calls, 0);
	socket_ask_reply_info(640);
	socket_ask_assert_ended(&info, 0);
	assert_int_equal(info.info.outputs[3].rect.x, 5);
	assert_int_equal(info.info.outputs[3].rect.width, 640);
	assert_int_equal(info.info.outputs[3].enabled, 1);
	assert_int_equal(info.info.outputs[2].enabled, 0);
}

static void display_replies_may_come_in_pieces(void **state)
{
	uint8_t bytes[2 * (12 + 408) + 12] = { 0 };
	const uint32_t info_header[3] = { VHOST_USER_GPU_GET_DISPLAY_INFO, 4, 408 };
	const uint32_t stray_header[3] = { VHOST_USER_GPU_DMABUF_UPDATE, 4, 0 };
	struct socket_ask first, second;

	(void)state;
	memcpy(bytes, info_header, 12);
	memcpy(bytes + 420, stray_header, 12);
	memcpy(bytes + 432, info_header, 12);
	socket_ask_info(&first);
	socket_ask_expect_info();
	for (size_t i = 0; i < 420; i++) {
		assert_int_equal(first.calls, 0);
		assert_int_equal(send(socket_rig.peer, bytes + i, 1, 0), 1);
		socket_rig_turns(1);
	}
	socket_ask_assert_ended(&first, 0);
	socket_ask_info(&second);
	socket_ask_expect_info();
	assert_int_equal(send(socket_rig.peer, bytes + 420, sizeof(bytes) - 420, 0),
			 sizeof(bytes) - 420);
	socket_rig_turns(1);
	socket_ask_assert_ended(&second, 0);
}

static void display_info_requests_made_together_share_a_reply(void **state)
{
	struct socket_ask a, b, later;

	(void)state;
	socket_ask_info(&a);
	socket_ask_info(&b);
	socket_ask_expect_info();
	socket_ask_info(&later);
	socket_rig_expect_silence();
	socket_ask_reply_info(1);
	socket_ask_assert_ended(&a, 0);
	socket_ask_assert_ended(&b, 0);
	assert_int_equal(later.calls, 0);
	socket_ask_expect_info();
	socket_ask_reply_info(2);
	socket_ask_assert_ended(&later, 0);
	assert_int_equal(later.info.outputs[3].rect.width, 2);
}

static void a_cancelled_request_is_not_called(void **state)
{
	struct socket_ask sent, unsent, edid, flush;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_info(&sent);
	socket_ask_edid(&edid, 0);
	socket_ask_flush(&flush, 0, 0, 0, 1, 1);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 0);
	socket_ask_expect_info();
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 1, 1);
	socket_ask_info(&unsent);
	display_cancel(&sent.request);
	display_cancel(&unsent.request);
	display_cancel(&edid.request);
	display_cancel(&flush.request);
	display_cancel(&flush.request);
	socket_ask_reply_edid(128, 0);
	socket_ask_reply_info(1);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_rig_expect_silence();
	assert_int_equal(sent.calls + unsent.calls + edid.calls + flush.calls, 0);
	socket_ask_flush(&flush, 0, 0, 0, 1, 1);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 1, 1);
	display_cancel(&flush.request);
}

static void a_callback_may_make_and_cancel_requests(void **state)
{
	struct socket_ask first, second, third, asked;

	(void)state;
	socket_ask_init(&asked);
	socket_ask_info(&first);
	socket_ask_info(&second);
	socket_ask_info(&third);
	first.then_cancels = &second;
	first.then_asks = &asked;
	socket_ask_expect_info();
	socket_ask_reply_info(1);
	socket_ask_assert_ended(&first, 0);
	assert_int_equal(second.calls, 0);
	socket_ask_assert_ended(&third, 0);
	assert_int_equal(asked.calls, 0);
	socket_ask_expect_info();
	asked.then_asks = &second;
	second.then_asks = &third; /* never asked: second is refused, as the peer is gone */
	fd_close(&socket_rig.peer);
	socket_rig_turns(2);
	socket_ask_assert_ended(&asked, -ENOTCONN);
	assert_int_equal(second.calls, 0);
}

static void flushes_merge_while_one_is_under_way(void **state)
{
	struct socket_ask a, b, c, other;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_show_dmabuf(7);
	socket_ask_flush(&a, 0, 0, 0, 10, 10);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 10, 10);
	socket_ask_flush(&b, 0, 100, 0, 10, 10);
	socket_ask_flush(&c, 0, 0, 100, 700, 10);
	socket_ask_flush(&other, 7, 1, 1, 1, 1);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 7, 1, 1, 1, 1);
	socket_rig_expect_silence();
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&a, 0);
	assert_int_equal(b.calls + c.calls + other.calls, 0);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 640, 110);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&other, 0);
	assert_int_equal(b.calls + c.calls, 0);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&b, 0);
	socket_ask_assert_ended(&c, 0);
	socket_rig_expect_silence();
}

static void a_flush_ends_when_its_scanout_shows_something_else(void **state)
{
	struct socket_ask sent, waiting, refused;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_flush(&sent, 0, 0, 0, 10, 10);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 10, 10);
	socket_ask_flush(&waiting, 0, 0, 0, 10, 10);
	socket_ask_show_dmabuf(0); /* another buffer: the flush now covers all of that one */
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	assert_int_equal(waiting.calls, 0);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_SCANOUT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	socket_ask_assert_ended(&waiting, 0);
	assert_int_equal(sent.calls, 0);
	socket_ask_init(&refused);
	assert_int_equal(display_flush_dmabuf(socket_rig.display, &refused.request, 0,
					      &(struct rect){ 0, 0, 1, 1 }),
			 -ENOTSUP);
	socket_ask_show_dmabuf(1);
	socket_ask_flush(&waiting, 1, 5, 5, 5, 5);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 1, 5, 5, 5, 5);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&sent, 0);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&waiting, 0);
}

static void a_waiting_flush_applies_to_a_new_buffer(void **state)
{
	struct socket_ask sent, waiting;

	(void)state;
	socket_ask_show_dmabuf(0);
	socket_ask_flush(&sent, 0, 0, 0, 10, 10);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 10, 10);
	socket_ask_flush(&waiting, 0, 0, 0, 10, 10);
	socket_ask_show_dmabuf(0);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&sent, 0);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 640, 480);
	socket_rig_reply(VHOST_USER_GPU_DMABUF_UPDATE, NULL, 0);
	socket_ask_assert_ended(&waiting, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECTED(a_refused_edid_is_detected_by_the_next_reply),
		CONNECTED(an_edid_of_a_wrong_length_is_refused),
		CONNECTED(replies_without_a_request_are_ignored),
		CONNECTED(display_replies_may_come_in_pieces),
		CONNECTED(display_info_requests_made_together_share_a_reply),
		CONNECTED(a_cancelled_request_is_not_called),
		CONNECTED(a_callback_may_make_and_cancel_requests),
		CONNECTED(flushes_merge_while_one_is_under_way),
		CONNECTED(a_flush_ends_when_its_scanout_shows_something_else),
		CONNECTED(a_waiting_flush_applies_to_a_new_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
