// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How the session handles messages, except ring messages; test_session_refusals.c has the invalid
 * ones.
 */
#include "session_rig.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/vring.h"

static void a_message_may_come_byte_by_byte_with_its_descriptor_last(void **state)
{
	(void)state;
	uint8_t bytes[20] = { VHOST_USER_SET_VRING_CALL, 0, 0, 0, V1, 0, 0, 0, 8 };
	int call = eventfd(0, EFD_CLOEXEC);

	for (unsigned i = 0; i < sizeof(bytes); i++) {
		session_rig_send_bytes(bytes + i, 1, &call, i == sizeof(bytes) - 1);
		session_rig_turn();
		assert_non_null(session_rig.session);
	}
	assert_true(vhost_session_vring(session_rig.session, 0)->call_fd >= 0);
	assert_int_equal(session_rig_get_u64(VHOST_USER_GET_QUEUE_NUM), 2);
	close(call);
}

static void each_of_many_messages_at_once_is_answered_in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++)
		session_rig_send(i % 2 ? VHOST_USER_GET_QUEUE_NUM : VHOST_USER_GET_MAX_MEM_SLOTS,
				 V1, NULL, 0, NULL, 0);
	for (unsigned i = 0; i < 5; i++)
		session_rig_turn();
	for (unsigned i = 0; i < 50; i++) {
		if (i % 2)
			assert_int_equal(session_rig_receive_u64(VHOST_USER_GET_QUEUE_NUM), 2);
		else
			assert_int_equal(session_rig_receive_u64(VHOST_USER_GET_MAX_MEM_SLOTS),
					 509);
	}
	assert_false(session_rig_has_reply());
}

static void requests_are_not_read_while_replies_cannot_be_sent(void **state)
{
	(void)state;
	struct vhost_user_header header = { VHOST_USER_GET_QUEUE_NUM, V1, 0 };
	unsigned sent = 0, received = 0;

	/* Sends until the session reads no more and the socket is full in both directions. */
	for (;;) {
		ssize_t n = send(session_rig.front_end, &header, sizeof(header), MSG_DONTWAIT);

		if (n < 0) {
			unsigned before = sent;

			for (unsigned i = 0; i < 20; i++)
				assert_int_equal(loop_turn(&session_rig.loop, 0), 0);
			if (send(session_rig.front_end, &header, sizeof(header), MSG_DONTWAIT) < 0)
				break;
			sent = before + 1;
			continue;
		}
		assert_int_equal(n, sizeof(header));
		sent++;
		assert_true(sent < 1000000);
	}
	while (received < sent) {
		while (session_rig_has_reply()) {
			assert_int_equal(session_rig_receive_u64(VHOST_USER_GET_QUEUE_NUM), 2);
			received++;
		}
		assert_int_equal(loop_turn(&session_rig.loop, 0), 0);
	}
	session_rig_turn();
	assert_false(session_rig_has_reply());
	assert_non_null(session_rig.session);
}

static void features_are_those_of_device_and_rings(void **state)
{
	(void)state;
	assert_true(session_rig_get_u64(VHOST_USER_GET_FEATURES) ==
		    (BIT64(1) | BIT64(VIRTIO_RING_F_INDIRECT_DESC) |
		     BIT64(VIRTIO_RING_F_EVENT_IDX) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |
		     BIT64(VIRTIO_F_VERSION_1)));
	assert_true(session_rig_get_u64(VHOST_USER_GET_PROTOCOL_FEATURES) == OFFERED);
	/* The front-end sends bits that were never offered. */
	session_rig_set_u64(VHOST_USER_SET_FEATURES, BIT64(1) | BIT64(24) | BIT64(27) |
							     BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |
							     BIT64(VIRTIO_F_VERSION_1) |
							     BIT64(VIRTIO_F_RING_RESET));
	assert_true(session_rig.features ==
		    (BIT64(1) | BIT64(24) | BIT64(27) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |
		     BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_RING_RESET)));
}

static void every_request_with_need_reply_gets_a_reply(void **state)
{
	(void)state;
	uint64_t features = OFFERED, none[5] = { 0x100 }, zero[5] = { 0 };
	uint32_t write_config[4] = { 0, 4, 0, 7 };
	auto_fd other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Not before the feature is acknowledged. */
	session_rig_send(VHOST_USER_SET_OWNER, NEED_REPLY, NULL, 0, NULL, 0);
	session_rig_turn();
	assert_false(session_rig_has_reply());
	assert_int_equal(session_rig_ask(VHOST_USER_SET_PROTOCOL_FEATURES, &features, 8, -1), 0);
	features = BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_FEATURES, &features, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_OWNER, NULL, 0, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_RESET_OWNER, NULL, 0, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_MEM_TABLE, zero, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_NUM, zero, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_ADDR, zero, 40, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_BASE, zero, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_KICK, none, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_CALL, none, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_ERR, none, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_ENABLE, zero, 8, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, other), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, other),
			 0); /* replaced */
	assert_int_equal(session_rig_ask(VHOST_USER_SET_CONFIG, write_config, 16, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_GPU_SET_SOCKET, NULL, 0, other), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	assert_int_equal(session_rig_ask(VHOST_USER_REM_MEM_REG, zero, 40, -1), 1);
	assert_int_equal(session_rig_ask(VHOST_USER_ADD_MEM_REG, zero, 40, STDERR_FILENO), 1);
	/* A request that has a reply of its own gets that one only, no acknowledgement. */
	assert_int_equal(session_rig_ask(VHOST_USER_GET_QUEUE_NUM, NULL, 0, -1), 2);
	assert_int_equal(session_rig_ask(VHOST_USER_GET_MAX_MEM_SLOTS, NULL, 0, -1), 509);
	assert_int_equal(session_rig_ask(VHOST_USER_GET_VRING_BASE, zero, 8, -1), 0);
	session_rig_assert_told("gpu reset");
}

static void config_of_an_invalid_size_is_refused(void **state)
{
	(void)state;
	static const uint32_t bad[][3] = { { 0, 0 },         { 0, 257 }, { 1, 256 },
					   { 257, 1 },       { 256, 1 }, { UINT32_MAX, 4 },
					   { 4, UINT32_MAX } };

	session_rig_agree();
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		uint32_t payload[80] = { bad[i][0], bad[i][1] };

		session_rig_send(VHOST_USER_GET_CONFIG, V1, payload, 12, NULL, 0);
		session_rig_turn();
		assert_int_equal(session_rig_receive(VHOST_USER_GET_CONFIG, NULL, 0), 0);
		assert_int_equal(session_rig_ask(VHOST_USER_SET_CONFIG, payload,
						 12 + (bad[i][1] & 0xff), -1),
				 1);
	}
	uint32_t short_write[4] = { 0, 8, 0, 0 };

	assert_int_equal(session_rig_ask(VHOST_USER_SET_CONFIG, short_write, 16, -1), 1);
	session_rig_send(VHOST_USER_SET_CONFIG, V1, short_write, 16, NULL, 0);
	session_rig_turn();
	assert_null(session_rig.session);
}

static void config_is_read_in_any_size(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 1, 4, 16, 20, 256 };

	for (unsigned i = 0; i < sizeof(session_rig.config); i++)
		session_rig.config[i] = (uint8_t)i;
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		uint8_t payload[12 + 256] = { 0 }, reply[12 + 256];
		uint32_t offset = sizes[i] == 4 ? 252 : 0;

		memcpy(payload, &offset, 4);
		memcpy(payload + 4, &sizes[i], 4);
		payload[8] = 1;
		/* QEMU sends space for the answer, other front-ends only the header. */
		session_rig_send(VHOST_USER_GET_CONFIG, V1, payload, i % 2 ? 12 : 12 + sizes[i],
				 NULL, 0);
		session_rig_turn();
		assert_int_equal(session_rig_receive(VHOST_USER_GET_CONFIG, reply, sizeof(reply)),
				 12 + sizes[i]);
		assert_memory_equal(reply, payload, 12);
		assert_memory_equal(reply + 12, session_rig.config + offset, sizes[i]);
	}
	uint32_t write_config[4] = { 8, 4, 0, 0xaabbccdd };

	session_rig_send(VHOST_USER_SET_CONFIG, V1, write_config, sizeof(write_config), NULL, 0);
	session_rig_turn();
	assert_memory_equal(session_rig.config + 8, &write_config[3], 4);
	assert_int_equal(session_rig.config[12], 12);
}

static void invalid_memory_is_refused_and_the_session_goes_on(void **state)
{
	(void)state;
	struct vhost_user_mem_reg reg = { 0, { GPA, 2 * MEM_SIZE, USER, 0 } };
	auto_fd fd = memfd_create("short", MFD_CLOEXEC);

	session_rig_agree();
	session_rig_add_memory();

	assert_int_equal(ftruncate(fd, MEM_SIZE), 0);
	reg.region.gpa += MEM_SIZE;
	assert_int_equal(session_rig_ask(VHOST_USER_ADD_MEM_REG, &reg, sizeof(reg), fd), 1);
	assert_int_equal(session_rig_ask(VHOST_USER_REM_MEM_REG, &reg, sizeof(reg), -1), 1);
	session_rig_assert_told("");
	assert_non_null(guest_memory_at(vhost_session_memory(session_rig.session), GPA, MEM_SIZE));
	/* Except if the front-end wants no reply. */
	session_rig_send(VHOST_USER_ADD_MEM_REG, V1, &reg, sizeof(reg), &fd, 1);
	session_rig_turn();
	assert_null(session_rig.session);
	assert_true(session_rig.ended_error < 0);
}

static void the_memory_table_is_replaced_added_to_and_removed_from(void **state)
{
	(void)state;
	uint64_t table[9] = {
		2, GPA, 0x1000, USER, 0, GPA + 0x1000, 0x1000, USER + 0x1000, 0x3000
	};
	struct vhost_user_mem_reg reg = { 0, { GPA + 0x1000, 0x1000, USER + 0x1000, 0 } };
	auto_fd fd = memfd_create("guest", MFD_CLOEXEC);
	int fds[2] = { fd, fd };
	const struct guest_memory *memory = vhost_session_memory(session_rig.session);

	assert_int_equal(ftruncate(fd, MEM_SIZE), 0);
	session_rig_send(VHOST_USER_SET_MEM_TABLE, V1, table, sizeof(table), fds, 2);
	session_rig_turn();
	assert_int_equal(memory->n_regions, 2);
	session_rig_send(VHOST_USER_REM_MEM_REG, V1, &reg, sizeof(reg), &fd,
			 1); /* some front-ends send a descriptor */
	session_rig_turn();
	assert_int_equal(memory->n_regions, 1);
	reg.region.gpa += 0x10000;
	session_rig_send(VHOST_USER_ADD_MEM_REG, V1, &reg, sizeof(reg), &fd, 1);
	session_rig_turn();
	assert_int_equal(memory->n_regions, 2);
	session_rig_assert_told("memory memory memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, session_rig_setup, session_rig_teardown)
		TEST(a_message_may_come_byte_by_byte_with_its_descriptor_last),
		TEST(each_of_many_messages_at_once_is_answered_in_order),
		TEST(requests_are_not_read_while_replies_cannot_be_sent),
		TEST(features_are_those_of_device_and_rings),
		TEST(every_request_with_need_reply_gets_a_reply),
		TEST(config_of_an_invalid_size_is_refused),
		TEST(config_is_read_in_any_size),
		TEST(invalid_memory_is_refused_and_the_session_goes_on),
		TEST(the_memory_table_is_replaced_added_to_and_removed_from),
	};

	log_set_level(g_getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
