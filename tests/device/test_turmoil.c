// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Events in the middle of operations. A daemon with one loop does a little at a time and keeps the
 * rest for later: commands of a long batch, display requests, half a frame. A stop, a reset, the
 * end of the front-end, removed memory or another display may come before the rest is done. Each
 * kind of unfinished operation meets each kind of event, and then they meet in random order; a
 * sanitizer's build finds faults that have no other effect.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 512u

struct turmoil {
	struct vmm *vmm;
	struct image image;
	unsigned hot; /* the region of the backing */
};

/* ---- unfinished operations ---- */

static void submit_transfer(struct turmoil *t)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, image_rect(&t->image), 0, 1, 0
	};

	if (t->vmm->rings[CONTROL].free_count >= 2)
		gpu_submit(t->vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void submit_flush(struct turmoil *t)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, image_rect(&t->image), 1, 0
	};

	if (t->vmm->rings[CONTROL].free_count >= 2)
		gpu_submit(t->vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void submit_questions(struct turmoil *t)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };

	for (unsigned i = 0; i < 6 && t->vmm->rings[CONTROL].free_count >= 2; i++) {
		c.hdr.type = i % 2 ? VIRTIO_GPU_CMD_GET_EDID : VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
		c.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
		c.hdr.fence_id = i;
		gpu_submit(t->vmm, CONTROL, &c, sizeof(c), sizeof(struct virtio_gpu_resp_edid),
			   NULL, 0);
	}
	ring_kick(&t->vmm->rings[CONTROL]);
}

static void a_long_batch(struct turmoil *t)
{
	for (unsigned i = 0; i < 100; i++) {
		submit_transfer(t);
		submit_flush(t);
	}
	ring_kick(&t->vmm->rings[CONTROL]);
}

static void questions_without_an_answer(struct turmoil *t)
{
	t->vmm->display.on_info = t->vmm->display.on_edid = HOLD;
	submit_questions(t);
}

static void half_a_frame(struct turmoil *t)
{
	t->vmm->display.is_paused = true;
	for (unsigned i = 0; i < 3; i++) {
		submit_transfer(t);
		submit_flush(t);
	}
	ring_kick(&t->vmm->rings[CONTROL]);
}

static void everything(struct turmoil *t)
{
	questions_without_an_answer(t);
	half_a_frame(t);
	a_long_batch(t);
}

/* ---- events ---- */

static void boot_again(struct turmoil *t)
{
	ring_clear(&t->vmm->rings[CONTROL]);
	ring_clear(&t->vmm->rings[CURSOR]);
	vmm_connect(t->vmm);
	vmm_realize(t->vmm);
	vmm_start(t->vmm);
}

static void the_vmm_dies(struct turmoil *t)
{
	vmm_disconnect(t->vmm);
	boot_again(t);
}

static void the_vmm_talks_nonsense(struct turmoil *t)
{
	uint64_t value = 0;

	vhost_send(t->vmm, VHOST_USER_SET_FEATURES, 2, &value, 3, NULL, 0);
	if (!vhost_is_closed(t->vmm, t->vmm->timeout_ms))
		vmm_fail("a bad header was overlooked");
	the_vmm_dies(t);
}

static void the_guest_resets(struct turmoil *t)
{
	vmm_reset(t->vmm);
	vmm_start(t->vmm);
}

static void reset_device_comes_without_a_stop(struct turmoil *t)
{
	vhost_set(t->vmm, VHOST_USER_RESET_DEVICE, NULL, 0, -1, true);
	the_guest_resets(t);
}

static void the_vm_stops_and_goes_on(struct turmoil *t)
{
	vmm_stop(t->vmm);
	assert_session_alive(t->vmm);
	vmm_start(t->vmm);
}

static void the_ring_is_disabled_and_enabled(struct turmoil *t)
{
	vhost_enable_ring(t->vmm, CONTROL, false);
	assert_session_alive(t->vmm);
	vhost_enable_ring(t->vmm, CONTROL, true);
}

static void another_display_comes(struct turmoil *t)
{
	vmm_open_display(t->vmm);
}

static void the_display_goes(struct turmoil *t)
{
	display_close(&t->vmm->display);
	assert_session_alive(t->vmm);
	vmm_open_display(t->vmm);
}

static void the_backing_goes_and_comes(struct turmoil *t)
{
	vhost_remove_region(t->vmm, t->hot);
	assert_session_alive(t->vmm);
	vhost_add_region(t->vmm, t->hot);
}

typedef void (*step_fn)(struct turmoil *t);

static const struct step {
	const char *name;
	step_fn run;
} states[] = {
	{ "a long batch", a_long_batch },
	{ "questions without an answer", questions_without_an_answer },
	{ "half a frame", half_a_frame },
	{ "everything", everything },
}, events[] = {
	{ "the VMM dies", the_vmm_dies },
	{ "the VMM talks nonsense", the_vmm_talks_nonsense },
	{ "the guest resets", the_guest_resets },
	{ "RESET_DEVICE comes without a stop", reset_device_comes_without_a_stop },
	{ "the VM stops and goes on", the_vm_stops_and_goes_on },
	{ "the ring is disabled and enabled", the_ring_is_disabled_and_enabled },
	{ "another display comes", another_display_comes },
	{ "the display goes", the_display_goes },
	{ "the backing goes and comes", the_backing_goes_and_comes },
};

/* ---- before and after ---- */

static bool ring_is_idle(struct vmm *vmm, const void *arg)
{
	const struct ring *r = &vmm->rings[CONTROL];

	(void)arg;
	return r->used_idx == r->avail_idx;
}

/* Waits until every command has been answered. */
static void settle(struct turmoil *t)
{
	struct vmm *vmm = t->vmm;

	vmm->display.is_paused = false;
	vmm->display.on_info = vmm->display.on_edid = ANSWER;
	display_answer_held(&vmm->display);
	vmm_wait(vmm, ring_is_idle, NULL, "the answers to all that was asked");
	for (unsigned i = 0; i < vmm->rings[CONTROL].size; i++) {
		struct chain *c = &vmm->rings[CONTROL].chains[i];

		if (c->is_in_flight && c->is_done)
			ring_release(&vmm->rings[CONTROL], c);
	}
}

static void show(struct turmoil *t, uint32_t seed)
{
	struct vmm *vmm = t->vmm;
	struct virtio_gpu_mem_entry e = { t->image.gpa, SIDE * SIDE * 4, 0 };

	/* Reset or not: it exists, or it can be created. */
	if (gpu_create_2d(vmm, 1, BGRX, SIDE, SIDE) == RESP_OK) {
		assert_ok(gpu_attach(vmm, 1, &e, 1));
		assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&t->image)));
	}
	image_fill(&t->image, seed);
	assert_ok(image_transfer(vmm, &t->image, image_rect(&t->image)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&t->image)));
	image_wait_shown(vmm, &t->image, 0, image_rect(&t->image));
}

static struct turmoil begin(void **state)
{
	struct vmm_options options = { .control_size = 1024 };
	struct turmoil t = { .vmm = fixture_new(state, &options) };

	t.hot = memory_add(&t.vmm->memory, 0x200000000ull, SIDE * SIDE * 4, 0);
	t.image = (struct image){ 1,    BGRX,           SIDE,
				  SIDE, 0x200000000ull, t.vmm->memory.regions[t.hot].host };
	vmm_connect(t.vmm);
	vmm_realize(t.vmm);
	vmm_start(t.vmm);
	show(&t, 0);
	return t;
}

static void every_event_during_every_unfinished_operation_does_no_harm(void **state)
{
	struct turmoil t = begin(state);

	for (unsigned i = 0; i < ARRAY_LENGTH(states) * ARRAY_LENGTH(events); i++) {
		const struct step *s = &states[i / ARRAY_LENGTH(events)];
		const struct step *e = &events[i % ARRAY_LENGTH(events)];

		print_message("\t%s, and %s\n", s->name, e->name);
		s->run(&t);
		e->run(&t);
		settle(&t);
		show(&t, i);
	}
}

static void random_event_order_does_no_harm(void **state)
{
	const char *given = getenv("VMM_SEED");
	uint32_t seed = given ? (uint32_t)atoi(given) : 20250101;
	struct turmoil t = begin(state);

	for (unsigned i = 0; i < 150; i++) {
		unsigned n;

		seed = seed * 1664525 + 1013904223;
		n = 1 + (seed >> 28) % 4;
		states[(seed >> 8) % ARRAY_LENGTH(states)].run(&t);
		for (unsigned k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			events[(seed >> 8) % ARRAY_LENGTH(events)].run(&t);
			if ((seed >> 20) % 3 == 0)
				states[(seed >> 12) % ARRAY_LENGTH(states)].run(&t);
		}
		settle(&t);
		show(&t, i);
	}
}

static void a_signal_during_any_operation_exits_with_0(void **state)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(states); i++) {
		struct turmoil t = begin(state);

		states[i].run(&t);
		assert_int_equal(daemon_stop(&t.vmm->daemon, SIGTERM), 0);
		fixture_end(state);
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(every_event_during_every_unfinished_operation_does_no_harm),
		DEVICE_TEST(random_event_order_does_no_harm),
		DEVICE_TEST(a_signal_during_any_operation_exits_with_0),
	};

	return cmocka_run_group_tests_name("turmoil", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
