// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A front-end that truncates its memory file while the daemon has it mapped. Each access to the
 * missing pages raises SIGBUS, or EFAULT if the kernel accesses them for us. The daemon must
 * survive that everywhere: in its rings, in a backing, in a picture that is sent. Such a session
 * ends with one error line that says why, and the next front-end is served. The tests run with the
 * 2D renderer and again with virglrenderer, which accesses backings by itself; two of them run only
 * with virglrenderer.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GPA  0x200000000ull
#define SIZE (8u << 20)
#define W    1024u
#define H    768u
#define ROW  (W * 4)
#define LINE "guest memory is not accessible"

static const char *mode;

struct machine {
	struct vmm *vmm;
	unsigned hot; /* the region that is truncated */
	struct image image;
};

static void start(struct vmm *vmm)
{
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
}

static struct machine boot(void **state)
{
	const char *args[] = { "--gpu-mode", mode, "--max-fps", "0", NULL };
	struct vmm_options options = { .args = args };
	struct machine m = { .vmm = fixture_new(state, &options) };

	m.hot = memory_add(&m.vmm->memory, GPA, SIZE, 0);
	m.image = (struct image){ 1, BGRX, W, H, GPA, m.vmm->memory.regions[m.hot].host };
	start(m.vmm);
	return m;
}

static void cut(struct machine *m, unsigned region, uint64_t size)
{
	if (ftruncate(m->vmm->memory.regions[region].fd, (off_t)size) < 0)
		vmm_fail("ftruncate failed");
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

/* The session ends with one error line; the next one has no error. */
static void assert_ends(struct machine *m)
{
	static const uint64_t whole[] = { 256u << 20, 256u << 20, 66u << 20 };
	struct vmm *vmm = m->vmm;
	char *text;

	if (!vhost_is_closed(vmm, vmm->timeout_ms))
		vmm_fail("the session goes on%s",
			 daemon_wait(&vmm->daemon, 0) < 0 ? "" : ": the daemon is dead");
	if (daemon_wait(&vmm->daemon, 50) >= 0)
		vmm_fail("the daemon is dead");
	text = daemon_text(vmm->daemon.err_fd);
	assert_int_equal(count(text, LINE), 1);
	assert_int_equal(count(text, "error "), 1);
	free(text);

	for (unsigned i = 0; i < ARRAY_LENGTH(whole); i++)
		cut(m, i, whole[i]);
	vmm_disconnect(vmm);
	memory_remove(&vmm->memory, m->hot);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	start(vmm);
	assert_alive(vmm);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
}

static void attach(struct machine *m)
{
	struct virtio_gpu_mem_entry e = { GPA, ROW * H, 0 };

	assert_ok(gpu_create_2d(m->vmm, 1, BGRX, W, H));
	assert_ok(gpu_attach(m->vmm, 1, &e, 1));
}

/* A blob of W x H pixels in the truncated region. @w pixels of each row are shown. */
static void show_blob(struct machine *m, uint32_t w)
{
	struct virtio_gpu_mem_entry e = { GPA, ROW * H, 0 };
	create_blob_t args = { .resource_id = 1,
			       .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			       .nr_entries = 1,
			       .size = ROW * H };

	assert_ok(gpu_create_blob(m->vmm, args, &e, sizeof(e)));
	assert_ok(gpu_set_scanout_blob(m->vmm, (set_scanout_blob_t){ .r = gpu_rect(0, 0, w, H),
								     .resource_id = 1,
								     .width = W,
								     .height = H,
								     .format = BGRX,
								     .strides = { ROW } }));
	image_wait_shown(m->vmm, &m->image, 0, gpu_rect(0, 0, w, H));
}

static void submit(struct machine *m, const void *request, uint32_t size)
{
	gpu_submit(m->vmm, CONTROL, request, size, sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
	ring_kick(&m->vmm->rings[CONTROL]);
}

static void submit_transfer(struct machine *m)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, gpu_rect(0, 0, W, H), 0, 1, 0
	};

	submit(m, &c, sizeof(c));
}

static void submit_flush(struct machine *m)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, gpu_rect(0, 0, W, H), 1, 0
	};

	submit(m, &c, sizeof(c));
}

/* ---- backings ---- */

static void a_transfer_from_truncated_memory_ends_the_session(void **state)
{
	static const uint64_t sizes[] = { 0, 4096, ROW * (H - 1) };
	struct machine m;

	for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
		m = boot(state);
		attach(&m);
		cut(&m, m.hot, sizes[i]);
		submit_transfer(&m);
		assert_ends(&m);
		fixture_end(state);
	}
}

static void truncated_memory_that_is_not_accessed_does_no_harm(void **state)
{
	struct machine m = boot(state);

	attach(&m);
	cut(&m, m.hot, 0);
	assert_alive(m.vmm);
	assert_ok(gpu_unref(m.vmm, 1));
	assert_alive(m.vmm);
}

static void a_request_or_response_in_truncated_memory_ends_the_session(void **state)
{
	/* A command for which the daemon sends the display no request. */
	struct virtio_gpu_resource_unref c = { { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF }, 9, 0 };

	for (unsigned is_written = 0; is_written < 2; is_written++) {
		struct machine m = boot(state);
		struct guest_buf bufs[] = { ring_slot(&m.vmm->rings[CONTROL], 0, 0, sizeof(c),
						      false),
					    { GPA, 24, is_written } };

		memcpy(memory_at(&m.vmm->memory, bufs[0].gpa, sizeof(c)), &c, sizeof(c));
		cut(&m, m.hot, 0);
		ring_add(&m.vmm->rings[CONTROL], &bufs[!is_written], 1 + is_written);
		ring_kick(&m.vmm->rings[CONTROL]);
		assert_ends(&m);
		fixture_end(state);
	}
}

static void rings_in_truncated_memory_end_the_session(void **state)
{
	struct machine m = boot(state);

	assert_alive(m.vmm);
	/* From here on the test itself must not access the rings: it would get SIGBUS. */
	cut(&m, MEMORY_MAIN, 0);
	ring_kick_always(&m.vmm->rings[CONTROL]);
	assert_ends(&m);
}

/* ---- pictures that the kernel reads for us ---- */

static void a_picture_in_truncated_memory_ends_the_session(void **state)
{
	/* Long rows are sent directly, short ones are copied first. */
	static const uint32_t widths[] = { W, 32 };

	for (unsigned i = 0; i < ARRAY_LENGTH(widths); i++) {
		struct machine m = boot(state);

		show_blob(&m, widths[i]);
		cut(&m, m.hot, i == 0 ? 4096 : 0);
		submit_flush(&m);
		vmm_drain_display(m.vmm);
		assert_ends(&m);
		fixture_end(state);
	}
}

static void memory_truncated_within_a_picture_ends_the_session(void **state)
{
	struct machine m = boot(state);

	show_blob(&m, W);
	m.vmm->display.is_paused = true;
	submit_flush(&m);
	assert_session_alive(m.vmm);
	cut(&m, m.hot, 0);
	m.vmm->display.is_paused = false;
	vmm_drain_display(m.vmm);
	assert_ends(&m);
}

/* In each turn of its loop the daemon sends until the socket is full (1 MiB at most), and answers
 * one message. */
static void wait_until_socket_is_full(struct vmm *vmm)
{
	int n = 0, before;

	do {
		before = n;
		assert_session_alive(vmm);
		assert_int_equal(ioctl(vmm->display.fd, FIONREAD, &n), 0);
	} while (n == 0 || n != before);
}

/* The rest is sent as zeros. */
static void sending_the_rest_of_a_frame_does_not_read_a_destroyed_blob(void **state)
{
	struct machine m = boot(state);

	show_blob(&m, W);
	m.vmm->display.is_paused = true;
	submit_flush(&m);
	wait_until_socket_is_full(m.vmm);
	cut(&m, m.hot, 0);
	assert_ok(gpu_unref(m.vmm, 1));
	m.vmm->display.is_paused = false;
	assert_alive(m.vmm);
	assert_int_equal(m.vmm->display.surfaces[0].width, 0);
}

/* ---- OpenGL ---- */

static struct machine boot_3d(void **state)
{
	struct machine m = boot(state);
	struct virtio_gpu_mem_entry e = { GPA, ROW * H, 0 };

	assert_ok(gpu_ctx_create(m.vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_ok(gpu_create_3d(m.vmm, gpu_texture(1, W, H)));
	assert_ok(gpu_attach(m.vmm, 1, &e, 1));
	assert_ok(gpu_ctx_attach(m.vmm, 1, 1));
	assert_ok(gpu_paint(m.vmm, 1, 1, 0x123456));
	return m;
}

static void transfers_of_3d_with_truncated_memory_end_the_session(void **state)
{
	static const uint32_t types[] = { VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
					  VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D };

	for (unsigned i = 0; i < 2 * ARRAY_LENGTH(types); i++) {
		struct machine m = boot_3d(state);
		transfer_3d_t t = gpu_whole(&m.image);

		t.hdr.type = types[i / 2];
		cut(&m, m.hot, i % 2 ? 5 * ROW : 0);
		submit(&m, &t, sizeof(t));
		assert_ends(&m);
		fixture_end(state);
	}
}

static void a_stream_in_truncated_memory_ends_the_session(void **state)
{
	struct machine m = boot_3d(state);
	struct virtio_gpu_cmd_submit c = { { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 },
					   8192,
					   0 };
	struct guest_buf data = { GPA, 8192, false };

	cut(&m, m.hot, 4096);
	gpu_submit(m.vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), &data, 1);
	ring_kick(&m.vmm->rings[CONTROL]);
	assert_ends(&m);
}

#define TESTS_OF_BOTH                                                                              \
	DEVICE_TEST(a_transfer_from_truncated_memory_ends_the_session),                            \
		DEVICE_TEST(truncated_memory_that_is_not_accessed_does_no_harm),                   \
		DEVICE_TEST(a_request_or_response_in_truncated_memory_ends_the_session),           \
		DEVICE_TEST(rings_in_truncated_memory_end_the_session),                            \
		DEVICE_TEST(a_picture_in_truncated_memory_ends_the_session),                       \
		DEVICE_TEST(memory_truncated_within_a_picture_ends_the_session),                   \
		DEVICE_TEST(sending_the_rest_of_a_frame_does_not_read_a_destroyed_blob)

static int run(void)
{
	const struct CMUnitTest tests[] = { TESTS_OF_BOTH };
	const struct CMUnitTest tests_3d[] = {
		TESTS_OF_BOTH,
		DEVICE_TEST(transfers_of_3d_with_truncated_memory_end_the_session),
		DEVICE_TEST(a_stream_in_truncated_memory_ends_the_session),
	};

	mode = vmm_renderer("2d");
	int failed = cmocka_run_group_tests_name("cut memory", tests, NULL, NULL);

	mode = "virglrenderer";
	if (!vmm_is_gfxstream() && gpu3d_works())
		failed += cmocka_run_group_tests_name("cut memory, virgl", tests_3d, NULL, NULL);
	return failed;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
