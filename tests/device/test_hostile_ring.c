// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Virtqueues with invalid contents. A driver that breaks its ring may lose that ring until the next
 * reset. It must not stop the other ring, the session or the daemon, and a reset restores
 * everything. Where the contents are only odd (VIRTIO 1.2 forbids them to drivers, but a device can
 * handle them), the chain may also be returned; the device must never follow it outside guest
 * memory, or without end.
 */
#include "fixture.h"

#include <string.h>

#define F_NEXT     VRING_DESC_F_NEXT
#define F_WRITE    VRING_DESC_F_WRITE
#define F_INDIRECT VRING_DESC_F_INDIRECT

/* What follows in all of these: the other ring and the session work, and a reset repairs the ring.
 */
static void assert_survives(struct vmm *vmm)
{
	struct ring *r = &vmm->rings[CONTROL];
	uint8_t config[16];

	ring_kick_always(r);
	assert_ok(gpu_move_cursor(vmm, 0, 3, 4, 0));
	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
	assert_ok(gpu_move_cursor(vmm, 0, 5, 6, 0));
	vmm_reset(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
}

/* A guest page, with a valid request at its start. */
static uint64_t page_with_request(struct vmm *vmm)
{
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 4096, 4096);
	struct virtio_gpu_resource_create_2d c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D }, 77, BGRX, 16, 16
	};

	memcpy(memory_at(&vmm->memory, gpa, sizeof(c)), &c, sizeof(c));
	return gpa;
}

struct lie {
	const char *name;
	unsigned count; /* descriptors 0 to count - 1; addr is an offset into the page */
	struct vring_desc desc[4];
};

static const struct lie chains[] = {
	{ "a chain that is its own next", 1, { { 0, 40, F_NEXT, 0 } } },
	{ "a loop of two", 2, { { 0, 24, F_NEXT, 1 }, { 24, 16, F_NEXT, 0 } } },
	{ "a loop of writable ones",
	  2,
	  { { 0, 40, F_NEXT, 1 }, { 1024, 24, F_NEXT | F_WRITE, 1 } } },
	{ "a circle of no bytes", 1, { { 0, 0, F_NEXT, 0 } } },
	{ "a circle of no bytes to write",
	  2,
	  { { 0, 0, F_NEXT, 1 }, { 0, 0, F_NEXT | F_WRITE, 1 } } },
	{ "next beyond the table", 1, { { 0, 40, F_NEXT, 64 } } },
	{ "next far beyond the table", 1, { { 0, 40, F_NEXT, 65535 } } },
	{ "a writable one before a readable one",
	  2,
	  { { 1024, 24, F_NEXT | F_WRITE, 1 }, { 0, 40, 0, 0 } } },
	{ "readable, writable, readable",
	  3,
	  { { 0, 24, F_NEXT, 1 }, { 1024, 24, F_NEXT | F_WRITE, 2 }, { 24, 16, 0, 0 } } },
	{ "nothing but a writable one", 1, { { 1024, 24, F_WRITE, 0 } } },
	{ "no bytes at all", 1, { { 0, 0, 0, 0 } } },
	{ "no bytes, then room", 2, { { 0, 0, F_NEXT, 1 }, { 1024, 24, F_WRITE, 0 } } },
	{ "room for no bytes", 2, { { 0, 40, F_NEXT, 1 }, { 1024, 0, F_WRITE, 0 } } },
	{ "a request of 4 GiB less one byte",
	  2,
	  { { 0, ~0u, F_NEXT, 1 }, { 1024, 24, F_WRITE, 0 } } },
	{ "a response buffer of 4 GiB less one byte",
	  2,
	  { { 0, 40, F_NEXT, 1 }, { 1024, ~0u, F_WRITE, 0 } } },
	{ "an indirect one with a next",
	  2,
	  { { 0, 16, F_INDIRECT | F_NEXT, 1 }, { 1024, 24, F_WRITE, 0 } } },
	{ "an indirect one that is writable", 1, { { 0, 16, F_INDIRECT | F_WRITE, 0 } } },
	{ "an empty indirect table", 1, { { 0, 0, F_INDIRECT, 0 } } },
	{ "an indirect table of 15 bytes", 1, { { 0, 15, F_INDIRECT, 0 } } },
	{ "an indirect table of 17 bytes", 1, { { 0, 17, F_INDIRECT, 0 } } },
	{ "an indirect table of 2^32 - 16 bytes", 1, { { 0, 0xfffffff0, F_INDIRECT, 0 } } },
	{ "unknown flags", 2, { { 0, 40, F_NEXT | 0xff8, 1 }, { 1024, 24, F_WRITE | 0xff8, 0 } } },
};

static void put_chain(struct vmm *vmm, const struct lie *lie)
{
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t page = page_with_request(vmm);
	uint16_t head = ring_reserve(r, lie->count);

	/* A new ring: the descriptors are 0, 1, 2 ... */
	for (unsigned i = 0; i < lie->count; i++) {
		r->vring.desc[i] = lie->desc[i];
		r->vring.desc[i].addr += page;
	}
	r->takes_any_head = true;
	ring_expose(r, head);
}

static void invalid_chains_do_no_harm(void **state)
{
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++) {
		print_message("\t%s\n", chains[i].name);
		put_chain(vmm, &chains[i]);
		assert_survives(vmm);
		vmm_reset(vmm);
		vmm_start(vmm);
	}
}

static void addresses_outside_memory_do_no_harm(void **state)
{
	static const uint64_t bad[] = {
		0xa0000,        0x9fff0,    0x10000000,         0xffffff0,
		0x104000000,    0x80000000, 0xfffffffffffffff0, 0xffffffffffffffff,
		0x7e5500000000,
	};
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];

	for (unsigned i = 0; i < ARRAY_LENGTH(bad) * 3; i++) {
		uint64_t page = page_with_request(vmm), addr = bad[i / 3];
		uint16_t head = ring_reserve(r, 2);

		r->vring.desc[0] = (struct vring_desc){ page, 40, F_NEXT, 1 };
		r->vring.desc[1] = (struct vring_desc){ page + 1024, 24, F_WRITE, 0 };
		if (i % 3 == 2)
			r->vring.desc[0] = (struct vring_desc){ addr, 64, F_INDIRECT, 0 };
		else
			r->vring.desc[i % 3].addr = addr;
		r->takes_any_head = true;
		ring_expose(r, head);
		assert_survives(vmm);
		vmm_reset(vmm);
		vmm_start(vmm);
	}
}

/* ---- indirect tables ---- */

static void put_indirect(struct vmm *vmm, const struct vring_desc *table, unsigned count)
{
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, count * sizeof(*table), 16);
	uint16_t head = ring_reserve(r, 1);

	memcpy(memory_at(&vmm->memory, gpa, count * sizeof(*table)), table, count * sizeof(*table));
	r->vring.desc[head] =
		(struct vring_desc){ gpa, count * (uint32_t)sizeof(*table), F_INDIRECT, 0 };
	r->takes_any_head = true;
	ring_expose(r, head);
	assert_survives(vmm);
	vmm_reset(vmm);
	vmm_start(vmm);
}

static void invalid_indirect_tables_do_no_harm(void **state)
{
	static struct vring_desc many[40000];
	struct vmm *vmm = *state;
	uint64_t page = page_with_request(vmm);
	const struct vring_desc nested[2] = { { page, 16, F_INDIRECT, 0 }, { page, 16, 0, 0 } };
	const struct vring_desc nested_late[2] = { { page, 40, F_NEXT, 1 },
						   { page, 16, F_INDIRECT, 0 } };
	const struct vring_desc itself[2] = { { page, 40, F_NEXT, 0 }, { page, 16, 0, 0 } };
	const struct vring_desc circle[2] = { { page, 0, F_NEXT, 1 }, { page, 0, F_NEXT, 0 } };
	const struct vring_desc beyond[2] = { { page, 40, F_NEXT, 2 }, { page, 16, 0, 0 } };
	const struct vring_desc order[2] = { { page + 1024, 24, F_WRITE | F_NEXT, 1 },
					     { page, 40, 0, 0 } };

	put_indirect(vmm, nested, 2);
	put_indirect(vmm, nested_late, 2);
	put_indirect(vmm, itself, 2);
	put_indirect(vmm, circle, 2);
	put_indirect(vmm, beyond, 2);
	put_indirect(vmm, order, 2);
	/* A table with more entries than any queue may have (32768), all for the same bytes. */
	for (unsigned i = 0; i < ARRAY_LENGTH(many); i++)
		many[i] = (struct vring_desc){ page, 4096, F_NEXT, (uint16_t)(i + 1) };
	many[ARRAY_LENGTH(many) - 1].flags = 0;
	put_indirect(vmm, many, ARRAY_LENGTH(many));
}

static void indirect_without_the_feature_does_no_harm(void **state)
{
	struct vmm_options options = { .features_off = BIT64(VIRTIO_RING_F_INDIRECT_DESC) };
	struct vmm *vmm = fixture_boot(state, &options);
	uint64_t page = page_with_request(vmm);
	const struct vring_desc table[2] = { { page, 40, F_NEXT, 1 },
					     { page + 1024, 24, F_WRITE, 0 } };

	put_indirect(vmm, table, 2);
}

/* ---- the avail ring ---- */

static void heads_beyond_the_table_do_no_harm(void **state)
{
	static const uint16_t bad[] = { 64, 65, 1024, 32768, 65535 };
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		vmm->rings[CONTROL].takes_any_head = true;
		ring_expose_raw(&vmm->rings[CONTROL], bad[i]);
		assert_survives(vmm);
	}
}

static void a_jumping_index_does_no_harm(void **state)
{
	static const uint16_t jumps[] = { 65, 66, 1000, 32768, 65535 };
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(jumps); i++) {
		struct ring *r = &vmm->rings[CONTROL];

		assert_alive(vmm); /* the ring is at index 1 */
		r->takes_any_head = true;
		r->avail_idx = (uint16_t)(r->avail_idx + jumps[i]);
		__atomic_store_n(&r->vring.avail->idx, r->avail_idx, __ATOMIC_RELEASE);
		assert_survives(vmm);
		vmm_reset(vmm);
		vmm_start(vmm);
	}
}

static void the_same_head_twice_does_no_harm(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t page = page_with_request(vmm);
	uint16_t head = ring_reserve(r, 2);

	r->vring.desc[0] = (struct vring_desc){ page, 40, F_NEXT, 1 };
	r->vring.desc[1] = (struct vring_desc){ page + 1024, 24, F_WRITE, 0 };
	r->takes_any_head = true;
	for (unsigned i = 0; i < 50; i++)
		ring_expose_raw(r, head);
	assert_survives(vmm);
}

/* The same chain sixty times, each held until the display replies. It never does: its socket is
 * closed by the reset in assert_survives(). */
static void one_head_in_flight_many_times_does_no_harm(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t page = page_with_request(vmm);
	uint32_t type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
	uint16_t head = ring_reserve(r, 2);

	memcpy(memory_at(&vmm->memory, page, 4), &type, 4);
	r->vring.desc[0] = (struct vring_desc){ page, 40, F_NEXT, 1 };
	r->vring.desc[1] = (struct vring_desc){ page + 1024, 408, F_WRITE, 0 };
	r->takes_any_head = true;
	vmm->display.on_info = HOLD;
	for (unsigned i = 0; i < 60; i++)
		ring_expose_raw(r, head);
	ring_kick_always(r);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	vmm->display.on_info = ANSWER;
	assert_survives(vmm);
}

/* ---- memory that changes while the device reads it ---- */

static void a_chain_rewritten_while_it_is_held_does_no_harm(void **state)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];

	vmm->display.on_info = HOLD;
	gpu_submit(vmm, CONTROL, &h, sizeof(h), sizeof(struct virtio_gpu_resp_display_info), NULL,
		   0);
	ring_kick(r);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	for (unsigned i = 0; i < r->size; i++)
		r->vring.desc[i] = (struct vring_desc){ 0xffffffffffff0000, 0xffff,
							F_WRITE | F_NEXT, (uint16_t)i };
	r->takes_any_head = true;
	display_answer_held(&vmm->display);
	vmm->display.on_info = ANSWER;
	assert_survives(vmm);
}

/* ---- the cursor ring can be invalid too ---- */

static void a_stopped_cursor_queue_does_not_affect_the_control_queue(void **state)
{
	struct vmm *vmm = *state;

	vmm->rings[CURSOR].takes_any_head = true;
	ring_expose_raw(&vmm->rings[CURSOR], 999);
	ring_kick_always(&vmm->rings[CURSOR]);
	assert_alive(vmm);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
	vmm_reset(vmm);
	vmm_start(vmm);
	assert_ok(gpu_move_cursor(vmm, 0, 1, 1, 0));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(invalid_chains_do_no_harm),
		BOOTED_TEST(addresses_outside_memory_do_no_harm),
		BOOTED_TEST(invalid_indirect_tables_do_no_harm),
		DEVICE_TEST(indirect_without_the_feature_does_no_harm),
		BOOTED_TEST(heads_beyond_the_table_do_no_harm),
		BOOTED_TEST(a_jumping_index_does_no_harm),
		BOOTED_TEST(the_same_head_twice_does_no_harm),
		BOOTED_TEST(one_head_in_flight_many_times_does_no_harm),
		BOOTED_TEST(a_chain_rewritten_while_it_is_held_does_no_harm),
		BOOTED_TEST(a_stopped_cursor_queue_does_not_affect_the_control_queue),
	};

	return cmocka_run_group_tests_name("hostile-ring", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
