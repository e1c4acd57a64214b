// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Valid virtqueues (VIRTIO 1.2, 2.7): sizes, wrap-around, indirect tables, notifications with and
 * without EVENT_IDX, and the moments at which a ring starts. The driver in ring.c relies on every
 * required notification, so a lost one is a time-out here.
 */
#include "fixture.h"

#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long a driver on another CPU adds commands. */
#define LONGEST_MS 10000

static struct chain *submit_flush(struct vmm *vmm)
{
	struct virtio_gpu_resource_flush c = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
					       .resource_id = 12345 };

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void run_batch(struct vmm *vmm, unsigned count)
{
	struct chain *chains[RING_MAX];

	for (unsigned i = 0; i < count; i++)
		chains[i] = submit_flush(vmm);
	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned i = 0; i < count; i++)
		assert_response(gpu_finish(vmm, chains[i], NULL, 0), RESP_INVALID_RESOURCE_ID);
}

/* ---- every kind of ring ---- */

static void run_sizes(void **state, uint64_t features_off)
{
	static const unsigned sizes[][2] = { { 64, 16 }, { 256, 16 }, { 1024, 1024 }, { 4, 2 } };

	for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct vmm_options options = { .control_size = sizes[i][0],
					       .cursor_size = sizes[i][1],
					       .features_off = features_off };
		struct vmm *vmm = fixture_boot(state, &options);
		unsigned batch = sizes[i][0] / 2; /* two descriptors each */

		for (unsigned k = 0; k < 60; k++)
			run_batch(vmm, 1 + k * 7 % batch);
		for (unsigned k = 0; k < 100; k++)
			assert_ok(gpu_move_cursor(vmm, 0, k, k, 0));
		fixture_end(state);
	}
}

static void rings_of_all_sizes_wrap_around(void **state)
{
	run_sizes(state, 0);
}

static void rings_without_event_idx_work(void **state)
{
	run_sizes(state, BIT64(VIRTIO_RING_F_EVENT_IDX));
}

static void rings_without_indirect_work(void **state)
{
	run_sizes(state, BIT64(VIRTIO_RING_F_INDIRECT_DESC));
}

static void indices_pass_65536(void **state)
{
	struct vmm_options options = { .control_size = 1024 };
	struct vmm *vmm = fixture_boot(state, &options);

	for (unsigned k = 0; k < 135; k++)
		run_batch(vmm, 500);
	assert_int_equal(vmm->rings[CONTROL].used_idx, (uint16_t)(135 * 500));
}

/* ---- notifications ---- */

static void a_batch_costs_one_interrupt(void **state)
{
	struct vmm_options options = { .control_size = 256 };
	struct vmm *vmm = fixture_boot(state, &options);
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t before;

	run_batch(vmm, 1);
	before = r->interrupts;
	for (unsigned k = 0; k < 50; k++)
		run_batch(vmm, 100);
	/* 5000 commands. An interrupt within a batch may move used_event and cause a few more; one
	 * for each command would be far off. */
	assert_in_range(r->interrupts - before, 1, 50 * 5);
}

/* Waits for a used entry without an interrupt, by reading the index in memory again and again. A
 * message to the daemon and its reply take up the time between two reads. */
static void wait_used(struct vmm *vmm, const struct ring *r)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;

	while (__atomic_load_n(&r->vring.used->idx, __ATOMIC_ACQUIRE) == r->used_idx) {
		if (vmm_now_ms() > deadline)
			vmm_fail_waiting(vmm, "a used entry, in memory");
		assert_session_alive(vmm);
	}
}

/* The command of @c is completed, and no interrupt comes. gpu_wait_ms() collects used entries only
 * after an interrupt, so it must time out, although the entry is there. */
static void assert_completes_quietly(struct vmm *vmm, struct chain *c)
{
	struct ring *r = &vmm->rings[CONTROL];

	wait_used(vmm, r);
	assert_session_alive(vmm); /* the turn that completed it is over */
	assert_false(gpu_wait_ms(vmm, c, 50));
	ring_collect(r);
	assert_true(c->is_done);
}

static void no_interrupt_is_sent_while_the_driver_wants_none(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	struct chain *c[8];

	run_batch(vmm, 8);
	ring_read_interrupt(r);
	/* Request an interrupt at the eighth completion from here. */
	for (unsigned i = 0; i < 8; i++)
		c[i] = submit_flush(vmm);
	vring_used_event(&r->vring) = (uint16_t)(r->used_idx + 7);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring_kick(r);
	for (unsigned i = 0; i < 8; i++)
		gpu_finish(vmm, c[i], NULL, 0);

	/* Request one far away: the commands complete, and the eventfd is not signalled. */
	assert_alive(vmm);
	ring_read_interrupt(r);
	c[0] = submit_flush(vmm);
	vring_used_event(&r->vring) = (uint16_t)(r->used_idx + 100);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring_kick(r);
	assert_completes_quietly(vmm, c[0]);
	assert_alive(vmm);
}

static void flag_no_interrupt_is_obeyed(void **state)
{
	struct vmm_options options = { .features_off = BIT64(VIRTIO_RING_F_EVENT_IDX) };
	struct vmm *vmm = fixture_boot(state, &options);
	struct ring *r = &vmm->rings[CONTROL];
	struct chain *c;

	assert_alive(vmm);
	ring_read_interrupt(r);
	r->vring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	c = submit_flush(vmm);
	ring_kick(r);
	assert_completes_quietly(vmm, c);
	r->vring.avail->flags = 0;
	assert_alive(vmm);
}

static void kicks_without_work_do_no_harm(void **state)
{
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < 100; i++) {
		ring_kick_always(&vmm->rings[CONTROL]);
		ring_kick_always(&vmm->rings[CURSOR]);
	}
	assert_alive(vmm);
}

/* Writes one command into descriptors 0 and 1, and puts it into every entry of the ring. */
static void fill_with_one_command(struct vmm *vmm, struct ring *r)
{
	struct virtio_gpu_resource_unref c = { { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF }, 99, 0 };
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 4096, 4096);

	memcpy(memory_at(&vmm->memory, gpa, sizeof(c)), &c, sizeof(c));
	r->vring.desc[0] = (struct vring_desc){ gpa, sizeof(c), VRING_DESC_F_NEXT, 1 };
	r->vring.desc[1] = (struct vring_desc){ gpa + 1024, 24, VRING_DESC_F_WRITE, 0 };
	for (unsigned i = 0; i < r->size; i++)
		r->vring.avail->ring[i] = 0;
}

static void publish(struct ring *r)
{
	r->avail_idx++;
	__atomic_store_n(&r->vring.avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	ring_kick(r);
}

/*
 * A driver on another CPU adds commands at any moment, also in the instant at which the device has
 * found the ring empty and is about to request kicks again. So one command wakes the device, and a
 * second one comes at about the moment when the first is done. The delay adapts: a little shorter
 * than last time if it was too late, a little longer if it was too early.
 * If driver and device have to share a CPU, fewer commands are added before LONGEST_MS is over.
 */
static void add_at_any_moment(struct vmm *vmm)
{
	struct ring *r = &vmm->rings[CONTROL];
	int64_t start = vmm_now_ms(), deadline = start + LONGEST_MS + vmm->timeout_ms;
	unsigned delay = 1000;

	fill_with_one_command(vmm, r);
	r->takes_any_head = true;
	for (unsigned k = 0; k < 30000 && vmm_now_ms() - start < LONGEST_MS; k++) {
		unsigned step = 1 + k * 7919 % 64;

		publish(r);
		for (volatile unsigned pause = 0; pause < delay; pause++)
			;
		publish(r);
		if (r->vring.used->idx != (uint16_t)(r->avail_idx - 2))
			delay = delay > step ? delay - step : 0;
		else if (delay < 200000)
			delay += step;
		for (unsigned spins = 1; r->vring.used->idx != r->avail_idx; spins++) {
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (spins % 1000 == 0)
				sched_yield(); /* the daemon may need this CPU */
			if (spins % 100000 == 0 && vmm_now_ms() > deadline)
				vmm_fail("command %u was added at a bad moment and is forgotten",
					 k);
		}
	}
	r->used_idx = (uint16_t)(r->avail_idx - 1); /* all entries but the last are skipped */
	ring_collect(r);
	assert_alive(vmm);
}

static void no_kick_is_lost(void **state)
{
	add_at_any_moment(*state);
}

static void no_kick_is_lost_without_event_idx(void **state)
{
	struct vmm_options options = { .features_off = BIT64(VIRTIO_RING_F_EVENT_IDX) };

	add_at_any_moment(fixture_boot(state, &options));
}

/* ---- the start of a ring ---- */

static void start_but_enable(struct vmm *vmm)
{
	uint8_t config[16];

	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	vmm_stop(vmm);
	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
	vmm_open_display(vmm);
	vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_CALL, CONTROL, vmm->rings[CONTROL].call_fd);
	vhost_start_ring(vmm, CONTROL);
	vhost_start_ring(vmm, CURSOR);
}

static void available_chains_are_served_at_enable(void **state)
{
	struct vmm *vmm = fixture_new(state, NULL);
	struct chain *c;

	start_but_enable(vmm);
	c = submit_flush(vmm); /* without any kick */
	vhost_enable_ring(vmm, CONTROL, true);
	assert_response(gpu_finish(vmm, c, NULL, 0), RESP_INVALID_RESOURCE_ID);
}

static void a_kick_before_enable_is_not_lost(void **state)
{
	struct vmm *vmm = fixture_new(state, NULL);
	struct chain *c;

	start_but_enable(vmm);
	c = submit_flush(vmm);
	ring_kick_always(&vmm->rings[CONTROL]);
	assert_false(gpu_wait_ms(vmm, c, 50)); /* a ring that is not enabled is not served */
	ring_collect(&vmm->rings[CONTROL]);
	assert_false(c->is_done);
	vhost_enable_ring(vmm, CONTROL, true);
	assert_response(gpu_finish(vmm, c, NULL, 0), RESP_INVALID_RESOURCE_ID);
}

static void a_disabled_ring_pauses_and_continues(void **state)
{
	struct vmm *vmm = *state;
	struct chain *c;

	run_batch(vmm, 3);
	for (unsigned i = 0; i < 3; i++) {
		vhost_enable_ring(vmm, CONTROL, false);
		assert_session_alive(vmm); /* the daemon has read it, also without a reply */
		c = submit_flush(vmm);
		ring_kick_always(&vmm->rings[CONTROL]);
		assert_false(gpu_wait_ms(vmm, c, 20));
		assert_ok(gpu_move_cursor(vmm, 0, i, i, 0)); /* the other one runs */
		vhost_enable_ring(vmm, CONTROL, true);
		assert_response(gpu_finish(vmm, c, NULL, 0), RESP_INVALID_RESOURCE_ID);
	}
}

static void a_new_call_descriptor_is_signalled_for_pending_completions(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	struct chain *c = submit_flush(vmm);

	ring_kick(r);
	wait_used(vmm, r);
	/* The completion was signalled on the old descriptor. */
	close(r->call_fd);
	r->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_CALL, CONTROL, r->call_fd);
	assert_response(gpu_finish(vmm, c, NULL, 0), RESP_INVALID_RESOURCE_ID);
	run_batch(vmm, 5);
}

static void rings_without_a_call_descriptor_are_served(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	struct chain *c;

	vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_CALL, CONTROL, -1);
	c = submit_flush(vmm);
	ring_kick(r);
	wait_used(vmm, r);
	ring_collect(r);
	assert_true(c->is_done);
	vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_CALL, CONTROL, r->call_fd);
	run_batch(vmm, 5);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(rings_of_all_sizes_wrap_around),
		DEVICE_TEST(rings_without_event_idx_work),
		DEVICE_TEST(rings_without_indirect_work),
		DEVICE_TEST(indices_pass_65536),
		DEVICE_TEST(a_batch_costs_one_interrupt),
		BOOTED_TEST(no_interrupt_is_sent_while_the_driver_wants_none),
		DEVICE_TEST(flag_no_interrupt_is_obeyed),
		BOOTED_TEST(kicks_without_work_do_no_harm),
		BOOTED_TEST(no_kick_is_lost),
		DEVICE_TEST(no_kick_is_lost_without_event_idx),
		DEVICE_TEST(available_chains_are_served_at_enable),
		DEVICE_TEST(a_kick_before_enable_is_not_lost),
		BOOTED_TEST(a_disabled_ring_pauses_and_continues),
		BOOTED_TEST(a_new_call_descriptor_is_signalled_for_pending_completions),
		BOOTED_TEST(rings_without_a_call_descriptor_are_served),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
