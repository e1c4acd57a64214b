// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* When the two sides of a ring signal each other, and when they do not. */
#include "vring_rig.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

static void push_good(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		vring_rig_offer_good();
		assert_true(vring_pop(&vring_rig.vring, &vring_rig.chain));
		vring_push(&vring_rig.vring, vring_rig.chain.head, 0);
	}
}

static void one_signal_covers_all_pushed_chains(void **state)
{
	(void)state;
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 0);
	push_good(3);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 0);
	vring_notify(&vring_rig.vring);
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 1);
	vring_rig.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	push_good(1);
	vring_notify(&vring_rig.vring);
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 0);
	vring_rig.avail->flags = 0;
	vring_notify(&vring_rig.vring); /* a suppressed signal is not sent later */
	assert_int_equal(vring_rig_take_signals(vring_rig.call_fd), 0);
}

static void with_event_idx_the_guest_is_signalled_at_its_used_event(void **state)
{
	(void)state;
	static const struct {
		uint16_t start, used_event;
		unsigned n;
		bool is_told;
	} cases[] = {
		{ 10, 10, 1, true },        { 10, 11, 1, false },   { 10, 12, 3, true },
		{ 10, 13, 3, false },       { 10, 9, 3, false },    { 10, 9, 1, false },
		{ 65534, 65535, 2, true },  { 65534, 0, 2, false }, { 65534, 0, 3, true },
		{ 65535, 65534, 4, false }, { 65535, 2, 4, true },  { 65535, 3, 4, false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint16_t *used_event = &vring_rig.avail->ring[SIZE];

		vring_stop(&vring_rig.vring);
		vring_rig.vring.has_event_idx = true;
		vring_rig.vring.last_avail = vring_rig.avail->idx = vring_rig.used->idx =
			(uint16_t)(cases[i].start - 1);
		assert_int_equal(vring_start(&vring_rig.vring), 0);
		*used_event = 5000;
		push_good(1);
		vring_notify(&vring_rig.vring);
		assert_int_equal(vring_rig_take_signals(vring_rig.call_fd),
				 1); /* the first entry is always signalled */
		*used_event = cases[i].used_event;
		vring_rig.avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* means nothing here */
		push_good(cases[i].n);
		vring_notify(&vring_rig.vring);
		if (vring_rig_take_signals(vring_rig.call_fd) != cases[i].is_told)
			fail_msg("case %zu", i);
	}
}

static void a_new_call_descriptor_is_signalled_once_while_the_ring_runs(void **state)
{
	(void)state;
	int first = eventfd(0, EFD_CLOEXEC), second = eventfd(0, EFD_CLOEXEC);

	vring_set_call(&vring_rig.vring, first);
	assert_int_equal(vring_rig_take_signals(first), 1);
	vring_stop(&vring_rig.vring);
	vring_set_call(&vring_rig.vring, second);
	assert_int_equal(vring_rig_take_signals(second), 0);
	vring_set_call(&vring_rig.vring, -1);
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	push_good(1);
	vring_notify(&vring_rig.vring);
}

static void a_call_counter_that_is_full_does_not_block(void **state)
{
	(void)state;
	uint64_t full = UINT64_MAX - 1;

	assert_int_equal(write(vring_rig.call_fd, &full, sizeof(full)), sizeof(full));
	push_good(1);
	vring_notify(&vring_rig.vring);
	assert_true(vring_rig_take_signals(vring_rig.call_fd) == full);
}

static void kicks_are_requested_by_flags(void **state)
{
	(void)state;
	vring_disable_kicks(&vring_rig.vring);
	assert_int_equal(vring_rig.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(vring_enable_kicks(&vring_rig.vring));
	assert_int_equal(vring_rig.used->flags, 0);
	vring_disable_kicks(&vring_rig.vring);
	vring_rig_offer_good();
	assert_true(vring_enable_kicks(&vring_rig.vring));
}

static void kicks_are_requested_by_avail_event(void **state)
{
	(void)state;
	uint16_t *avail_event = (uint16_t *)(void *)&vring_rig.used->ring[SIZE];

	vring_rig.vring.has_event_idx = true;
	push_good(3);
	vring_disable_kicks(&vring_rig.vring);
	assert_int_equal(*avail_event, 0);
	assert_int_equal(vring_rig.used->flags, 0);
	assert_false(vring_enable_kicks(&vring_rig.vring));
	assert_int_equal(*avail_event, 3);
	vring_rig_offer_good();
	assert_true(vring_enable_kicks(&vring_rig.vring));
	assert_int_equal(*avail_event, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VRING_TEST(one_signal_covers_all_pushed_chains),
		VRING_TEST(with_event_idx_the_guest_is_signalled_at_its_used_event),
		VRING_TEST(a_new_call_descriptor_is_signalled_once_while_the_ring_runs),
		VRING_TEST(a_call_counter_that_is_full_does_not_block),
		VRING_TEST(kicks_are_requested_by_flags),
		VRING_TEST(kicks_are_requested_by_avail_event),
	};

	log_set_level(LOG_LEVEL_ERROR); /* keeps warnings out of the output */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
