// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * GET_DISPLAY_INFO and GET_EDID: the guest gets the display's current reply, and a display that
 * does not reply does not block it. The display replies only when its main loop runs, so a command
 * that waits for it must delay no other command (VIRTIO 1.2, 5.7.6.7).
 */
#include "fixture.h"

#include <string.h>

#define RESP_DISPLAY_INFO VIRTIO_GPU_RESP_OK_DISPLAY_INFO
#define RESP_EDID         VIRTIO_GPU_RESP_OK_EDID

/* The longest time after which the daemon must give up on the display. */
#define GIVE_UP_MS 10000

/* The daemon waits for the display for so long. */
#define WAITS_MS 2000

static struct chain *submit_info(struct vmm *vmm)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };

	return gpu_submit(vmm, CONTROL, &h, sizeof(h), sizeof(struct virtio_gpu_resp_display_info),
			  NULL, 0);
}

static struct chain *submit_edid(struct vmm *vmm, uint32_t scanout)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
					     .scanout = scanout };

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(struct virtio_gpu_resp_edid), NULL,
			  0);
}

/* The command @c, which was submitted at @start, is unanswered. An answer is accepted too if
 * WAITS_MS have passed: if this process got no CPU for so long, the daemon's time-out may have
 * answered @c. */
static void assert_waits(const struct chain *c, int64_t start)
{
	assert_true(!c->is_done || vmm_now_ms() - start >= WAITS_MS);
}

static void assert_is_edid(const struct virtio_gpu_resp_edid *r, uint32_t width, uint32_t height)
{
	static const uint8_t magic[8] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	const uint8_t *t = r->edid + 54; /* the first detailed timing */
	uint8_t sum = 0;

	assert_true(r->size >= 128 && r->size <= 1024 && r->size % 128 == 0);
	assert_memory_equal(r->edid, magic, sizeof(magic));
	for (unsigned i = 0; i < 128; i++)
		sum = (uint8_t)(sum + r->edid[i]);
	assert_int_equal(sum, 0);
	assert_int_equal(r->edid[18], 1);
	assert_int_equal(r->edid[126] * 128 + 128, r->size);
	assert_int_equal(t[2] | (t[4] & 0xf0) << 4, width);
	assert_int_equal(t[5] | (t[7] & 0xf0) << 4, height);
	assert_int_not_equal(t[0] | t[1] << 8, 0); /* the pixel clock */
}

/* ---- GET_EDID ---- */

static void edid_of_an_invalid_scanout_is_refused(void **state)
{
	static const uint32_t bad[] = { 16, 20, 0x80000000, 0xffffffff };
	struct virtio_gpu_resp_edid r;
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
						     .scanout = bad[i] };

		assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &r, sizeof(c.hdr)),
				RESP_INVALID_SCANOUT_ID);
	}
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_GET_EDID], 0);
}

static void an_edid_that_the_display_never_sends_is_made_here(void **state)
{
	struct virtio_gpu_resp_edid r;
	struct vmm *vmm = *state;

	/* QEMU has one output and never replies for a second one. */
	assert_response(gpu_edid(vmm, 1, &r), RESP_EDID);
	assert_is_edid(&r, 1280, 800);
	/* The next request is answered as usual. */
	assert_response(gpu_edid(vmm, 0, &r), RESP_EDID);
	assert_int_equal(r.size, vmm->display.edid_size);
	assert_alive(vmm);
}

static void no_other_command_waits_for_a_missing_edid(void **state)
{
	struct virtio_gpu_resp_edid r;
	struct vmm *vmm = *state;
	struct chain *c;

	vmm->display.on_info = vmm->display.on_edid = NEVER;
	c = submit_edid(vmm, 0);
	int64_t start = vmm_now_ms();

	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_GET_EDID, 1);
	for (uint32_t id = 1; id < 20; id++)
		assert_ok(gpu_create_2d(vmm, id, BGRX, 64, 64));
	assert_ok(gpu_move_cursor(vmm, 0, 1, 1, 0));
	assert_waits(c, start);
	vmm->timeout_ms = GIVE_UP_MS;
	assert_response(gpu_finish(vmm, c, &r, sizeof(r)), RESP_EDID);
	assert_is_edid(&r, 1280, 800);
}

static void edid_is_the_one_of_the_display(void **state)
{
	struct virtio_gpu_resp_edid r;
	struct vmm *vmm = *state;

	vmm->display.max_outputs = 2;
	for (uint32_t i = 0; i < 2; i++) {
		assert_response(gpu_edid(vmm, i, &r), RESP_EDID);
		assert_int_equal(r.size, vmm->display.edid_size);
		r.edid[0] = (uint8_t)(r.edid[0] - i); /* the display adds the scanout */
		assert_memory_equal(r.edid, vmm->display.edid, 256);
	}
	assert_int_equal(vmm->display.counts[DISPLAY_GET_EDID], 2);
}

static void an_edid_is_made_here_for_a_display_without_the_feature(void **state)
{
	struct vmm_options options = { .profile = &vmm_qemu_7_2 };
	struct vmm *vmm = fixture_boot(state, &options);
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid r;

	vmm->display.outputs[0].r = gpu_rect(0, 0, 1600, 900);
	assert_response(gpu_display_info(vmm, &info), RESP_DISPLAY_INFO);
	assert_response(gpu_edid(vmm, 0, &r), RESP_EDID);
	assert_is_edid(&r, 1600, 900);
	assert_int_equal(vmm->display.counts[DISPLAY_GET_EDID], 0);
}

static void get_edid_needs_the_accepted_feature(void **state)
{
	struct vmm_options options = { .features_off = BIT64(VIRTIO_GPU_F_EDID) };
	struct vmm *vmm = fixture_boot(state, &options);
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	struct virtio_gpu_ctrl_hdr h;

	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)), RESP_UNSPEC);
}

/* ---- GET_DISPLAY_INFO ---- */

static void display_info_is_passed_on_unchanged(void **state)
{
	struct virtio_gpu_resp_display_info r;
	struct vmm *vmm = *state;
	struct display *d = &vmm->display;

	for (uint32_t i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		d->outputs[i] = (struct virtio_gpu_display_one){
			.r = gpu_rect(i * 100, i * 10, 640 + i, 480 + i),
			.enabled = i % 3 != 1,
			.flags = i * 7,
		};
	}
	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	assert_memory_equal(r.pmodes, d->outputs, sizeof(r.pmodes));
}

static void display_info_is_requested_each_time(void **state)
{
	struct virtio_gpu_resp_display_info r;
	struct vmm *vmm = *state;

	for (uint32_t w = 800; w < 810; w++) {
		vmm->display.outputs[0].r.width = w;
		assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
		assert_int_equal(r.pmodes[0].r.width, w);
	}
	assert_int_equal(vmm->display.counts[DISPLAY_GET_DISPLAY_INFO], 10);
}

static void late_display_info_delays_nothing(void **state)
{
	struct virtio_gpu_resp_display_info r;
	struct vmm *vmm = *state;
	struct chain *c;

	vmm->display.on_info = HOLD;
	vmm->fences_all = true;
	c = submit_info(vmm);
	int64_t start = vmm_now_ms();

	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
	assert_ok(gpu_move_cursor(vmm, 0, 1, 1, 0));
	assert_session_alive(vmm);
	assert_waits(c, start);
	vmm->display.outputs[0].r.width = 1111;
	display_answer_held(&vmm->display);
	assert_response(gpu_finish(vmm, c, &r, sizeof(r)), RESP_DISPLAY_INFO);
	if (vmm_now_ms() - start < WAITS_MS)
		assert_int_equal(r.pmodes[0].r.width, 1111);
}

static void missing_display_info_is_made_here(void **state)
{
	struct virtio_gpu_resp_display_info r;
	struct vmm *vmm = *state;

	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	vmm->display.on_info = NEVER;
	vmm->timeout_ms = GIVE_UP_MS;
	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	assert_int_equal(r.pmodes[0].enabled, 1);
	assert_int_equal(r.pmodes[0].r.width, 1280);
	vmm->display.on_info = ANSWER;
	assert_alive(vmm);
}

static void a_reply_after_the_time_out_does_no_harm(void **state)
{
	struct virtio_gpu_resp_display_info r;
	struct vmm *vmm = *state;

	vmm->display.on_info = HOLD;
	vmm->timeout_ms = GIVE_UP_MS;
	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	vmm->display.on_info = ANSWER;
	display_answer_held(&vmm->display); /* this request has ended */
	vmm->display.outputs[0].r.width = 1234;
	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	assert_response(gpu_display_info(vmm, &r), RESP_DISPLAY_INFO);
	assert_int_equal(r.pmodes[0].r.width, 1234);
}

static void many_display_requests_at_once_are_all_answered(void **state)
{
	struct chain *chains[24];
	struct vmm *vmm = *state;

	vmm->fences_all = true;
	for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++)
		chains[i] = i % 2 ? submit_edid(vmm, 0) : submit_info(vmm);
	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++)
		assert_response(gpu_finish(vmm, chains[i], NULL, 0),
				i % 2 ? RESP_EDID : RESP_DISPLAY_INFO);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(edid_of_an_invalid_scanout_is_refused),
		BOOTED_TEST(an_edid_that_the_display_never_sends_is_made_here),
		BOOTED_TEST(no_other_command_waits_for_a_missing_edid),
		BOOTED_TEST(edid_is_the_one_of_the_display),
		DEVICE_TEST(an_edid_is_made_here_for_a_display_without_the_feature),
		DEVICE_TEST(get_edid_needs_the_accepted_feature),
		BOOTED_TEST(display_info_is_passed_on_unchanged),
		BOOTED_TEST(display_info_is_requested_each_time),
		BOOTED_TEST(late_display_info_delays_nothing),
		BOOTED_TEST(missing_display_info_is_made_here),
		BOOTED_TEST(a_reply_after_the_time_out_does_no_harm),
		BOOTED_TEST(many_display_requests_at_once_are_all_answered),
	};

	return cmocka_run_group_tests_name("outputs", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
