// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The shared memory region that the front-end gives the guest: the requests MAP, UNMAP and BARRIER
 * (it changes nothing, but its reply proves that the maps before it are in place), and their order.
 * Also what happens in each state of a map when the reply comes late, in pieces, as a refusal or
 * never, when the rings stop, the device is reset, the owner of the map is freed, or the front-end
 * disconnects.
 */
#include "shmem_rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define REPLY (VHOST_USER_VERSION | VHOST_USER_REPLY)

/* ---- without errors ---- */

static void a_map_is_reported_after_a_barrier(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(3), 0);
	shmem_rig_assert_told(3, NOT_TOLD);
	shmem_rig_expect(MAP, 3);
	shmem_rig_answer(MAP, 0);
	shmem_rig_assert_told(3, NOT_TOLD);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_assert_told(3, NOT_TOLD);
	shmem_rig_answer(BARRIER, 1);
	shmem_rig_assert_told(3, 0);
	shmem_rig_expect_nothing();
	shmem_rig_have_unmapped(3);
	shmem_rig_expect_nothing();
	shmem_rig_have_mapped(3);
}

static void a_batch_needs_one_barrier(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(shmem_rig_map(i), 0);
	for (unsigned i = 0; i < 3; i++) {
		shmem_rig_expect(MAP, i);
		shmem_rig_expect_nothing(); /* only one request is in flight */
		shmem_rig_answer(MAP, 0);
		if (i > 0)
			shmem_rig_assert_told(i - 1, 0); /* a later reply shows that it is done */
		shmem_rig_assert_told(i, NOT_TOLD);
	}
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(2, 0);
	shmem_rig_expect_nothing();
}

static void an_unmap_is_sent_before_a_later_map_of_the_same_part(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	assert_int_equal(shmem_rig_map(1), 0);
	assert_int_equal(shmem_rig_unmap(0), 0);
	assert_int_equal(shmem_rig_map_at(2, 0, PAGE), 0);
	shmem_rig_expect(MAP, 1);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_assert_told(1, 0);
	shmem_rig_assert_told(0, 0);
	/* The file of owner 2, in page 0. */
	int fd = shmem_rig.owners[0].fd;

	shmem_rig.owners[0].fd = shmem_rig.owners[2].fd;
	shmem_rig_expect(MAP, 0);
	shmem_rig.owners[0].fd = fd;
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(2, 0);
}

static void replies_may_come_in_pieces(void **state)
{
	const struct {
		struct vhost_user_header header;
		uint64_t value;
	} __attribute__((packed)) reply = { { MAP, REPLY, 8 }, 0 };

	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	for (size_t i = 0; i < sizeof(reply); i++) {
		shmem_rig_expect_nothing();
		shmem_rig_send((const char *)&reply + i, 1);
	}
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
}

/* ---- refusals ---- */

static void ranges_outside_the_window_are_refused(void **state)
{
	static const struct {
		uint64_t offset, size;
	} bad[] = {
		{ 0, 0 },
		{ 1, PAGE },
		{ PAGE - 1, PAGE },
		{ 0, PAGE - 1 },
		{ 0, PAGE + 1 },
		{ WINDOW_SIZE, PAGE },
		{ WINDOW_SIZE - PAGE, 2 * PAGE },
		{ 0, WINDOW_SIZE + PAGE },
		{ PAGE, WINDOW_SIZE },
		{ UINT64_MAX - PAGE + 1, PAGE },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE },
		{ PAGE, UINT64_MAX - PAGE + 1 },
		{ UINT64_MAX, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(shmem_rig_map_at(0, bad[i].offset, bad[i].size), -EINVAL);
	shmem_rig_expect_nothing();
	assert_int_equal(shmem_rig_map_at(0, WINDOW_SIZE - PAGE, PAGE), 0);
	assert_int_equal(shmem_rig_map_at(1, 0, WINDOW_SIZE - PAGE), 0);
	shmem_rig_forget(0);
	shmem_rig_forget(1);
}

static void overlapping_ranges_are_refused(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map_at(0, 4 * PAGE, 4 * PAGE), 0);
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(shmem_rig_map_at(1, i * PAGE, 4 * PAGE), -EINVAL);
	assert_int_equal(shmem_rig_map_at(1, 0, 16 * PAGE), -EINVAL);
	assert_int_equal(shmem_rig_map_at(1, 5 * PAGE, PAGE), -EINVAL);
	assert_int_equal(shmem_rig_map_at(1, 0, 4 * PAGE), 0);
	assert_int_equal(shmem_rig_map_at(2, 8 * PAGE, 4 * PAGE), 0);
	for (unsigned i = 0; i < 3; i++)
		shmem_rig_forget(i);
}

static void there_are_at_most_as_many_maps_as_qemu_supports(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHMEM_MAX_PARTS; i++)
		assert_int_equal(shmem_rig_map(i), 0);
	assert_int_equal(shmem_rig_map(SHMEM_MAX_PARTS), -ENOSPC);
	shmem_rig_forget(SHMEM_MAX_PARTS - 1);
	assert_int_equal(shmem_rig_map(SHMEM_MAX_PARTS), 0);
	for (unsigned i = 0; i <= SHMEM_MAX_PARTS; i++)
		shmem_rig_forget(i);
}

static void a_refused_map_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 1);
	shmem_rig_assert_told(0, -EINVAL);
	shmem_rig_expect_nothing();
	shmem_rig_have_mapped(0);
}

static void a_part_that_is_not_unmapped_is_not_used_again(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	assert_int_equal(shmem_rig_unmap(0), 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 1);
	shmem_rig_assert_told(0, -EINVAL);
	assert_int_equal(shmem_rig_map(0), -EINVAL);
	shmem_rig_have_mapped(1);
	/* A reset drops the map. */
	shmem_reset(&shmem_rig.shmem);
	shmem_rig_have_mapped(0);
}

static void maps_that_wait_for_a_refused_unmap_fail(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	assert_int_equal(shmem_rig_unmap(0), 0);
	assert_int_equal(shmem_rig_map_at(1, 0, 2 * PAGE), 0); /* page 0 is about to be unmapped */
	assert_int_equal(shmem_rig_map(2), 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 1);
	shmem_rig_assert_told(0, -EINVAL);
	shmem_rig_assert_told(1, -EINVAL);
	shmem_rig_expect(MAP, 2);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(2, 0);
	shmem_rig_forget(2);
}

/* ---- time ---- */

static void a_map_that_succeeds_late_is_unmapped(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(0, -ETIMEDOUT);
	shmem_rig_assert_told(1, -ETIMEDOUT);
	assert_int_equal(shmem_rig_map(2), -ETIMEDOUT);
	shmem_rig_expect_nothing();
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(UNMAP, 0);
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect_nothing();
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_forget(0);
}

static void a_map_that_is_refused_late_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(0, -ETIMEDOUT);
	shmem_rig_answer(MAP, 1);
	shmem_rig_expect_nothing();
	shmem_rig_have_mapped(0);
}

static void an_unmap_without_a_reply_times_out(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
	shmem_rig_have_mapped(2);
	assert_int_equal(shmem_rig_unmap(0), 0);
	assert_int_equal(shmem_rig_unmap(1), 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(0, -ETIMEDOUT);
	shmem_rig_assert_told(1, -ETIMEDOUT);
	assert_int_equal(shmem_rig_unmap(2), -ETIMEDOUT);
	assert_int_equal(shmem_rig_map(0), -ETIMEDOUT);
	shmem_rig_expect_nothing();
	/* When the late reply comes, the maps whose unmaps timed out are unmapped all the same. */
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(UNMAP, 1);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(UNMAP, 2);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_have_mapped(0);
}

static void after_a_barrier_without_a_reply_maps_succeed_and_no_barrier_follows(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(0, 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(shmem_rig_map(i), 0);
		shmem_rig_expect(MAP, i);
		if (i == 1)
			shmem_rig_answer(BARRIER, 1); /* its reply may still come */
		shmem_rig_assert_told(i, NOT_TOLD);
		shmem_rig_answer(MAP, 0);
		shmem_rig_assert_told(i, 0);
		shmem_rig_expect_nothing();
	}
	assert_int_equal(shmem_rig.failed, 0);
}

static void a_barrier_with_half_a_reply_counts_as_unanswered(void **state)
{
	const struct {
		struct vhost_user_header header;
		uint64_t value;
	} __attribute__((packed)) reply = { { BARRIER, REPLY, 8 }, 0 };
	const size_t half = sizeof(reply.header) + 3;

	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_send(&reply, half);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(0, 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 1);
	shmem_rig_send((const char *)&reply + half, sizeof(reply) - half);
	shmem_rig_assert_told(1, NOT_TOLD);
	shmem_rig_answer(MAP, 0);
	shmem_rig_assert_told(1, 0);
	assert_int_equal(shmem_rig.failed, 0);
	shmem_rig_forget(0);
	shmem_rig_forget(1);
}

/* Fills the socket to the front-end, which does not read. */
static void fill_channel(void)
{
	const char junk[4096] = { 0 };

	while (send(shmem_rig.shmem.channel.fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
}

static void a_channel_without_room_for_a_barrier_is_closed(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(MAP, 1);
	shmem_rig_assert_told(0, NOT_TOLD);
	fill_channel();
	shmem_rig_answer(MAP, 0);
	shmem_rig_assert_told(0, 0);
	assert_int_equal(shmem_rig_unmap(0), 0);
	shmem_rig_run_out_of_time();
	shmem_rig_assert_told(1, 0);
	shmem_rig_assert_told(0, -ENOTCONN);
	assert_int_equal(shmem_rig_map(2), -ENOTCONN);
	assert_int_equal(shmem_rig.failed, 0);
	shmem_rig_connect();
	assert_int_equal(shmem_rig_map(0), -EINVAL); /* it may still be mapped */
	shmem_rig_have_mapped(2);
	shmem_rig_have_unmapped(1);
}

/* A turn may be longer than the time-out: the renderer's library is busy, or the front-end waits
 * for the daemon. */
static void a_barrier_answered_during_a_long_turn_is_not_late(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	g_usleep((SHMEM_BARRIER_MS + 100) * 1000);
	shmem_rig_turn(); /* the timer first, which is a possible order */
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_answer(BARRIER, 1);
	shmem_rig_assert_told(0, 0);
	shmem_rig_have_mapped(1);
}

static void each_request_has_its_own_time_out(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 0);
	loop_timer_arm(&shmem_rig.shmem.timer, 1); /* shortly before the time-out */
	g_usleep(5000);
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(MAP, 1);
	loop_timer_arm(&shmem_rig.shmem.timer, 1);
	g_usleep(5000);
	shmem_rig_assert_told(1, NOT_TOLD);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
	shmem_rig_assert_told(1, 0);
}

/* ---- stopped rings ---- */

static void nothing_is_mapped_or_unmapped_while_the_rings_are_stopped(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
	shmem_set_running(&shmem_rig.shmem, false);
	assert_int_equal(shmem_rig_unmap(0), 0);
	shmem_rig_forget(1);
	assert_int_equal(shmem_rig_map(2), 0);
	shmem_rig_expect_nothing();
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_assert_told(0, 0);
	shmem_rig_expect(UNMAP, 1);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(MAP, 2);
	shmem_rig_forget(2);
}

static void a_reply_while_stopped_is_reported(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 0);
	shmem_set_running(&shmem_rig.shmem, false);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0); /* it changes no map, so it may be sent */
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
	shmem_rig_expect_nothing();
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect(MAP, 1);
	shmem_rig_forget(1);
}

/* ---- owners that are freed ---- */

static void a_map_dropped_before_it_is_sent_is_never_sent(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	assert_int_equal(shmem_rig_map(1), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_forget(1);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
	shmem_rig_expect_nothing();
}

static void a_map_dropped_in_flight_is_unmapped_before_the_next_map(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_forget(0);
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
}

static void a_map_dropped_before_its_barrier_is_unmapped(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_forget(0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_have_mapped(0);
}

static void an_unmap_whose_owner_is_gone_is_not_reported(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
	assert_int_equal(shmem_rig_unmap(0), 0);
	assert_int_equal(shmem_rig_unmap(1), 0); /* waits */
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_forget(0);
	shmem_rig_forget(1);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect(UNMAP, 1);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_expect_nothing();
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
}

static void an_unmap_without_an_owner_is_sent_before_a_later_map(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	assert_int_equal(shmem_rig_map(1), 0);
	assert_int_equal(shmem_rig_unmap(0), 0);
	assert_int_equal(shmem_rig_map_at(2, 0, PAGE), 0);
	shmem_rig_forget(0);
	shmem_rig_expect(MAP, 1);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_assert_told(1, 0);
	shmem_rig_forget(2);
	shmem_rig_forget(1);
}

/* ---- resets ---- */

static void a_reset_drops_maps_without_a_message(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
	shmem_set_running(&shmem_rig.shmem, false);
	assert_int_equal(shmem_rig_unmap(1), 0);
	assert_int_equal(shmem_rig_map(2), 0);
	shmem_reset(&shmem_rig.shmem);
	for (unsigned i = 0; i < 3; i++)
		assert_null(shmem_rig.owners[i].mapping.part);
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect_nothing();
	for (unsigned i = 0; i < 3; i++)
		shmem_rig_have_mapped(i);
}

static void a_map_in_flight_over_a_reset_is_unmapped(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_set_running(&shmem_rig.shmem, false);
	shmem_reset(&shmem_rig.shmem);
	assert_null(shmem_rig.owners[0].mapping.part);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect_nothing(); /* the rings are stopped */
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 1); /* refused, because the reset has already removed the map */
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
}

/* The device learns of the reset only when the rings start again, so replies that come before that
 * are handled as if there were no reset. */
static void a_map_that_was_answered_while_stopped_is_unmapped_after_a_reset(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_set_running(&shmem_rig.shmem, false);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, 0);
	shmem_reset(&shmem_rig.shmem);
	shmem_reset(&shmem_rig.shmem); /* once for each ring */
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_have_mapped(0);
	/* At the second reset the map existed before the rings stopped, so no UNMAP is sent. */
	shmem_set_running(&shmem_rig.shmem, false);
	shmem_reset(&shmem_rig.shmem);
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_expect_nothing();
}

static void an_unmap_in_flight_over_a_reset_ends_with_any_reply(void **state)
{
	(void)state;
	for (uint64_t answer = 0; answer < 2; answer++) {
		shmem_rig_have_mapped(0);
		assert_int_equal(shmem_rig_unmap(0), 0);
		shmem_rig_expect(UNMAP, 0);
		shmem_set_running(&shmem_rig.shmem, false);
		shmem_reset(&shmem_rig.shmem);
		shmem_set_running(&shmem_rig.shmem, true);
		shmem_rig_answer(UNMAP, answer);
		shmem_rig_expect_nothing();
	}
	shmem_rig_have_mapped(0);
}

static void a_reset_before_the_barrier_drops_the_map(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_reset(&shmem_rig.shmem);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_expect_nothing();
	shmem_rig_have_mapped(0);
}

/* ---- channels that end ---- */

static void a_hang_up_ends_all_pending_requests(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_have_mapped(1);
	assert_int_equal(shmem_rig_unmap(1), 0);
	shmem_rig_expect(UNMAP, 1);
	assert_int_equal(shmem_rig_map(2), 0);
	fd_close(&shmem_rig.front_end);
	shmem_rig_assert_told(1, -ENOTCONN);
	shmem_rig_assert_told(2, -ENOTCONN);
	shmem_rig_assert_told(0, NOT_TOLD); /* it is still mapped */
	assert_int_equal(shmem_rig_map(3), -ENOTCONN);
	assert_int_equal(shmem_rig_unmap(0), -ENOTCONN);
	assert_int_equal(shmem_rig.failed, 0);
	/* A part whose unmap was not confirmed is not used again; one whose MAP was never sent is
	 * free again. */
	shmem_rig_connect();
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_answer(UNMAP, 0);
	assert_int_equal(shmem_rig_map(1), -EINVAL);
	shmem_rig_have_mapped(2);
	shmem_rig_have_mapped(0);
}

static void a_part_whose_map_is_in_flight_at_a_hang_up_is_not_used_again(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	fd_close(&shmem_rig.front_end);
	shmem_rig_assert_told(0, -ENOTCONN);
	shmem_rig_connect();
	assert_int_equal(shmem_rig_map(0), -EINVAL);
	shmem_rig_have_mapped(1);
}

static void an_unowned_part_whose_unmap_is_in_flight_at_a_hang_up_is_not_used_again(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_forget(0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(UNMAP, 0);
	shmem_rig_connect();
	assert_int_equal(shmem_rig_map(0), -EINVAL);
	shmem_rig_have_mapped(1);
	shmem_rig_forget(1);
}

static void a_hang_up_before_the_barrier_completes_the_map(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	fd_close(&shmem_rig.front_end);
	shmem_rig_assert_told(0, 0);
	shmem_rig_forget(0);
}

static void a_new_channel_ends_requests_on_the_old_one(void **state)
{
	(void)state;
	assert_int_equal(shmem_rig_map(0), 0);
	shmem_rig_expect(MAP, 0);
	shmem_rig_connect();
	shmem_rig_assert_told(0, -ENOTCONN);
	shmem_rig_have_mapped(1);
}

/* ---- invalid replies ---- */

static void an_invalid_reply_ends_the_session(void **state)
{
	static const struct {
		struct vhost_user_header header;
		uint64_t value;
	} __attribute__((packed)) wrong[] = {
		{ { UNMAP, REPLY, 8 }, 0 },
		{ { BARRIER, REPLY, 8 }, 0 },
		{ { MAP, VHOST_USER_VERSION, 8 }, 0 },
		{ { MAP, VHOST_USER_REPLY, 8 }, 0 },
		{ { MAP, REPLY, 4096 + 1 }, 0 },
		{ { MAP, REPLY, UINT32_MAX }, 0 },
		{ { 0, 0, 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		shmem_rig.failed = 0;
		assert_int_equal(shmem_rig_map_at(i, i * PAGE, PAGE), 0);
		shmem_rig_send(&wrong[i], sizeof(wrong[i]));
		assert_int_equal(shmem_rig.failed, -EPROTO);
		shmem_rig_assert_told(i, -ENOTCONN);
		shmem_rig_connect();
	}
}

static void a_reply_of_another_size_ends_the_session(void **state)
{
	static const struct {
		struct vhost_user_header header;
		uint8_t bytes[16];
	} wrong[] = {
		{ { MAP, REPLY, 0 }, { 0 } },
		{ { MAP, REPLY, 4 }, { 0 } },
		{ { MAP, REPLY, 16 }, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		shmem_rig.failed = 0;
		assert_int_equal(shmem_rig_map_at(i, i * PAGE, PAGE), 0);
		shmem_rig_send(&wrong[i], sizeof(wrong[i].header) + wrong[i].header.size);
		assert_int_equal(shmem_rig.failed, -EPROTO);
		shmem_rig_assert_told(i, -ENOTCONN);
		shmem_rig_connect();
	}
}

static void a_reply_without_a_request_ends_the_session(void **state)
{
	(void)state;
	shmem_rig_have_mapped(0);
	shmem_rig_answer(MAP, 0);
	assert_int_equal(shmem_rig.failed, -EPROTO);
	shmem_rig_assert_told(0, NOT_TOLD);
	shmem_rig_forget(0);
}

/* ---- maps that come back as guest memory ---- */

static void files_of_maps_are_recognised_while_they_may_be_mapped(void **state)
{
	struct shmem *shmem = &shmem_rig.shmem;
	const uint64_t gpa = UINT64_C(0xe0000000);
	auto_fd other = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(shmem_rig_map(1), 0);
	int fd = shmem_rig.owners[1].fd;

	assert_true(shmem_owns_file(shmem, fd, gpa + PAGE,
				    PAGE)); /* QEMU 11.2 adds the region before it replies */
	assert_false(shmem_owns_file(shmem, other, gpa, PAGE));
	shmem_rig_expect(MAP, 1);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 0);
	shmem_rig_assert_told(1, 0);
	assert_true(shmem_owns_file(shmem, fd, gpa + PAGE, PAGE));
	assert_int_equal(shmem_rig_unmap(1), 0);
	assert_true(shmem_owns_file(shmem, fd, gpa + PAGE, PAGE));
	shmem_rig_expect(UNMAP, 1);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_assert_told(1, 0);
	assert_false(shmem_owns_file(shmem, fd, gpa + PAGE, PAGE));
	/* QEMU removes the memory region after the unmap. The daemon then recognises it by its
	 * address, no longer by its file. */
	assert_true(shmem_owns_address(shmem, gpa + PAGE, PAGE));
	assert_true(shmem_owns_address(shmem, gpa, WINDOW_SIZE));
	assert_false(shmem_owns_address(shmem, gpa - PAGE, PAGE));
	assert_false(shmem_owns_address(shmem, gpa, WINDOW_SIZE + PAGE));
	assert_false(shmem_owns_address(shmem, gpa + WINDOW_SIZE, PAGE));
	assert_false(shmem_owns_address(shmem, UINT64_MAX - PAGE + 1, PAGE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, shmem_rig_setup, shmem_rig_teardown)
		TEST(a_map_is_reported_after_a_barrier),
		TEST(a_batch_needs_one_barrier),
		TEST(an_unmap_is_sent_before_a_later_map_of_the_same_part),
		TEST(replies_may_come_in_pieces),
		TEST(ranges_outside_the_window_are_refused),
		TEST(overlapping_ranges_are_refused),
		TEST(there_are_at_most_as_many_maps_as_qemu_supports),
		TEST(a_refused_map_leaves_nothing),
		TEST(a_part_that_is_not_unmapped_is_not_used_again),
		TEST(maps_that_wait_for_a_refused_unmap_fail),
		TEST(a_map_that_succeeds_late_is_unmapped),
		TEST(a_map_that_is_refused_late_leaves_nothing),
		TEST(an_unmap_without_a_reply_times_out),
		TEST(after_a_barrier_without_a_reply_maps_succeed_and_no_barrier_follows),
		TEST(a_barrier_with_half_a_reply_counts_as_unanswered),
		TEST(a_channel_without_room_for_a_barrier_is_closed),
		TEST(a_barrier_answered_during_a_long_turn_is_not_late),
		TEST(each_request_has_its_own_time_out),
		TEST(nothing_is_mapped_or_unmapped_while_the_rings_are_stopped),
		TEST(a_reply_while_stopped_is_reported),
		TEST(a_map_dropped_before_it_is_sent_is_never_sent),
		TEST(a_map_dropped_in_flight_is_unmapped_before_the_next_map),
		TEST(a_map_dropped_before_its_barrier_is_unmapped),
		TEST(an_unmap_whose_owner_is_gone_is_not_reported),
		TEST(an_unmap_without_an_owner_is_sent_before_a_later_map),
		TEST(a_reset_drops_maps_without_a_message),
		TEST(a_map_in_flight_over_a_reset_is_unmapped),
		TEST(a_map_that_was_answered_while_stopped_is_unmapped_after_a_reset),
		TEST(an_unmap_in_flight_over_a_reset_ends_with_any_reply),
		TEST(a_reset_before_the_barrier_drops_the_map),
		TEST(a_hang_up_ends_all_pending_requests),
		TEST(a_part_whose_map_is_in_flight_at_a_hang_up_is_not_used_again),
		TEST(an_unowned_part_whose_unmap_is_in_flight_at_a_hang_up_is_not_used_again),
		TEST(a_hang_up_before_the_barrier_completes_the_map),
		TEST(a_new_channel_ends_requests_on_the_old_one),
		TEST(an_invalid_reply_ends_the_session),
		TEST(a_reply_of_another_size_ends_the_session),
		TEST(a_reply_without_a_request_ends_the_session),
		TEST(files_of_maps_are_recognised_while_they_may_be_mapped),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
