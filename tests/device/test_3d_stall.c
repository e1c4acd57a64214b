// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A guest that keeps the renderer busy for seconds with one command: hundreds of copies of a large
 * texture. The front-end and signals are served all the same.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* With the CPU drawing, a copy takes tens of milliseconds. Nobody waits for the end of so many. */
#define SIDE     8192
#define N_COPIES 290

/* A command that is not answered after WAIT_MS counts as under way. One whose end a test waits for
 * takes about N_TIMES as long. */
#define WAIT_MS 300
#define N_TIMES 4

/* An exit frees a gigabyte, which takes long on a busy machine. */
#define END_MS 60000

static struct vmm *boot(void **state, const char *max_stall)
{
	const char *const args[] = { "--gpu-mode", "virglrenderer", "--max-stall",
				     max_stall,    "--max-hostmem", "2G",
				     NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);

	vmm->timeout_ms = 60000;
	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	for (uint32_t id = 1; id <= 2; id++) {
		assert_ok(gpu_create_3d(vmm, gpu_texture(id, SIDE, SIDE)));
		assert_ok(gpu_ctx_attach(vmm, 1, id));
	}
	return vmm;
}

static struct chain *kick_copies(struct vmm *vmm, unsigned n)
{
	struct virtio_gpu_ctrl_hdr header = { .ctx_id = 1 };
	struct stream s = { .count = 0 };

	for (unsigned i = 0; i < n; i++)
		stream_copy(&s, 1 + i % 2, 0, 0, 2 - i % 2, gpu_rect(0, 0, SIDE, SIDE));
	struct chain *c = gpu_stream_later(vmm, header, &s);

	ring_kick(&vmm->rings[CONTROL]);
	return c;
}

/* Kicks a stream of @n copies, and sees that it is under way. */
static struct chain *keep_busy(struct vmm *vmm, unsigned n)
{
	struct chain *c = kick_copies(vmm, n);

	assert_false(gpu_wait_ms(vmm, c, WAIT_MS));
	return c;
}

/* Whether a stream of @n copies takes longer than WAIT_MS; then *@ret_chain is under way. */
static bool takes_long(struct vmm *vmm, unsigned n, struct chain **ret_chain)
{
	*ret_chain = kick_copies(vmm, n);
	if (!gpu_wait_ms(vmm, *ret_chain, WAIT_MS))
		return true;
	assert_true(gpu_finish(vmm, *ret_chain, NULL, 0) == RESP_OK);
	return false;
}

/* Keeps the renderer busy for about N_TIMES * WAIT_MS on this machine: with N_TIMES * *@n copies,
 * where *@n begins at the given number. A busy machine may be faster a moment later, so the result
 * is checked. */
static struct chain *keep_busy_for_a_while(struct vmm *vmm, unsigned *n)
{
	for (; *n * N_TIMES < N_COPIES; *n *= 2) {
		struct chain *c;

		if (!takes_long(vmm, *n, &c))
			continue;
		assert_true(gpu_finish(vmm, c, NULL, 0) == RESP_OK);
		if (takes_long(vmm, *n * N_TIMES, &c))
			return c;
	}
	return keep_busy(vmm, N_COPIES);
}

static bool update_came(struct vmm *vmm, const void *arg)
{
	(void)arg;
	return vmm->display.counts[DISPLAY_UPDATE] > 0;
}

static void configuration_is_read_while_the_renderer_is_busy(void **state)
{
	struct vmm *vmm = boot(state, "60");
	struct chain *c = keep_busy(vmm, N_COPIES);
	uint32_t config[4];

	for (unsigned i = 0; i < 5; i++)
		assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
	vhost_get_u64(vmm, VHOST_USER_GET_FEATURES);
	assert_false(gpu_wait_ms(vmm, c, 0));
	assert_int_equal(kill(vmm->daemon.pid, SIGTERM), 0);
	assert_int_equal(daemon_wait(&vmm->daemon, END_MS), 0);
}

static void a_signal_ends_a_daemon_whose_renderer_is_busy(void **state)
{
	struct vmm *vmm = boot(state, "60");
	char *log;

	keep_busy(vmm, N_COPIES);
	assert_int_equal(kill(vmm->daemon.pid, SIGINT), 0);
	assert_int_equal(daemon_wait(&vmm->daemon, END_MS), 0);
	log = daemon_text(vmm->daemon.err_fd);
	assert_non_null(strstr(log, "was told to exit: exiting without it"));
	free(log);
}

static void a_queue_is_stopped_when_the_call_has_returned(void **state)
{
	struct vmm *vmm = boot(state, "60");
	unsigned n = 1;
	struct chain *c = keep_busy_for_a_while(vmm, &n);

	vhost_stop_ring(vmm, CONTROL);
	vhost_start_ring(vmm, CONTROL);
	assert_true(gpu_finish(vmm, c, NULL, 0) == RESP_OK);
}

static void a_queue_is_stopped_between_two_long_commands(void **state)
{
	struct vmm *vmm = boot(state, "60");
	bool has_begun = true;

	/* If this process waits for a CPU, the stop may come too late. */
	for (unsigned k = 0, n = 1; k < 3 && has_begun; k++, n *= 2) {
		struct chain *first = keep_busy_for_a_while(vmm, &n);
		struct chain *second = kick_copies(vmm, N_COPIES);

		vhost_stop_ring(vmm, CONTROL);
		assert_true(gpu_finish(vmm, first, NULL, 0) == RESP_OK);
		has_begun = gpu_wait_ms(vmm, second, 0);
		if (has_begun)
			vhost_start_ring(vmm, CONTROL);
	}
	assert_false(has_begun);
	vmm_reset(vmm);
}

static void a_message_that_waits_too_long_ends_the_session_and_then_the_process(void **state)
{
	struct vmm *vmm = boot(state, "1");
	uint32_t ring[2] = { 0, 0 };

	keep_busy(vmm, N_COPIES);
	assert_true(vhost_send(vmm, VHOST_USER_GET_VRING_BASE, VHOST_USER_VERSION, ring,
			       sizeof(ring), NULL, 0));
	assert_true(vhost_is_closed(vmm, END_MS));
	assert_int_equal(daemon_wait(&vmm->daemon, END_MS), 1);
}

/* QEMU's main loop does nothing else until it has read the whole of a message. */
static void a_frame_is_sent_to_its_end_while_the_renderer_is_busy(void **state)
{
	struct vmm *vmm = boot(state, "60");
	struct image i = image_new_3d(vmm, gpu_texture(3, 1280, 800));
	struct chain *c;

	assert_ok(gpu_set_scanout(vmm, 0, 3, image_rect(&i)));
	vmm->display.is_paused = true;
	assert_ok(gpu_flush(vmm, 3, image_rect(&i)));
	assert_session_alive(vmm);
	c = keep_busy(vmm, N_COPIES);
	vmm->display.is_paused = false;
	assert_true(vmm_wait_ms(vmm, update_came, NULL, vmm->timeout_ms));
	assert_false(gpu_wait_ms(vmm, c, 0));
	assert_int_equal(kill(vmm->daemon.pid, SIGTERM), 0);
	assert_int_equal(daemon_wait(&vmm->daemon, END_MS), 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(configuration_is_read_while_the_renderer_is_busy),
		DEVICE_TEST(a_signal_ends_a_daemon_whose_renderer_is_busy),
		DEVICE_TEST(a_queue_is_stopped_when_the_call_has_returned),
		DEVICE_TEST(a_queue_is_stopped_between_two_long_commands),
		DEVICE_TEST(a_message_that_waits_too_long_ends_the_session_and_then_the_process),
		DEVICE_TEST(a_frame_is_sent_to_its_end_while_the_renderer_is_busy),
	};

	if (!gpu3d_works())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("3d_stall", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
