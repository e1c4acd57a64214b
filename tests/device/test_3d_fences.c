// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences of real work. A fence completes only when the daemon polls its renderer, between two turns
 * of its loop. The daemon sees the commands of one kick at once and serves them in one turn: their
 * streams are so short that the daemon does not look at the clock, which could end the turn (see
 * is_turn_over() in gpu/command.c). So their fences are pending together, and the required order
 * does not depend on any speed. The used ring gives the order of responses.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <poll.h>
#include <string.h>

#define SIDE     1024 /* side of the texture that is drawn on when work must take a while */
#define HUGE_ID  (UINT64_C(0xfedcba9800000000))
#define FENCE    VIRTIO_GPU_FLAG_FENCE
#define RING     (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX)
#define BIG_A    201
#define BIG_B    202
#define TARGET   1
#define IS_SMALL 64

/* Contexts 1 and 2, with a small and two large textures to draw on. */
static struct vmm *boot_with(void **state, const struct vmm_options *options)
{
	struct vmm *vmm = fixture_boot(state, options);

	vmm->rings[CONTROL].exposes_on_kick = true;
	assert_ok(gpu_create_3d(vmm, gpu_texture(TARGET, IS_SMALL, IS_SMALL)));
	assert_ok(gpu_create_3d(vmm, gpu_texture(BIG_A, SIDE, SIDE)));
	assert_ok(gpu_create_3d(vmm, gpu_texture(BIG_B, SIDE, SIDE)));
	for (uint32_t ctx = 1; ctx <= 2; ctx++) {
		assert_ok(gpu_ctx_create(vmm, ctx, VIRTIO_GPU_CAPSET_VIRGL2));
		assert_ok(gpu_ctx_attach(vmm, ctx, TARGET));
		assert_ok(gpu_ctx_attach(vmm, ctx, BIG_A));
		assert_ok(gpu_ctx_attach(vmm, ctx, BIG_B));
	}
	return vmm;
}

static struct vmm *boot(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };

	return boot_with(state, &options);
}

/* A stream that clears both large textures, so that no driver can skip one. */
static struct stream slow_stream(void)
{
	static uint32_t object = 1000;
	struct stream s = { .count = 0 };

	for (uint32_t k = 0; k < 2; k++) {
		stream_surface(&s, ++object, k % 2 ? BIG_A : BIG_B);
		stream_framebuffer(&s, object);
		stream_clear(&s, k);
	}
	return s;
}

struct fence {
	uint32_t flags, ctx;
	uint8_t ring;
	uint64_t id;
};

static struct chain *queue(struct vmm *vmm, const struct fence *f, bool is_slow)
{
	struct stream s = is_slow ? slow_stream() : (struct stream){ .count = 0 };
	struct virtio_gpu_ctrl_hdr h = {
		.flags = f->flags, .fence_id = f->id, .ctx_id = f->ctx, .ring_idx = f->ring
	};

	return gpu_stream_later(vmm, h, &s);
}

/* The fence is returned unchanged, with its flags and its ring. */
static uint32_t finish(struct vmm *vmm, struct chain *c, const struct fence *f)
{
	struct virtio_gpu_ctrl_hdr h;
	uint32_t type = gpu_finish(vmm, c, &h, sizeof(h));

	if (h.flags != f->flags || h.ring_idx != f->ring || h.fence_id != f->id)
		vmm_fail("fence %#llx came back with flags %#x, ring %u, id %#llx",
			 (unsigned long long)f->id, h.flags, h.ring_idx,
			 (unsigned long long)h.fence_id);
	return type;
}

/* Waits for the chain's entry in the used ring. Returns its distance from index @start. */
static uint16_t place_of(struct vmm *vmm, struct chain *c, uint16_t start)
{
	const struct ring *r = &vmm->rings[CONTROL];

	assert_true(gpu_wait_ms(vmm, c, vmm->timeout_ms));
	for (uint16_t k = 0; k < r->size; k++) {
		if (r->vring.used->ring[(uint16_t)(start + k) % r->size].id == c->head)
			return k;
	}
	vmm_fail("chain %u is not in the used ring", c->head);
}

static void kick(struct vmm *vmm)
{
	ring_kick(&vmm->rings[CONTROL]);
}

/* ---- responses ---- */

static void fences_are_returned_unchanged(void **state)
{
	static const struct fence fences[] = {
		{ FENCE, 1, 0, 1 },           { FENCE, 1, 0, 0 },
		{ FENCE, 2, 0, HUGE_ID + 5 }, { FENCE, 1, 0, HUGE_ID },
		{ FENCE, 1, 0, UINT64_MAX },  { RING, 1, 0, HUGE_ID + 1 },
		{ RING, 1, 1, HUGE_ID + 1 },  { RING, 2, 0, HUGE_ID + 1 },
		{ RING, 2, 63, 3 },           { RING, 1, 0, 2 },
	};
	struct vmm *vmm = boot(state);
	struct chain *chains[ARRAY_LENGTH(fences)];

	/* One by one, and all at once. */
	for (unsigned k = 0; k < ARRAY_LENGTH(fences); k++) {
		struct chain *c = queue(vmm, &fences[k], false);

		kick(vmm);
		assert_ok(finish(vmm, c, &fences[k]));
	}
	for (unsigned k = 0; k < ARRAY_LENGTH(fences); k++)
		chains[k] = queue(vmm, &fences[k], k == 0);
	kick(vmm);
	for (unsigned k = 0; k < ARRAY_LENGTH(fences); k++)
		assert_ok(finish(vmm, chains[k], &fences[k]));
}

static void every_command_can_have_a_fence(void **state)
{
	struct vmm *vmm = boot(state);
	struct virtio_gpu_resp_capset_info info;
	struct image i = image_new_3d(vmm, gpu_texture(7, 16, 16));

	vmm->fences_all = true;
	vmm->next_fence = HUGE_ID;
	assert_response(gpu_capset_info(vmm, 0, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
	assert_ok(gpu_from_host_3d(vmm, gpu_whole(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 7, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 7, image_rect(&i)));
	assert_ok(gpu_ctx_create(vmm, 9, 0));
	assert_ok(gpu_ctx_attach(vmm, 9, 7));
	assert_ok(gpu_ctx_destroy(vmm, 9));
	assert_ok(gpu_unref(vmm, 7));
	assert_response(gpu_unref(vmm, 7), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_move_cursor(vmm, 0, 1, 2, 0));
	assert_alive(vmm);
}

/* ---- order ---- */

static void fences_of_one_timeline_are_answered_in_order(void **state)
{
	/* The guest may choose any ids: they may decrease or repeat. */
	static const struct fence timelines[] = {
		{ FENCE, 1, 0, 900 }, { RING, 1, 0, 800 },     { RING, 1, 1, 700 },
		{ RING, 2, 0, 800 },  { RING, 2, 1, HUGE_ID }, { FENCE, 2, 0, 600 },
	};
	struct vmm *vmm = boot(state);
	uint16_t start = vmm->rings[CONTROL].used_idx;
	uint16_t places[24];
	struct chain *chains[24];

	for (unsigned k = 0; k < 24; k++) {
		struct fence f = timelines[k % 6];

		f.id -= k / 6;
		chains[k] = queue(vmm, &f, k == 2);
	}
	kick(vmm);
	for (unsigned k = 0; k < 24; k++)
		places[k] = place_of(vmm, chains[k], start);
	for (unsigned k = 6; k < 24; k++) {
		if (places[k] <= places[k - 6])
			vmm_fail("command %u of a timeline came before command %u", k, k - 6);
	}
	/* Fences 0 and 5 are on the global timeline, whatever their context. */
	for (unsigned k = 5; k < 24; k += 6)
		assert_true(places[k] > places[k - 5]);
}

static void a_command_without_a_fence_does_not_wait(void **state)
{
	struct fence slow = { FENCE, 1, 0, 5 }, none = { 0, 1, 0, 0 };
	struct vmm *vmm = boot(state);
	uint16_t start = vmm->rings[CONTROL].used_idx;
	struct chain *first = queue(vmm, &slow, true), *second = queue(vmm, &none, false);

	kick(vmm);
	assert_int_equal(place_of(vmm, second, start), 0);
	assert_int_equal(place_of(vmm, first, start), 1);
}

static void a_command_that_fails_is_answered_at_once(void **state)
{
	static const struct fence bad[] = {
		{ FENCE, 9, 0, HUGE_ID + 2 }, /* no such context */
		{ RING, 9, 0, HUGE_ID + 3 },
		{ RING, 1, 64, HUGE_ID + 4 }, /* no such ring */
		{ RING, 1, 255, HUGE_ID + 5 },
	};
	static const uint32_t due[] = { RESP_INVALID_CONTEXT_ID, RESP_INVALID_CONTEXT_ID,
					RESP_INVALID_PARAMETER, RESP_INVALID_PARAMETER };
	struct fence slow = { FENCE, 1, 0, HUGE_ID }, last = { FENCE, 1, 0, HUGE_ID + 6 };
	struct vmm *vmm = boot(state);
	uint16_t start = vmm->rings[CONTROL].used_idx;
	struct chain *before = queue(vmm, &slow, true), *chains[ARRAY_LENGTH(bad)], *after;

	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++)
		chains[k] = queue(vmm, &bad[k], false);
	after = queue(vmm, &last, false);
	kick(vmm);
	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++)
		assert_int_equal(place_of(vmm, chains[k], start), k);
	assert_int_equal(place_of(vmm, before, start), ARRAY_LENGTH(bad));
	assert_int_equal(place_of(vmm, after, start), ARRAY_LENGTH(bad) + 1);
	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++)
		assert_response(finish(vmm, chains[k], &bad[k]), due[k]);
	assert_ok(finish(vmm, before, &slow));
	assert_ok(finish(vmm, after, &last));
}

/* A ring without its context, on commands that otherwise need no context. */
static void a_ring_needs_its_context(void **state)
{
	struct virtio_gpu_ctrl_hdr h = {
		VIRTIO_GPU_CMD_GET_DISPLAY_INFO, RING, HUGE_ID, 0, 1, { 0 }
	};
	struct virtio_gpu_resp_display_info info;
	struct vmm *vmm = boot(state);

	assert_response(gpu_call(vmm, CONTROL, &h, sizeof(h), &info, sizeof(info)),
			RESP_INVALID_CONTEXT_ID);
	h.ctx_id = 3;
	assert_response(gpu_call(vmm, CONTROL, &h, sizeof(h), &info, sizeof(info)),
			RESP_INVALID_CONTEXT_ID);
	h.ctx_id = 1;
	assert_response(gpu_call(vmm, CONTROL, &h, sizeof(h), &info, sizeof(info)),
			VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(info.hdr.ring_idx, 1);
}

static void destroying_a_context_answers_its_fences(void **state)
{
	static const struct fence fences[] = {
		{ RING, 1, 0, 1 }, { RING, 1, 5, 2 }, { RING, 2, 0, 3 }, { FENCE, 1, 0, 4 }
	};
	struct virtio_gpu_ctx_destroy destroy = { { .type = VIRTIO_GPU_CMD_CTX_DESTROY,
						    .ctx_id = 1 } };
	struct vmm *vmm = boot(state);

	for (unsigned round = 0; round < 3; round++) {
		uint16_t start = vmm->rings[CONTROL].used_idx;
		struct chain *chains[4], *gone;

		for (unsigned k = 0; k < 4; k++)
			chains[k] = queue(vmm, &fences[k], k == 0);
		gone = gpu_submit(vmm, CONTROL, &destroy, sizeof(destroy),
				  sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
		kick(vmm);
		assert_true(place_of(vmm, chains[0], start) < place_of(vmm, gone, start));
		assert_true(place_of(vmm, chains[1], start) < place_of(vmm, gone, start));
		/* The other timelines are still pending, and not lost. */
		assert_true(place_of(vmm, chains[2], start) > place_of(vmm, gone, start));
		assert_true(place_of(vmm, chains[3], start) > place_of(vmm, gone, start));
		for (unsigned k = 0; k < 4; k++)
			assert_ok(finish(vmm, chains[k], &fences[k]));
		assert_ok(gpu_finish(vmm, gone, NULL, 0));
		/* A new context with the same id: its rings had no fence yet. */
		assert_ok(gpu_ctx_create(vmm, 1, 0));
		assert_ok(gpu_ctx_attach(vmm, 1, TARGET));
		assert_ok(gpu_ctx_attach(vmm, 1, BIG_A));
		assert_ok(gpu_ctx_attach(vmm, 1, BIG_B));
	}
}

/* QEMU's daemon keeps display requests among the fences, with id 0. */
static void a_completed_fence_does_not_answer_a_display_request(void **state)
{
	static const struct fence fences[] = { { FENCE, 1, 0, 0 }, { FENCE, 1, 0, UINT64_MAX } };
	struct virtio_gpu_ctrl_hdr info = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	/* A front-end whose display the daemon asks for an EDID. */
	struct vmm_options options = { .args = gpu3d_args, .profile = &vmm_qemu_11_1 };
	struct vmm *vmm = boot_with(state, &options);
	struct chain *asked[2], *chains[2];

	vmm->display.on_info = vmm->display.on_edid = HOLD;
	asked[0] = gpu_submit(vmm, CONTROL, &info, sizeof(info),
			      sizeof(struct virtio_gpu_resp_display_info), NULL, 0);
	asked[1] = gpu_submit(vmm, CONTROL, &edid, sizeof(edid),
			      sizeof(struct virtio_gpu_resp_edid), NULL, 0);
	for (unsigned k = 0; k < 2; k++)
		chains[k] = queue(vmm, &fences[k], false);
	int64_t start = vmm_now_ms();

	kick(vmm);
	for (unsigned k = 0; k < 2; k++)
		assert_ok(finish(vmm, chains[k], &fences[k]));
	/* The work usually ends long before the display requests time out. */
	assert_true(!(asked[0]->is_done || asked[1]->is_done) || vmm_now_ms() - start >= 2000);
	vmm->display.on_info = vmm->display.on_edid = ANSWER;
	display_answer_held(&vmm->display);
	assert_response(gpu_finish(vmm, asked[0], NULL, 0), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_response(gpu_finish(vmm, asked[1], NULL, 0), VIRTIO_GPU_RESP_OK_EDID);
}

/* ---- limits and interrupts ---- */

static void pending_fences_are_limited_by_max_fences(void **state)
{
	static const char *const args[] = { "--gpu-mode", "virglrenderer", "--max-fences", "3",
					    NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = boot_with(state, &options);

	for (unsigned round = 0; round < 3; round++) {
		struct chain *chains[6];

		for (unsigned k = 0; k < 6; k++) {
			struct fence f = { k % 2 ? RING : FENCE, 1, 0, k };

			chains[k] = queue(vmm, &f, k == 0);
		}
		kick(vmm);
		for (unsigned k = 0; k < 6; k++) {
			struct fence f = { k % 2 ? RING : FENCE, 1, 0, k };

			assert_response(finish(vmm, chains[k], &f),
					k < 3 ? RESP_OK : RESP_OUT_OF_MEMORY);
		}
	}
}

/* Without EVENT_IDX each signal is one interrupt. The last command reads back what all others draw,
 * so their fences have completed before the daemon polls. */
static void a_batch_of_fences_is_one_interrupt(void **state)
{
	enum { BATCH = 40, FEW = 6 };
	struct vmm_options options = { .args = gpu3d_args,
				       .features_off = BIT64(VIRTIO_RING_F_EVENT_IDX) };
	struct vmm *vmm = boot_with(state, &options);
	struct image big = image_due(vmm, SIDE, SIDE);
	struct virtio_gpu_mem_entry entry = { big.gpa, SIDE * SIDE * 4, 0 };
	transfer_3d_t t = { .hdr.type = VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
			    .box = { 0, 0, 0, SIDE, SIDE, 1 },
			    .resource_id = BIG_A };
	struct chain *chains[BATCH], *last;
	struct ring *r = &vmm->rings[CONTROL];

	assert_ok(gpu_attach(vmm, BIG_A, &entry, 1));
	uint64_t before = r->interrupts;
	for (unsigned k = 0; k < BATCH; k++) {
		struct fence f = { k % 2 ? RING : FENCE, 1, 0, k };

		chains[k] = queue(vmm, &f, k == 0);
	}
	last = gpu_submit(vmm, CONTROL, &t, sizeof(t), sizeof(t.hdr), NULL, 0);
	kick(vmm);
	for (unsigned k = 0; k < BATCH; k++)
		assert_ok(gpu_finish(vmm, chains[k], NULL, 0));
	assert_ok(gpu_finish(vmm, last, NULL, 0));
	/* One for the transfer, one for the fences, and a few if the GPU's thread was late. */
	if (r->interrupts - before > FEW)
		vmm_fail("%u fences made %llu interrupts", BATCH,
			 (unsigned long long)(r->interrupts - before));
}

/* ---- stop, cont, reset ---- */

static void nothing_is_lost_over_stop_and_cont(void **state)
{
	struct vmm *vmm = boot(state);

	for (uint32_t round = 0; round < 4; round++) {
		struct fence fences[6];
		struct chain *chains[6], *marker;
		struct fence none = { 0, 1, 0, 0 };

		for (uint32_t k = 0; k < 6; k++) {
			fences[k] = (struct fence){ k % 2 ? RING : FENCE, 1 + k % 3 / 2, (uint8_t)k,
						    HUGE_ID + round * 10 + k };
			fences[k].ring = k % 2 ? (uint8_t)k : 0;
			chains[k] = queue(vmm, &fences[k], k == 0);
		}
		marker = queue(vmm, &none, false);
		kick(vmm);
		/* In odd rounds the commands have been served and wait; in even rounds the stop
		 * comes at any time. */
		if (round % 2)
			assert_ok(gpu_finish(vmm, marker, NULL, 0));
		vmm_stop(vmm);
		if (round >= 2) /* the work ends while the rings are stopped */
			poll(NULL, 0, 50);
		vmm_start(vmm);
		if (round % 2 == 0)
			assert_ok(gpu_finish(vmm, marker, NULL, 0));
		for (unsigned k = 0; k < 6; k++)
			assert_ok(finish(vmm, chains[k], &fences[k]));
	}
}

/* An old chain, if answered, would appear in the new used ring, where the ring's own check finds
 * it. As many fences as allowed are pending before the reset, and none of them counts after it. */
static void a_reset_drops_all_fences(void **state)
{
	static const char *const args[] = { "--gpu-mode", "virglrenderer", "--max-fences", "8",
					    NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = boot_with(state, &options);

	for (unsigned round = 0; round < 4; round++) {
		struct fence f = { FENCE, 1, 0, 1 }, none = { 0, 1, 0, 0 };
		struct chain *c;

		for (unsigned k = 0; k < 8; k++) {
			f.flags = k % 2 ? RING : FENCE;
			queue(vmm, &f, k == 0);
		}
		c = queue(vmm, &none, false);
		kick(vmm);
		assert_ok(gpu_finish(vmm, c, NULL, 0));
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
		/* The same ids, from the beginning. */
		assert_ok(gpu_create_3d(vmm, gpu_texture(TARGET, IS_SMALL, IS_SMALL)));
		assert_ok(gpu_create_3d(vmm, gpu_texture(BIG_A, SIDE, SIDE)));
		assert_ok(gpu_create_3d(vmm, gpu_texture(BIG_B, SIDE, SIDE)));
		assert_ok(gpu_ctx_create(vmm, 1, 0));
		for (uint32_t id = 1; id <= 202; id += id == 1 ? 200 : 1)
			assert_ok(gpu_ctx_attach(vmm, 1, id));
		f.flags = FENCE;
		c = queue(vmm, &f, false);
		kick(vmm);
		assert_ok(finish(vmm, c, &f));
	}
}

static void a_disconnect_leaves_no_fence_behind(void **state)
{
	struct fence f = { FENCE, 1, 0, 1 };
	struct vmm *vmm = boot(state);

	for (unsigned k = 0; k < 8; k++)
		queue(vmm, &f, k == 0);
	kick(vmm);
	assert_session_alive(vmm);
	vmm_disconnect(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	vmm->fences_all = true;
	assert_alive(vmm);
	assert_ok(gpu_create_3d(vmm, gpu_texture(TARGET, IS_SMALL, IS_SMALL)));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(fences_are_returned_unchanged),
		DEVICE_TEST(every_command_can_have_a_fence),
		DEVICE_TEST(fences_of_one_timeline_are_answered_in_order),
		DEVICE_TEST(a_command_without_a_fence_does_not_wait),
		DEVICE_TEST(a_command_that_fails_is_answered_at_once),
		DEVICE_TEST(a_ring_needs_its_context),
		DEVICE_TEST(destroying_a_context_answers_its_fences),
		DEVICE_TEST(a_completed_fence_does_not_answer_a_display_request),
		DEVICE_TEST(pending_fences_are_limited_by_max_fences),
		DEVICE_TEST(a_batch_of_fences_is_one_interrupt),
		DEVICE_TEST(nothing_is_lost_over_stop_and_cont),
		DEVICE_TEST(a_reset_drops_all_fences),
		DEVICE_TEST(a_disconnect_leaves_no_fence_behind),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d fences", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
