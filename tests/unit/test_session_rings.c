// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * When rings start, stop, are kicked and are reset.
 */
#include "session_rig.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "vhost/ring_layout.h"
#include "vhost/vring.h"

static void a_ring_starts_once_in_whatever_order_it_is_set_up(void **state)
{
	(void)state;
	auto_fd kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	/* All 24 orders of four steps. */
	for (unsigned order = 0; order < 24; order++) {
		unsigned left[4] = { 0, 1, 2, 3 }, rest = order;

		session_rig_agree();
		session_rig_add_memory();

		for (unsigned n = 4; n > 0; n--) {
			unsigned pick = rest % n, step = left[pick];

			rest /= n;
			memmove(left + pick, left + pick + 1, (n - pick - 1) * sizeof(left[0]));
			session_rig_assert_told("");
			if (step == 0)
				session_rig_set_state(VHOST_USER_SET_VRING_NUM, 1, 16);
			else if (step == 1)
				session_rig_set_addresses(1, USER);
			else if (step == 2)
				session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 1, kick);
			else
				session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 1, 1);
		}
		session_rig_assert_told("start1 kick1");
		session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 1, 1);
		session_rig_assert_told("");
		fd_close(&session_rig.front_end);
		session_rig_assert_ended(0);
		session_rig_open();
		session_rig_assert_told("stop1 closed opened");
	}
}

static void a_kick_before_the_ring_is_enabled_is_not_lost(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	auto_fd kick = session_rig_set_up_ring(0, 0);

	session_rig_kick(kick);
	session_rig_assert_told("");
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	/* The kick of the start, and the guest's own unless it was already served. */
	assert_true(g_str_has_prefix(session_rig.told->str, "start0 kick0"));
	g_string_truncate(session_rig.told, 0);
	session_rig_kick(kick);
	session_rig_assert_told("kick0");
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 0);
	session_rig_assert_told("stop0");
	session_rig_kick(kick);
	session_rig_assert_told("");
}

static void nothing_happens_on_a_ring_after_get_vring_base(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	auto_fd kick = session_rig_set_up_ring(0, 7);

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	assert_int_equal(session_rig_get_base(0), 7);
	session_rig_assert_told("stop0");
	assert_false(vhost_session_vring(session_rig.session, 0)->is_running);
	session_rig_kick(kick);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 0);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	assert_int_equal(session_rig_get_base(0), 7);
	session_rig_assert_told("");
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0, kick);
	assert_true(g_str_has_prefix(session_rig.told->str, "start0 kick0"));
}

static void a_stop_cancels_the_kick_of_the_start(void **state)
{
	(void)state;
	uint32_t enable[2] = { 0, 1 }, disable[2] = { 0, 0 };

	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));

	session_rig_send(VHOST_USER_SET_VRING_ENABLE, V1, enable, sizeof(enable), NULL, 0);
	session_rig_send(VHOST_USER_SET_VRING_ENABLE, V1, disable, sizeof(disable), NULL, 0);
	session_rig_turn();
	session_rig_assert_told("start0 stop0");
}

static void without_protocol_features_a_ring_runs_when_it_is_set_up(void **state)
{
	(void)state;
	session_rig_set_u64(VHOST_USER_SET_FEATURES, BIT64(VIRTIO_F_VERSION_1));
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));

	session_rig_assert_told("start0 kick0");
}

static void a_running_ring_cannot_be_set_up_again(void **state)
{
	(void)state;
	uint32_t num[2] = { 0, 8 }, base[2] = { 0, 3 };
	struct vhost_user_vring_addr addr = {
		0, 0, USER + 0x8000, USER + 0xa000, USER + 0x9000, 0
	};

	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_NUM, num, 8, -1), 1);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_BASE, base, 8, -1), 1);
	assert_int_equal(session_rig_ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1), 1);
	session_rig_assert_told("start0 kick0");
	assert_int_equal(vhost_session_vring(session_rig.session, 0)->size, 16);
	session_rig_set_addresses(0, USER); /* the same values: only the flags may change */
	assert_non_null(session_rig.session);
}

static void an_invalid_ring_is_stopped_and_the_session_goes_on(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 3, 1000, 2048, 65535 }; /* the guest's choice */
	uint64_t count = 0;
	uint32_t enable[2] = { 0, 1 };

	session_rig_agree();
	session_rig_add_memory();
	auto_fd err = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	close(session_rig_set_up_ring(0, 0));

	session_rig_set_queue_fd(VHOST_USER_SET_VRING_ERR, 0, err);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		session_rig_set_state(VHOST_USER_SET_VRING_NUM, 0, sizes[i]);
		assert_int_equal(
			session_rig_ask(VHOST_USER_SET_VRING_ENABLE, enable, sizeof(enable), -1),
			0);
		session_rig_assert_told("");
		assert_int_equal(read(err, &count, sizeof(count)), sizeof(count));
	}
	session_rig_set_state(VHOST_USER_SET_VRING_NUM, 0, 16);
	session_rig_assert_told("start0 kick0");
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 0);
	session_rig_set_addresses(0, USER + 0x100000000); /* nowhere */
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("stop0");
	assert_non_null(session_rig.session);
}

static void a_closed_kick_descriptor_does_not_spin(void **state)
{
	(void)state;
	int pipes[2];

	session_rig_agree();
	session_rig_add_memory();
	auto_fd kick = session_rig_set_up_ring(0, 0);

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0, pipes[0]);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	assert_int_equal(write(pipes[1], "!", 1), 1);
	session_rig_turn();
	session_rig_assert_told("kick0"); /* any readable descriptor can kick */
	close(pipes[0]);
	close(pipes[1]);
	session_rig_turn();
	int64_t before = g_get_monotonic_time();

	assert_int_equal(loop_turn(&session_rig.loop, 20), 0); /* the thread only waits */
	assert_true(g_get_monotonic_time() - before >= 15000);
	session_rig_assert_told("");
	/* With a new descriptor the device is kicked, because a kick may have been lost. */
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0, kick);
	session_rig_assert_told("kick0");
	session_rig_kick(kick);
	session_rig_assert_told("kick0");
}

/* Starts a ring that is kicked through a pipe. */
static void kick_by_pipe(int pipes[2])
{
	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0, pipes[0]);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
}

static void kicks_do_not_fill_a_pipe(void **state)
{
	(void)state;
	const uint64_t one = 1;
	int pipes[2];

	kick_by_pipe(pipes);
	for (unsigned round = 0; round < 3; round++) {
		unsigned n = 0;

		while (write(pipes[1], &one, sizeof(one)) == sizeof(one))
			n++;
		assert_true(n > 512);
		for (unsigned i = 0; i < 40; i++)
			session_rig_turn();
		assert_true(g_str_has_prefix(session_rig.told->str, "kick0"));
		g_string_truncate(session_rig.told, 0);
	}
	close(pipes[0]);
	close(pipes[1]);
}

static void every_kick_of_an_eventfd_is_handled(void **state)
{
	(void)state;

	session_rig_agree();
	session_rig_add_memory();
	auto_fd kick = session_rig_set_up_ring(0, 0);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	for (unsigned i = 0; i < 1000; i++) {
		session_rig_kick(kick);
		session_rig_assert_told("kick0");
	}
}

static void the_last_kick_before_a_hang_up_is_handled(void **state)
{
	(void)state;
	int pipes[2];

	kick_by_pipe(pipes);
	assert_int_equal(write(pipes[1], "!", 1), 1);
	close(pipes[1]);
	session_rig_turn();
	session_rig_assert_told("kick0");
	close(pipes[0]);
}

static void a_queue_without_a_kick_descriptor_stops(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	auto_fd kick = session_rig_set_up_ring(0, 0);

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0x100,
				 -1); /* polling is not supported here */
	session_rig_assert_told("stop0");
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, 0, kick);
	session_rig_assert_told("start0 kick0");
	assert_non_null(session_rig.session);
}

static void a_ring_is_stopped_before_the_device_learns_of_removed_memory(void **state)
{
	(void)state;
	struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };

	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_send(VHOST_USER_REM_MEM_REG, V1, &reg, sizeof(reg), NULL, 0);
	session_rig_turn();
	session_rig_assert_told("start0 kick0 memory");
	assert_true(vhost_session_vring(session_rig.session, 0)->is_broken);
}

static void reset_owner_stops_the_rings(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));
	close(session_rig_set_up_ring(1, 0));

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 1, 1);
	g_string_truncate(session_rig.told, 0);
	session_rig_send(VHOST_USER_RESET_OWNER, V1, NULL, 0, NULL, 0);
	session_rig_turn();
	session_rig_assert_told("stop0 stop1");
}

static void reset_device_stops_the_rings_and_is_the_only_reset(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	int kick = session_rig_set_up_ring(0, 5);

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	session_rig_send(VHOST_USER_RESET_DEVICE, V1, NULL, 0, NULL, 0);
	session_rig_turn();
	session_rig_assert_told("stop0 reset");
	close(kick);

	/* As QEMU does: stop, RESET_DEVICE, and the ring starts from 0. */
	kick = session_rig_set_up_ring(0, 5);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	assert_int_equal(session_rig_get_base(0), 5);
	session_rig_assert_told("start0 kick0 stop0");
	session_rig_send(VHOST_USER_RESET_DEVICE, V1, NULL, 0, NULL, 0);
	session_rig_turn();
	session_rig_assert_told("reset");
	close(kick);
	kick = session_rig_set_up_ring(0, 0);
	session_rig_assert_told(""); /* it was disabled */
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_assert_told("start0 kick0");
	close(kick);
}

static void a_ring_that_starts_from_0_again_is_a_reset(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	int kick = session_rig_set_up_ring(0, 5);

	session_rig_assert_told(""); /* the first start is not a reset */
	close(kick);
	assert_int_equal(session_rig_get_base(0), 5);
	kick = session_rig_set_up_ring(0, 5); /* stop and cont */
	session_rig_assert_told("");
	close(kick);
	assert_int_equal(session_rig_get_base(0), 5);
	kick = session_rig_set_up_ring(0, 0);
	session_rig_assert_told("reset");
	close(kick);
	session_rig_set_state(VHOST_USER_SET_VRING_BASE, 0, 0); /* no second reset */
	assert_int_equal(session_rig_get_base(0), 0);
	session_rig_set_state(VHOST_USER_SET_VRING_BASE, 0, 0);
	assert_int_equal(session_rig_get_base(1), 0);
	session_rig_set_state(VHOST_USER_SET_VRING_BASE, 1, 0);
	session_rig_assert_told("");
}

/* A front-end may set up queue 1 before queue 0, whose index then shows the reset. */
static void a_reset_by_the_first_queue_leaves_the_second_running(void **state)
{
	(void)state;
	session_rig_set_u64(VHOST_USER_SET_FEATURES, BIT64(VIRTIO_F_VERSION_1));
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 5));
	assert_int_equal(session_rig_get_base(0), 5);
	session_rig_assert_told("start0 kick0 stop0");
	close(session_rig_set_up_ring(1, 0));
	session_rig_assert_told("start1 kick1");
	close(session_rig_set_up_ring(0, 0));
	session_rig_assert_told("stop1 reset start1 kick1 start0 kick0");
	assert_true(vhost_session_vring(session_rig.session, 1)->is_running);
}

static void a_call_descriptor_can_be_set_while_the_ring_runs(void **state)
{
	(void)state;
	uint64_t count = 0;

	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));
	auto_fd call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_CALL, 0, call);
	assert_int_equal(read(call, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_CALL, 0x100, -1);
	assert_int_equal(vhost_session_vring(session_rig.session, 0)->call_fd, -1);
}

static void event_idx_is_used_if_it_was_accepted(void **state)
{
	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));

	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	assert_false(vhost_session_vring(session_rig.session, 0)->has_event_idx);
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 0);
	session_rig_set_u64(VHOST_USER_SET_FEATURES, BIT64(VIRTIO_RING_F_EVENT_IDX) |
							     BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |
							     BIT64(VIRTIO_F_VERSION_1));
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	assert_true(vhost_session_vring(session_rig.session, 0)->has_event_idx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, session_rig_setup, session_rig_teardown)
		TEST(a_ring_starts_once_in_whatever_order_it_is_set_up),
		TEST(a_kick_before_the_ring_is_enabled_is_not_lost),
		TEST(nothing_happens_on_a_ring_after_get_vring_base),
		TEST(a_stop_cancels_the_kick_of_the_start),
		TEST(without_protocol_features_a_ring_runs_when_it_is_set_up),
		TEST(a_running_ring_cannot_be_set_up_again),
		TEST(an_invalid_ring_is_stopped_and_the_session_goes_on),
		TEST(a_closed_kick_descriptor_does_not_spin),
		TEST(kicks_do_not_fill_a_pipe),
		TEST(every_kick_of_an_eventfd_is_handled),
		TEST(the_last_kick_before_a_hang_up_is_handled),
		TEST(a_queue_without_a_kick_descriptor_stops),
		TEST(a_ring_is_stopped_before_the_device_learns_of_removed_memory),
		TEST(reset_owner_stops_the_rings),
		TEST(reset_device_stops_the_rings_and_is_the_only_reset),
		TEST(a_ring_that_starts_from_0_again_is_a_reset),
		TEST(a_reset_by_the_first_queue_leaves_the_second_running),
		TEST(a_call_descriptor_can_be_set_while_the_ring_runs),
		TEST(event_idx_is_used_if_it_was_accepted),
	};

	log_set_level(g_getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
