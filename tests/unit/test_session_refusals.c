// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What ends a session or is refused: bytes that are no message, and invalid messages.
 */
#include "session_rig.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static void a_header_with_invalid_flags_ends_the_session(void **state)
{
	(void)state;
	static const uint32_t bad[] = { 0, 2, 3, 4, 5, 8, 0xc };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		session_rig_send(VHOST_USER_GET_FEATURES, bad[i], NULL, 0, NULL, 0);
		session_rig_assert_ended(-EPROTO);
		assert_false(session_rig_has_reply());
		fd_close(&session_rig.front_end);
		session_rig_open();
	}
}

static void a_wrong_payload_size_ends_the_session(void **state)
{
	(void)state;
	static const struct {
		uint32_t request, size, n_fds;
	} bad[] = {
		{ VHOST_USER_GET_FEATURES, 8, 0 },
		{ VHOST_USER_SET_FEATURES, 0, 0 },
		{ VHOST_USER_SET_FEATURES, 9, 0 },
		{ VHOST_USER_SET_OWNER, 1, 0 },
		{ VHOST_USER_RESET_OWNER, 8, 0 },
		{ VHOST_USER_SET_MEM_TABLE, 4, 0 },
		{ VHOST_USER_SET_MEM_TABLE, 40, 0 }, /* says 0 regions */
		{ VHOST_USER_SET_MEM_TABLE, 272, 0 },
		{ VHOST_USER_SET_VRING_NUM, 7, 0 },
		{ VHOST_USER_SET_VRING_ADDR, 48, 0 },
		{ VHOST_USER_SET_VRING_BASE, 12, 0 },
		{ VHOST_USER_GET_VRING_BASE, 4, 0 },
		{ VHOST_USER_SET_VRING_KICK, 4, 1 },
		{ VHOST_USER_SET_VRING_CALL, 16, 1 },
		{ VHOST_USER_SET_VRING_ERR, 0, 1 },
		{ VHOST_USER_GET_PROTOCOL_FEATURES, 8, 0 },
		{ VHOST_USER_SET_PROTOCOL_FEATURES, 4, 0 },
		{ VHOST_USER_GET_QUEUE_NUM, 8, 0 },
		{ VHOST_USER_SET_VRING_ENABLE, 0, 0 },
		{ VHOST_USER_SET_BACKEND_REQ_FD, 8, 1 },
		{ VHOST_USER_GET_CONFIG, 11, 0 },
		{ VHOST_USER_SET_CONFIG, 0, 0 },
		{ VHOST_USER_GPU_SET_SOCKET, 8, 1 },
		{ VHOST_USER_RESET_DEVICE, 8, 0 },
		{ VHOST_USER_GET_MAX_MEM_SLOTS, 8, 0 },
		{ VHOST_USER_ADD_MEM_REG, 32, 1 },
		{ VHOST_USER_REM_MEM_REG, 41, 0 },
		{ VHOST_USER_SET_CONFIG, 4097, 0 },
		{ UINT32_MAX, 4097, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		session_rig_send(bad[i].request, V1, NULL, bad[i].size, &session_rig.front_end,
				 bad[i].n_fds);
		session_rig_turn();
		if (session_rig.session || session_rig.ended_error != -EPROTO)
			fail_msg("request %u of %u bytes", bad[i].request, bad[i].size);
		fd_close(&session_rig.front_end);
		session_rig_open();
	}
}

static void a_wrong_number_of_descriptors_ends_the_session_and_leaks_none(void **state)
{
	(void)state;
	static const struct {
		uint32_t request, size, n_fds;
		uint8_t payload[12];
	} bad[] = {
		{ VHOST_USER_GET_FEATURES, 0, 1, { 0 } },
		{ VHOST_USER_SET_MEM_TABLE, 8, 1, { 0 } },
		{ VHOST_USER_SET_VRING_NUM, 8, 1, { 0 } },
		{ VHOST_USER_SET_VRING_KICK, 8, 0, { 0 } },
		{ VHOST_USER_SET_VRING_KICK, 8, 2, { 0 } },
		{ VHOST_USER_SET_VRING_KICK, 8, 1, { 0, 1 } }, /* the flag for no descriptor */
		{ VHOST_USER_SET_VRING_CALL, 8, 0, { 0 } },
		{ VHOST_USER_SET_VRING_CALL, 8, 1, { 0, 1 } },
		{ VHOST_USER_SET_VRING_ERR, 8, 0, { 0 } },
		{ VHOST_USER_SET_BACKEND_REQ_FD, 0, 0, { 0 } },
		{ VHOST_USER_SET_BACKEND_REQ_FD, 0, 2, { 0 } },
		{ VHOST_USER_GET_CONFIG, 12, 1, { 0, 0, 0, 0, 4 } },
		{ VHOST_USER_GPU_SET_SOCKET, 0, 0, { 0 } },
		{ VHOST_USER_GPU_SET_SOCKET, 0, 3, { 0 } },
		{ VHOST_USER_ADD_MEM_REG, 40, 0, { 0 } },
		{ VHOST_USER_ADD_MEM_REG, 40, 8, { 0 } },
		{ VHOST_USER_REM_MEM_REG, 40, 2, { 0 } },
		{ VHOST_USER_RESET_DEVICE, 0, 1, { 0 } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		uint8_t payload[64] = { 0 };
		int fds[8];

		memcpy(payload, bad[i].payload, sizeof(bad[i].payload));
		for (unsigned n = 0; n < 8; n++)
			fds[n] = STDERR_FILENO;
		session_rig_send(bad[i].request, V1, payload, bad[i].size, fds, bad[i].n_fds);
		session_rig_turn();
		if (session_rig.session || session_rig.ended_error != -EPROTO)
			fail_msg("request %u with %u descriptors", bad[i].request, bad[i].n_fds);
		fd_close(&session_rig.front_end);
		session_rig_open();
	}
}

static void more_descriptors_than_any_message_has_are_closed(void **state)
{
	(void)state;
	int fds[10];
	struct vhost_user_header header = { VHOST_USER_ADD_MEM_REG, V1, 40 };

	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = STDERR_FILENO;
	session_rig_send_bytes(&header, sizeof(header), fds,
			       10); /* at once: the kernel delivers 8, drops 2 */
	session_rig_assert_ended(-EPROTO);
	fd_close(&session_rig.front_end);
	session_rig_open();
	session_rig_send_bytes(&header, 6, fds, 8); /* 8, then 1 */
	session_rig_send_bytes((char *)&header + 6, 6, fds, 1);
	session_rig_assert_ended(-EPROTO);
}

static void an_unknown_queue_ends_the_session(void **state)
{
	(void)state;
	static const struct {
		uint32_t request, size, n_fds;
	} requests[] = {
		{ VHOST_USER_SET_VRING_NUM, 8, 0 },  { VHOST_USER_SET_VRING_ADDR, 40, 0 },
		{ VHOST_USER_SET_VRING_BASE, 8, 0 }, { VHOST_USER_GET_VRING_BASE, 8, 0 },
		{ VHOST_USER_SET_VRING_KICK, 8, 1 }, { VHOST_USER_SET_VRING_CALL, 8, 1 },
		{ VHOST_USER_SET_VRING_ERR, 8, 1 },  { VHOST_USER_SET_VRING_ENABLE, 8, 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		uint32_t payload[10] = { 2 };

		session_rig_send(requests[i].request, V1, payload, requests[i].size,
				 &session_rig.front_end, requests[i].n_fds);
		session_rig_turn();
		if (session_rig.session || session_rig.ended_error != -EPROTO)
			fail_msg("request %u", requests[i].request);
		fd_close(&session_rig.front_end);
		session_rig_open();
	}
}

static void numbers_out_of_range_end_the_session(void **state)
{
	(void)state;
	static const uint32_t bad[][2] = { { VHOST_USER_SET_VRING_NUM, 0x10000 },
					   { VHOST_USER_SET_VRING_BASE, 0x10000 },
					   { VHOST_USER_SET_VRING_ENABLE, 2 } };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		session_rig_set_state(bad[i][0], 0, bad[i][1]);
		session_rig_assert_ended(-EPROTO);
		fd_close(&session_rig.front_end);
		session_rig_open();
	}
}

static void an_unknown_request_with_need_reply_is_refused(void **state)
{
	(void)state;
	static const uint32_t unknown[] = { 0, 6, 7, 19, 20, 28, 35, 39, 45, 1000, UINT32_MAX };
	char payload[100] = { 0 };

	session_rig_agree();
	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++)
		assert_int_equal(session_rig_ask(unknown[i], payload, sizeof(payload), -1), 1);
	assert_int_equal(session_rig_get_u64(VHOST_USER_GET_QUEUE_NUM), 2);
	session_rig_send(45, V1, NULL, 0, NULL, 0);
	session_rig_assert_ended(-EPROTO);
}

static void packed_rings_are_refused(void **state)
{
	(void)state;
	uint64_t features = BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1) |
			    BIT64(VIRTIO_F_RING_PACKED);

	session_rig_send(VHOST_USER_SET_FEATURES, NEED_REPLY, &features, sizeof(features), NULL, 0);
	session_rig_assert_ended(-EPROTO);
}

static void a_protocol_feature_that_was_not_offered_is_refused(void **state)
{
	(void)state;
	uint64_t features = OFFERED | BIT64(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES);

	session_rig_send(VHOST_USER_SET_PROTOCOL_FEATURES, V1, &features, sizeof(features), NULL,
			 0);
	session_rig_assert_ended(-EPROTO);
}

static void a_connection_that_ends_within_a_message_broke_the_protocol(void **state)
{
	(void)state;
	struct vhost_user_header header = { VHOST_USER_SET_FEATURES, V1, 8 };

	session_rig_send_bytes(&header, sizeof(header), (int[]){ STDERR_FILENO }, 1);
	fd_close(&session_rig.front_end);
	session_rig_assert_ended(-EPROTO);
	session_rig_open();
	session_rig_send_bytes(&header, 5, NULL, 0);
	fd_close(&session_rig.front_end);
	session_rig_assert_ended(-EPROTO);
}

static void a_hang_up_stops_the_rings_and_is_no_error(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	int kick = session_rig_set_up_ring(0, 0);

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	fd_close(&session_rig.front_end);
	session_rig_assert_ended(0);
	session_rig_assert_told("stop0 closed");
	session_rig_kick(kick);
	session_rig_assert_told("");
	close(kick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, session_rig_setup, session_rig_teardown)
		TEST(a_header_with_invalid_flags_ends_the_session),
		TEST(a_wrong_payload_size_ends_the_session),
		TEST(a_wrong_number_of_descriptors_ends_the_session_and_leaks_none),
		TEST(more_descriptors_than_any_message_has_are_closed),
		TEST(an_unknown_queue_ends_the_session),
		TEST(numbers_out_of_range_end_the_session),
		TEST(an_unknown_request_with_need_reply_is_refused),
		TEST(packed_rings_are_refused),
		TEST(a_protocol_feature_that_was_not_offered_is_refused),
		TEST(a_connection_that_ends_within_a_message_broke_the_protocol),
		TEST(a_hang_up_stops_the_rings_and_is_no_error),
	};

	log_set_level(g_getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
