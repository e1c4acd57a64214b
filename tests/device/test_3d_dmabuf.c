// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Dma-bufs on a screen: the descriptor is mapped here and read pixel by pixel, with the stride and
 * fourcc that came with it. The modifier is only printed. This needs a host whose
 * render node gives dma-bufs that the CPU can map, which GPUs need not do; the machines of
 * tests/e2e have one (kernel: udmabuf, virtio_gpu). Elsewhere the program is skipped. The pictures
 * differ between top and bottom, left and right.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define W      256
#define H      128
#define RED    0xff0000
#define GREEN  0x00ff00
#define ORANGE 0xff8040

#define FOURCC(a, b, c, d)                                                                         \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define BIND_SCANOUT (1u << 18)

/* How long the guest's flush waits for the display at most (SOCKET_HOLD_TIMEOUT). */
#define HOLD_MS 100

static struct vmm *boot(void **state, const struct vmm_profile *profile)
{
	static const char *const args[] = { "--gpu-mode", "virglrenderer", "--scanout", "dmabuf",
					    NULL };
	struct vmm_options options = { .args = args, .profile = profile };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	return vmm;
}

/* Draws @r of @id: a clear covers the whole resource, a copy does not. */
static void paint_part(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r, uint32_t rgb)
{
	const uint32_t scratch = 99;
	struct stream s = { .count = 0 };

	assert_ok(gpu_create_3d(vmm, gpu_texture(scratch, r.width, r.height)));
	assert_ok(gpu_ctx_attach(vmm, 1, scratch));
	assert_ok(gpu_paint(vmm, 1, scratch, rgb));
	stream_copy(&s, id, r.x, r.y, scratch, gpu_rect(0, 0, r.width, r.height));
	assert_ok(gpu_stream(vmm, 1, &s));
	assert_ok(gpu_unref(vmm, scratch));
}

/* A texture to be shown: @rgb, with a green quarter in its upper left corner. */
static void new_picture(struct vmm *vmm, uint32_t id, uint32_t rgb)
{
	create_3d_t args = gpu_texture(id, W, H);

	args.bind |= BIND_SCANOUT;
	assert_ok(gpu_create_3d(vmm, args));
	assert_ok(gpu_ctx_attach(vmm, 1, id));
	assert_ok(gpu_paint(vmm, 1, id, rgb));
	paint_part(vmm, id, gpu_rect(0, 0, W / 2, H / 2), GREEN);
}

static uint32_t rgb_of(const uint8_t *p, uint32_t fourcc)
{
	switch (fourcc) {
	case FOURCC('A', 'R', '2', '4'):
	case FOURCC('X', 'R', '2', '4'):
		return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	case FOURCC('A', 'B', '2', '4'):
	case FOURCC('X', 'B', '2', '4'):
		return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	default:
		vmm_fail("the dma-buf has fourcc %.4s", (const char *)&fourcc);
	}
}

static bool is_new_picture(const uint8_t *map, const struct display_dmabuf_scanout *d, uint32_t rgb)
{
	for (uint32_t y = 0; y < H; y++)
		for (uint32_t x = 0; x < W; x++) {
			uint32_t due = x < W / 2 && y < H / 2 ? GREEN : rgb;

			if (rgb_of(map + (size_t)y * d->fd_stride + (size_t)x * 4,
				   (uint32_t)d->fd_drm_fourcc) != due)
				return false;
		}
	return true;
}

/* Asserts that the dma-buf of scanout 0 contains the picture. */
static void check_dmabuf(struct vmm *vmm, uint32_t rgb)
{
	const struct display_surface *s = &vmm->display.surfaces[0];
	const struct display_dmabuf_scanout *d = &s->dmabuf.base;
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };

	assert_true(s->has_dmabuf);
	assert_int_equal(d->width, W);
	assert_int_equal(d->height, H);
	assert_int_equal(d->fd_width, W);
	assert_int_equal(d->fd_height, H);
	assert_true(d->fd_stride >= W * 4);
	off_t size = lseek(s->dmabuf_fd, 0, SEEK_END);
	assert_true(size >= (off_t)d->fd_stride * (H - 1) + (off_t)W * 4);
	uint8_t *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, s->dmabuf_fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(ioctl(s->dmabuf_fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	bool is_right = is_new_picture(map, d, rgb);
	const uint8_t *p = map + (size_t)d->fd_stride * (H - 1);
	if (!is_right)
		print_error("fourcc %.4s stride %u: %02x%02x%02x%02x, last row %02x%02x%02x%02x\n",
			    (const char *)&d->fd_drm_fourcc, d->fd_stride, map[0], map[1], map[2],
			    map[3], p[0], p[1], p[2], p[3]);
	munmap(map, (size_t)size);
	assert_true(is_right);
}

static void a_drawn_texture_is_shown_as_a_dma_buf(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);

	new_picture(vmm, 1, ORANGE);
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 1);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	check_dmabuf(vmm, ORANGE);
	print_message("fourcc %.4s modifier %08x%08x stride %u\n",
		      (const char *)&vmm->display.surfaces[0].dmabuf.base.fd_drm_fourcc,
		      vmm->display.surfaces[0].dmabuf.modifier_hi,
		      vmm->display.surfaces[0].dmabuf.modifier_lo,
		      vmm->display.surfaces[0].dmabuf.base.fd_stride);
}

static void a_display_without_modifiers_gets_dmabuf_scanout(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_7_2);

	new_picture(vmm, 1, ORANGE);
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT], 1);
	check_dmabuf(vmm, ORANGE);
}

static void the_next_frame_is_in_the_same_dma_buf(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);

	new_picture(vmm, 1, ORANGE);
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_ok(gpu_paint(vmm, 1, 1, RED));
	paint_part(vmm, 1, gpu_rect(0, 0, W / 2, H / 2), GREEN);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 2);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_SCANOUT2], 1);
	check_dmabuf(vmm, RED);
}

static void a_flush_is_answered_after_the_display_has_answered(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);
	struct virtio_gpu_resource_flush flush = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		.r = gpu_rect(0, 0, W, H),
		.resource_id = 1,
	};

	new_picture(vmm, 1, ORANGE);
	vmm->display.on_dmabuf = HOLD;
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	struct chain *c = gpu_submit(vmm, CONTROL, &flush, sizeof(flush),
				     sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
	int64_t start = vmm_now_ms();

	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	/* Only the flush waits, and not for long. */
	assert_ok(gpu_create_2d(vmm, 7, BGRX, 8, 8));
	assert_true(!c->is_done || vmm_now_ms() - start >= HOLD_MS);
	display_answer_held(&vmm->display);
	assert_ok(gpu_finish(vmm, c, NULL, 0));
}

/* QEMU does not answer while its window is hidden. The guest's flush is then answered long before
 * the daemon's time-out for the display's reply, 5 s. */
static void a_hidden_window_does_not_hold_the_guest_up(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);
	int64_t fastest = INT64_MAX;

	new_picture(vmm, 1, ORANGE);
	vmm->display.on_dmabuf = HOLD;
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	for (unsigned k = 0; k < 5; k++) {
		int64_t start = vmm_now_ms();

		assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
		int64_t ms = vmm_now_ms() - start;

		fastest = ms < fastest ? ms : fastest;
	}
	assert_true(fastest < 2500); /* others may have waited for a CPU */
	/* One at a time is asked for, however many flushes there were. */
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_UPDATE], 1);
	display_answer_held(&vmm->display);
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 2);
}

/* The log says once, 5 s after an update was sent, that the display did not answer. */
static void flushes_without_a_display_reply_are_answered(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);
	const char *at;
	unsigned n = 0;

	new_picture(vmm, 1, ORANGE);
	vmm->display.on_dmabuf = NEVER;
	vmm->timeout_ms = 20000;
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	for (int64_t end = vmm_now_ms() + 12000; vmm_now_ms() < end;)
		assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	char *log = daemon_text(vmm->daemon.err_fd);
	for (at = log; (at = strstr(at, "did not answer in time (dma-buf update)")); at++)
		n++;
	free(log);
	assert_int_equal(n, 1);
	vmm->display.on_dmabuf = ANSWER;
	assert_alive(vmm);
}

static void a_scanout_that_is_switched_off_has_no_dma_buf(void **state)
{
	struct vmm *vmm = boot(state, &vmm_qemu_11_1);

	new_picture(vmm, 1, ORANGE);
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 1);
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
	assert_false(vmm->display.surfaces[0].has_dmabuf);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_drawn_texture_is_shown_as_a_dma_buf),
		DEVICE_TEST(a_display_without_modifiers_gets_dmabuf_scanout),
		DEVICE_TEST(the_next_frame_is_in_the_same_dma_buf),
		DEVICE_TEST(a_flush_is_answered_after_the_display_has_answered),
		DEVICE_TEST(a_hidden_window_does_not_hold_the_guest_up),
		DEVICE_TEST(flushes_without_a_display_reply_are_answered),
		DEVICE_TEST(a_scanout_that_is_switched_off_has_no_dma_buf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (access("/dev/udmabuf", R_OK | W_OK) != 0 ||
	    access("/dev/dri/renderD128", R_OK | W_OK) != 0) {
		fprintf(stderr, "skipped: no render node whose dma-bufs the CPU can map\n");
		return EXIT_SKIPPED;
	}
	return fixture_run(argc, argv, run);
}
