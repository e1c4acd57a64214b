// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Host blobs that are dma-bufs, on a screen. The display gets the descriptor, and the picture's
 * layout as the guest described it; where its messages cannot say that, or it takes no dma-bufs, it
 * gets pixels. The dma-bufs are fakes: VMM_DMABUF_MODULE.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define W      70
#define H      50
#define STRIDE 320u
#define PAGE   4096u
#define SIZE   (5 * PAGE)
#define VENUS  4

#define FOURCC(a, b, c, d)                                                                         \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static int teardown(void **state)
{
	unsetenv("LD_PRELOAD");
	unsetenv("VMM_DMABUF_IS_UNMAPPABLE");
	return fixture_teardown(state);
}

/* Boots a machine with host blob 1, mapped at the beginning of the window. */
static struct vmm *boot_with(void **state, const char *const *args)
{
	struct vmm_options options = { .args = args, .profile = &vmm_later_qemu };
	const char *module = getenv("VMM_DMABUF_MODULE");

	assert_non_null(module);
	setenv("LD_PRELOAD", module, 1);
	struct vmm *vmm = fixture_boot(state, &options);

	unsetenv("LD_PRELOAD");
	assert_ok(gpu_ctx_create(vmm, 1, VENUS));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, SIZE));
	assert_response(gpu_map_blob(vmm, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	return vmm;
}

static struct vmm *boot(void **state, const char *mode)
{
	const char *args[] = { "--gpu-mode", "null", "--capset",    "venus", "--max-fps", "0",
			       "--scanout",  mode,   "--log-level", "debug", NULL };

	return boot_with(state, args);
}

static set_scanout_blob_t layout(uint32_t format, uint32_t offset)
{
	return (set_scanout_blob_t){ .r = gpu_rect(0, 0, W, H),
				     .resource_id = 1,
				     .width = W,
				     .height = H,
				     .format = format,
				     .strides = { STRIDE },
				     .offsets = { offset } };
}

/* Draws a picture into the blob, through the window; returns it. */
static struct image fill(struct vmm *vmm, uint32_t format, uint32_t offset, uint32_t seed)
{
	struct image i = image_due(vmm, W, H);

	i.format = format;
	image_fill(&i, seed);
	for (uint32_t y = 0; y < H; y++)
		for (uint32_t x = 0; x < W * 4; x++)
			window_poke(vmm, offset + y * STRIDE + x, i.bytes[y * W * 4 + x]);
	return i;
}

static void assert_is_blob(struct vmm *vmm, int fd)
{
	struct stat blob, shown;

	assert_int_equal(fstat(window_find(vmm, 0)->fd, &blob), 0);
	assert_int_equal(fstat(fd, &shown), 0);
	assert_int_equal(shown.st_ino, blob.st_ino);
}

static bool was_said(const struct vmm *vmm, const char *words)
{
	char *text = daemon_text(vmm->daemon.err_fd);
	bool is_there = strstr(text, words);

	free(text);
	return is_there;
}

static void the_display_gets_the_descriptor_of_a_host_blob(void **state)
{
	struct vmm *vmm = boot(state, "auto");
	const struct display_surface *surface = &vmm->display.surfaces[0];
	set_scanout_blob_t part = layout(BGRX, 0);

	part.r = gpu_rect(11, 7, 33, 40);
	assert_ok(gpu_set_scanout_blob(vmm, part));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 1);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	assert_int_equal(surface->dmabuf.base.x, 11);
	assert_int_equal(surface->dmabuf.base.y, 7);
	assert_int_equal(surface->dmabuf.base.width, 33);
	assert_int_equal(surface->dmabuf.base.height, 40);
	assert_int_equal(surface->dmabuf.base.fd_width, W);
	assert_int_equal(surface->dmabuf.base.fd_height, H);
	assert_int_equal(surface->dmabuf.base.fd_stride, STRIDE);
	assert_int_equal(surface->dmabuf.base.fd_flags, 0); /* the upper row is the first one */
	assert_int_equal(surface->dmabuf.modifier_hi, 0xffffff); /* DRM_FORMAT_MOD_INVALID */
	assert_int_equal(surface->dmabuf.modifier_lo, 0xffffffff);
	assert_is_blob(vmm, surface->dmabuf_fd);
}

static void each_format_has_its_fourcc(void **state)
{
	static const struct {
		uint32_t format, fourcc;
	} formats[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, FOURCC('A', 'R', '2', '4') },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, FOURCC('X', 'R', '2', '4') },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, FOURCC('B', 'A', '2', '4') },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, FOURCC('B', 'X', '2', '4') },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, FOURCC('A', 'B', '2', '4') },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, FOURCC('R', 'X', '2', '4') },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, FOURCC('R', 'A', '2', '4') },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, FOURCC('X', 'B', '2', '4') },
	};
	struct vmm *vmm = boot(state, "auto");

	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		assert_ok(gpu_set_scanout_blob(vmm, layout(formats[k].format, 0)));
		assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
		vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, k + 1);
		assert_int_equal(vmm->display.surfaces[0].dmabuf.base.fd_drm_fourcc,
				 formats[k].fourcc);
	}
}

/* A flush waits for the display for this time at most. */
#define HOLD_MS 100

static void a_flush_is_answered_when_the_display_has_shown_the_blob(void **state)
{
	struct vmm *vmm = boot(state, "dmabuf");
	const struct virtio_gpu_resource_flush flush = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		.r = gpu_rect(0, 0, W, H),
		.resource_id = 1,
	};

	int64_t start = vmm_now_ms();

	vmm->display.on_dmabuf = HOLD;
	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0)));
	struct chain *c = gpu_submit(vmm, CONTROL, &flush, sizeof(flush),
				     sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_true(!gpu_wait_ms(vmm, c, HOLD_MS / 2) || vmm_now_ms() - start >= HOLD_MS);
	display_answer_held(&vmm->display);
	assert_ok(gpu_finish(vmm, c, NULL, 0));
}

static void a_blob_that_is_freed_leaves_the_display(void **state)
{
	struct vmm *vmm = boot(state, "auto");
	const unsigned fds = daemon_count_fds(&vmm->daemon);

	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	assert_true(daemon_count_fds(&vmm->daemon) > fds);
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
	assert_false(vmm->display.surfaces[0].has_dmabuf);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds - 1); /* the blob itself is gone too */
}

static void a_picture_at_an_offset_in_its_blob_is_read_back(void **state)
{
	struct vmm *vmm = boot(state, "auto");
	struct image i = fill(vmm, BGRX, PAGE + 4, 1);

	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, PAGE + 4)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	i = fill(vmm, BGRX, PAGE + 4, 2);
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 0);
}

static void a_host_blob_goes_from_dmabuf_to_pixels_and_back(void **state)
{
	struct vmm *vmm = boot(state, "auto");
	struct image i = fill(vmm, BGRX, 4 * STRIDE, 3);

	for (unsigned round = 1; round <= 3; round++) {
		assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, round);
		assert_is_blob(vmm, vmm->display.surfaces[0].dmabuf_fd);
		assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 4 * STRIDE)));
		image_wait_shown(vmm, &i, 0, image_rect(&i));
		assert_false(vmm->display.surfaces[0].has_dmabuf);
	}
}

static void every_format_of_a_dmabuf_is_read_back_exactly(void **state)
{
	static const uint32_t formats[] = { BGRA, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
					    VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM };
	struct vmm *vmm = boot(state, "pixels");

	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		struct image i = fill(vmm, formats[k], 0, k);

		assert_ok(gpu_set_scanout_blob(vmm, layout(formats[k], 0)));
		image_wait_shown(vmm, &i, 0, image_rect(&i));
	}
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 0);
}

static void a_picture_that_cannot_be_read_back_is_refused(void **state)
{
	setenv("VMM_DMABUF_IS_UNMAPPABLE", "1", 1);
	struct vmm *vmm = boot(state, "auto");

	assert_response(gpu_set_scanout_blob(vmm, layout(BGRX, STRIDE)), RESP_UNSPEC);
	assert_true(was_said(vmm, "cannot map a dma-buf of 20480 bytes: No such device"));
	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0))); /* which needs no reading */
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
}

static void with_dmabufs_only_nothing_is_read_back(void **state)
{
	struct vmm *vmm = boot(state, "dmabuf");

	assert_response(gpu_set_scanout_blob(vmm, layout(BGRX, STRIDE)), RESP_UNSPEC);
	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0)));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 1);
}

static void without_a_display_a_blob_is_read_by_nobody(void **state)
{
	static const char *const args[] = { "--gpu-mode", "null",       "--capset",
					    "venus",      "--headless", NULL };
	struct vmm *vmm = boot_with(state, args);

	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, 0)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_set_scanout_blob(vmm, layout(BGRX, STRIDE)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
}

static void a_cursor_is_read_from_a_dmabuf(void **state)
{
	struct vmm *vmm = boot(state, "auto");

	for (uint32_t i = 0; i < 4; i++)
		window_poke(vmm, 64 * 4 + i,
			    (uint8_t)(0x10 + i)); /* the second row's first pixel */
	assert_ok(gpu_update_cursor(vmm, 0, 1, 2, 1, 0, 0));
	assert_alive(vmm);
	assert_int_equal(vmm->display.cursors[0].pixels[64], 0x13121110);
}

static int run(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_display_gets_the_descriptor_of_a_host_blob),
		TEST(each_format_has_its_fourcc),
		TEST(a_flush_is_answered_when_the_display_has_shown_the_blob),
		TEST(a_blob_that_is_freed_leaves_the_display),
		TEST(a_picture_at_an_offset_in_its_blob_is_read_back),
		TEST(a_host_blob_goes_from_dmabuf_to_pixels_and_back),
		TEST(every_format_of_a_dmabuf_is_read_back_exactly),
		TEST(a_picture_that_cannot_be_read_back_is_refused),
		TEST(with_dmabufs_only_nothing_is_read_back),
		TEST(without_a_display_a_blob_is_read_by_nobody),
		TEST(a_cursor_is_read_from_a_dmabuf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
