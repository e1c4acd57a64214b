// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The device's side of a ring against a driver that sends invalid indices, chains and tables. */
#include "vring_rig.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static void assert_broken(void)
{
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_true(vring_rig.vring.is_broken);
	assert_int_equal(vring_rig_take_signals(vring_rig.err_fd), 1);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig_take_signals(vring_rig.err_fd), 0);
	assert_false(vring_enable_kicks(&vring_rig.vring));
	assert_false(vring_reload(&vring_rig.vring, 0, &vring_rig.chain));
	uint16_t before = vring_rig.used->idx;

	vring_push(&vring_rig.vring, 0, 0);
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig.used->idx, before);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 0);
}

static void a_head_out_of_range_stops_the_ring_until_it_is_set_up_again(void **state)
{
	(void)state;
	vring_rig_offer(SIZE);
	assert_broken();
	vring_stop(&vring_rig.vring);
	vring_rig.avail->ring[0] = GOOD;
	vring_rig.desc[GOOD] = vring_rig_buffer(0, 24, 0, 0);
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.chain.head, GOOD);
}

static void an_available_index_too_far_ahead_stops_the_ring(void **state)
{
	(void)state;
	vring_rig.avail->idx = SIZE + 1;
	assert_broken();
	vring_stop(&vring_rig.vring);
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	vring_rig.avail->idx = UINT16_MAX; /* one back */
	assert_broken();
}

static void more_chains_in_flight_than_descriptors_stop_the_ring(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIZE; i++) {
		vring_rig_offer_good();
		assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	}
	vring_rig_offer_good();
	assert_broken();
}

static void an_invalid_ring_does_not_start(void **state)
{
	(void)state;
	static const struct {
		uint16_t size;
		struct vring_addresses addresses;
	} cases[] = {
		{ 0, { AT_DESC, AT_USED, AT_AVAIL } },
		{ 3, { AT_DESC, AT_USED, AT_AVAIL } },
		{ 2048, { AT_DESC, AT_USED, AT_AVAIL } },
		{ SIZE, { AT_DESC + 8, AT_USED, AT_AVAIL } },
		{ SIZE, { AT_DESC, AT_USED + 2, AT_AVAIL } },
		{ SIZE, { AT_DESC, AT_USED, AT_AVAIL + 1 } },
		{ SIZE, { FIRST_SIZE - SIZE * 16 + 16, AT_USED, AT_AVAIL } },
		{ SIZE, { AT_DESC, FIRST_SIZE - SIZE * 8 - 4, AT_AVAIL } },
		{ SIZE, { AT_DESC, AT_USED, FIRST_SIZE - SIZE * 2 - 4 } },
		{ SIZE, { UINT64_MAX - USER - 15, AT_USED, AT_AVAIL } },
	};

	vring_stop(&vring_rig.vring);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		vring_rig.vring.size = cases[i].size;
		vring_rig.vring.addresses = cases[i].addresses;
		vring_rig.vring.addresses.desc += USER;
		vring_rig.vring.addresses.used += USER;
		vring_rig.vring.addresses.avail += USER;
		assert_int_equal(vring_start(&vring_rig.vring), -EPROTO);
		assert_false(vring_rig.vring.is_running);
		assert_int_equal(vring_rig_take_signals(vring_rig.err_fd), 1);
		assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	}
	/* The first and last bytes of a region are valid. */
	vring_rig.vring.size = SIZE;
	vring_rig.vring.addresses = (struct vring_addresses){
		.desc = USER + FIRST_SIZE - SIZE * 16,
		.used = USER + AT_USED,
		.avail = USER + AT_AVAIL,
	};
	assert_int_equal(vring_start(&vring_rig.vring), 0);
}

static void removed_memory_stops_the_ring(void **state)
{
	(void)state;
	vring_rig_offer_good();
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(guest_memory_set(&vring_rig.memory, NULL, NULL, 0), 0);
	vring_memory_changed(&vring_rig.vring);
	assert_true(vring_rig.vring.is_broken);
	vring_memory_changed(&vring_rig.vring);
	assert_int_equal(vring_rig_take_signals(vring_rig.err_fd), 1);
	vring_push(&vring_rig.vring, vring_rig.chain.head, 0);
	vring_notify(&vring_rig.vring);
	vring_disable_kicks(&vring_rig.vring);
	assert_false(vring_enable_kicks(&vring_rig.vring));
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_false(vring_reload(&vring_rig.vring, GOOD, &vring_rig.chain));
	vring_set_call(&vring_rig.vring, -1);
}

#define TABLE (GPA + AT_TABLE)
#define BUF   (GPA + AT_BUFFERS)

/* Chains that start at descriptor 0; unused entries of a case stay zero. */
static const struct {
	const char *why;
	struct vring_desc ring[4], table[4];
} bad_chains[] = {
	{ "it is its own next", { { BUF, 8, NEXT, 0 } }, { { 0 } } },
	{ "a circle of two", { { BUF, 8, NEXT, 1 }, { BUF, 8, NEXT, 0 } }, { { 0 } } },
	{ "a circle of nothing", { { BUF, 0, NEXT, 0 } }, { { 0 } } },
	{ "next is out of range", { { BUF, 8, NEXT, SIZE } }, { { 0 } } },
	{ "readable after writable", { { BUF, 8, WRITE | NEXT, 1 }, { BUF, 8, 0, 0 } }, { { 0 } } },
	{ "readable after an empty writable",
	  { { BUF, 0, WRITE | NEXT, 1 }, { BUF, 8, 0, 0 } },
	  { { 0 } } },
	{ "outside of memory", { { 0x1000, 8, 0, 0 } }, { { 0 } } },
	{ "writable outside of memory", { { 0x1000, 8, WRITE, 0 } }, { { 0 } } },
	{ "ends outside", { { GPA + FIRST_SIZE + SECOND_SIZE - 7, 8, 0, 0 } }, { { 0 } } },
	{ "wraps", { { UINT64_MAX - 3, 8, 0, 0 } }, { { 0 } } },
	{ "as long as can be", { { BUF, UINT32_MAX, 0, 0 } }, { { 0 } } },
	{ "an indirect table of no bytes", { { TABLE, 0, INDIRECT, 0 } }, { { BUF, 8, 0, 0 } } },
	{ "an indirect table that is cut", { { TABLE, 24, INDIRECT, 0 } }, { { BUF, 8, 0, 0 } } },
	{ "an indirect table too long",
	  { { TABLE, (VRING_MAX_SIZE + 1) * 16, INDIRECT, 0 } },
	  { { BUF, 8, 0, 0 } } },
	{ "an indirect table outside", { { 0x1000, 16, INDIRECT, 0 } }, { { BUF, 8, 0, 0 } } },
	{ "an indirect table and more",
	  { { TABLE, 16, INDIRECT | NEXT, 1 }, { BUF, 8, WRITE, 0 } },
	  { { BUF, 8, 0, 0 } } },
	{ "indirect in indirect",
	  { { TABLE, 32, INDIRECT, 0 } },
	  { { TABLE + 16, 16, INDIRECT, 0 }, { BUF, 8, 0, 0 } } },
	{ "a circle in the table",
	  { { TABLE, 32, INDIRECT, 0 } },
	  { { BUF, 8, NEXT, 1 }, { BUF, 8, NEXT, 0 } } },
	{ "next is outside of the table",
	  { { TABLE, 32, INDIRECT, 0 } },
	  { { BUF, 8, NEXT, 2 }, { BUF, 8, 0, 0 }, { BUF, 8, 0, 0 } } },
	{ "writable before the table's readable",
	  { { BUF, 8, WRITE | NEXT, 1 }, { TABLE, 16, INDIRECT, 0 } },
	  { { BUF, 8, 0, 0 } } },
};

static void an_invalid_chain_is_returned_and_the_next_is_served(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad_chains); i++) {
		uint16_t before = vring_rig.used->idx;

		memcpy(vring_rig.desc, bad_chains[i].ring, sizeof(bad_chains[i].ring));
		memcpy(vring_rig.table, bad_chains[i].table, sizeof(bad_chains[i].table));
		vring_rig_offer(0);
		vring_rig_offer_good();
		if (!vring_pop(&vring_rig.vring, &vring_rig.chain) || vring_rig.chain.head != GOOD)
			fail_msg("%s: the next chain is not served", bad_chains[i].why);
		if (vring_rig.used->idx != (uint16_t)(before + 1))
			fail_msg("%s: not answered", bad_chains[i].why);
		assert_int_equal(vring_rig.used->ring[before % SIZE].id, 0);
		assert_int_equal(vring_rig.used->ring[before % SIZE].len, 0);
		assert_int_equal(vring_rig.chain.out_size, 24);
		assert_int_equal(vring_rig.chain.in_size, 32);
		vring_push(&vring_rig.vring, vring_rig.chain.head, 32);
	}
	assert_false(vring_rig.vring.is_broken);
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 1);
}

static void chains_above_four_gigabytes_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 66; i++)
		vring_rig.table[i] =
			(struct vring_desc){ GPA + FIRST_SIZE, SECOND_SIZE,
					     (uint16_t)(i < 65 ? NEXT : 0), (uint16_t)(i + 1) };
	vring_rig.desc[0] = (struct vring_desc){ TABLE, 66 * 16, INDIRECT, 0 };
	vring_rig_offer(0);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.used->idx, 1);
	vring_rig.desc[0].len = 63 * 16;
	vring_rig.table[62].flags = 0;
	vring_rig_offer(0);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.chain.out_size, UINT64_C(63) * SECOND_SIZE);
}

static void invalid_chains_do_not_block_the_device(void **state)
{
	(void)state;
	vring_rig.desc[0] = (struct vring_desc){ 0, 8, 0, 0 };
	for (unsigned i = 0; i < SIZE; i++)
		vring_rig_offer(0);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.used->idx, SIZE);
	assert_false(vring_rig.vring.is_broken);
}

/* Each of them can be a loop of a thousand steps: a single pop would block the device for
 * milliseconds. */
static void many_invalid_chains_are_skipped_over_several_pops(void **state)
{
	(void)state;
	unsigned n_goes = 1;

	vring_stop(&vring_rig.vring);
	vring_rig.vring.size = VRING_MAX_SIZE;
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	vring_rig_offer_good();
	for (uint16_t i = 0; i < GOOD; i++)
		vring_rig.desc[i] = vring_rig_buffer(2, 1, NEXT, i);
	vring_rig.avail->idx = 0;
	for (unsigned i = 0; i < VRING_MAX_SIZE - 1; i++)
		vring_rig_offer((uint16_t)(i % GOOD));
	vring_rig_offer(GOOD);
	for (; !vring_pop(&vring_rig.vring, &vring_rig.chain); n_goes++) {
		assert_true(vring_rig.used->idx <= n_goes * VRING_MAX_SKIPPED);
		assert_true(vring_enable_kicks(&vring_rig.vring));
	}
	assert_int_equal(vring_rig.chain.head, GOOD);
	assert_int_equal(vring_rig.used->idx, VRING_MAX_SIZE - 1);
	assert_int_equal(n_goes, VRING_MAX_SIZE / VRING_MAX_SKIPPED);
}

static void a_chain_is_split_into_what_is_read_and_what_is_written(void **state)
{
	(void)state;
	vring_rig.desc[3] = vring_rig_buffer(0, 10, NEXT, 7);
	vring_rig.desc[7] = vring_rig_buffer(1, 20, NEXT, 1);
	vring_rig.desc[1] = vring_rig_buffer(2, 30, NEXT | WRITE, 0);
	vring_rig.desc[0] = vring_rig_buffer(3, 0, NEXT | WRITE, 2); /* no bytes: adds nothing */
	vring_rig.desc[2] = vring_rig_buffer(4, 40, WRITE, 0);
	vring_rig_offer(3);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.chain.head, 3);
	assert_int_equal(vring_rig.chain.n_out, 2);
	assert_int_equal(vring_rig.chain.n_in, 2);
	assert_int_equal(vring_rig.chain.out_size, 30);
	assert_int_equal(vring_rig.chain.in_size, 70);
	assert_ptr_equal(vring_rig.chain.out[1].iov_base,
			 guest_memory_at(&vring_rig.memory, BUF + 0x1000, 1));
	assert_ptr_equal(vring_rig.chain.in[1].iov_base,
			 guest_memory_at(&vring_rig.memory, BUF + 0x4000, 1));
	assert_int_equal(vring_rig.chain.in[1].iov_len, 40);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
}

static void a_buffer_may_cross_into_the_next_region(void **state)
{
	(void)state;
	vring_rig.desc[0] = (struct vring_desc){ GPA + FIRST_SIZE - 8, 24, WRITE, 0 };
	vring_rig_offer(0);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.chain.n_in, 2);
	assert_int_equal(vring_rig.chain.in_size, 24);
	assert_int_equal(vring_rig.chain.in[1].iov_len, 16);
}

static void an_indirect_table_may_be_longer_than_the_ring(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VRING_MAX_SIZE; i++)
		vring_rig.table[i] =
			(struct vring_desc){ BUF, 16,
					     (uint16_t)(i < VRING_MAX_SIZE - 1 ? NEXT : WRITE),
					     (uint16_t)(i + 1) };
	vring_rig.desc[4] = vring_rig_buffer(0, 8, NEXT, 5);
	vring_rig.desc[5] = (struct vring_desc){ TABLE, VRING_MAX_SIZE * 16, INDIRECT, 0 };
	vring_rig_offer(5);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.chain.head, 5);
	assert_int_equal(vring_rig.chain.n_out, VRING_MAX_SIZE - 1);
	assert_int_equal(vring_rig.chain.n_in, 1);
	/* One more descriptor makes it too long. */
	vring_rig_offer(4);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_int_equal(vring_rig.used->idx, 1);
}

static void a_held_chain_can_be_read_again_while_it_is_valid(void **state)
{
	(void)state;
	struct vring_chain again;

	vring_rig_offer_good();
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	assert_true(vring_reload(&vring_rig.vring, vring_rig.chain.head, &again));
	assert_int_equal(again.head, vring_rig.chain.head);
	assert_int_equal(again.in_size, 32);
	assert_ptr_equal(again.in[0].iov_base, guest_memory_at(&vring_rig.memory, BUF + 0x1000, 1));
	vring_rig.desc[GOOD].addr = 0;
	assert_false(vring_reload(&vring_rig.vring, GOOD, &again));
	assert_false(vring_reload(&vring_rig.vring, SIZE, &again));
	assert_false(vring_reload(&vring_rig.vring, UINT16_MAX, &again));
	assert_false(vring_rig.vring.is_broken);
}

static void indices_wrap_at_65536(void **state)
{
	(void)state;
	vring_stop(&vring_rig.vring);
	vring_rig.avail->idx = vring_rig.used->idx = 65530;
	vring_rig.vring.last_avail = 65530;
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	for (unsigned i = 0; i < 12; i++) {
		vring_rig_offer_good();
		assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
		vring_push(&vring_rig.vring, vring_rig.chain.head, i);
		assert_int_equal(vring_rig.used->ring[(65530 + i) % SIZE].len, i);
	}
	assert_int_equal(vring_rig.used->idx, 6);
	assert_int_equal(vring_rig.vring.last_avail, 6);
}

static void chains_in_flight_survive_a_stop(void **state)
{
	(void)state;
	vring_rig_offer_good();
	vring_rig_offer_good();
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	vring_stop(&vring_rig.vring);
	assert_false(vring_pop(&vring_rig.vring, &vring_rig.chain));
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig.vring.last_avail, 1);
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	vring_push(&vring_rig.vring, GOOD, 7);
	assert_int_equal(vring_rig.used->idx, 1);
	assert_int_equal(vring_rig.used->ring[0].len, 7);
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
}

static void an_impossible_used_index_is_ignored(void **state)
{
	(void)state;
	vring_stop(&vring_rig.vring);
	vring_rig.used->idx = 1000;
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	vring_rig_offer_good();
	assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
	vring_push(&vring_rig.vring, vring_rig.chain.head, 0);
	assert_int_equal(vring_rig.used->idx, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VRING_TEST(a_head_out_of_range_stops_the_ring_until_it_is_set_up_again),
		VRING_TEST(an_available_index_too_far_ahead_stops_the_ring),
		VRING_TEST(more_chains_in_flight_than_descriptors_stop_the_ring),
		VRING_TEST(an_invalid_ring_does_not_start),
		VRING_TEST(removed_memory_stops_the_ring),
		VRING_TEST(an_invalid_chain_is_returned_and_the_next_is_served),
		VRING_TEST(chains_above_four_gigabytes_are_refused),
		VRING_TEST(invalid_chains_do_not_block_the_device),
		VRING_TEST(many_invalid_chains_are_skipped_over_several_pops),
		VRING_TEST(a_chain_is_split_into_what_is_read_and_what_is_written),
		VRING_TEST(a_buffer_may_cross_into_the_next_region),
		VRING_TEST(an_indirect_table_may_be_longer_than_the_ring),
		VRING_TEST(a_held_chain_can_be_read_again_while_it_is_valid),
		VRING_TEST(indices_wrap_at_65536),
		VRING_TEST(chains_in_flight_survive_a_stop),
		VRING_TEST(an_impossible_used_index_is_ignored),
	};

	log_set_level(LOG_LEVEL_ERROR); /* each ring that a test breaks logs a warning */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
