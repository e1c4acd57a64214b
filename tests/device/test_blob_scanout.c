// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs of guest memory on a screen, on the CPU and again with OpenGL, where they must behave in
 * the same way. The daemon reads the pixels where the guest writes them, without a transfer, when
 * it sends the update to the display. The guest chooses the layout, which is checked to the last
 * pixel of the last row.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>

#define W    70
#define H    50
#define PAGE 4096u

static const char *mode;

static struct vmm *boot(void **state)
{
	const char *args[] = { "--gpu-mode", mode, "--max-fps", "0", NULL };
	struct vmm_options options = { .args = args, .features_off = BIT64(F_BLOB_ALIGNMENT) };

	return fixture_boot(state, &options);
}

/* The layout of an image in a blob. */
struct layout {
	uint32_t format, width, height, stride, offset;
	struct virtio_gpu_rect r;
};

static uint32_t set(struct vmm *vmm, uint32_t scanout, uint32_t id, const struct layout *l)
{
	return gpu_set_scanout_blob(vmm, (set_scanout_blob_t){ .r = l->r,
							       .scanout_id = scanout,
							       .resource_id = id,
							       .width = l->width,
							       .height = l->height,
							       .format = l->format,
							       .strides = { l->stride },
							       .offsets = { l->offset } });
}

static struct layout plain(uint32_t w, uint32_t h)
{
	return (struct layout){ BGRX, w, h, w * 4, 0, { 0, 0, w, h } };
}

/* Writes a picture into the blob. The bytes around it remain as they are. */
static struct image fill(struct vmm *vmm, uint8_t *blob, const struct layout *l, uint32_t seed)
{
	struct image i = image_due(vmm, l->width, l->height);

	i.format = l->format;
	image_fill(&i, seed);
	for (uint32_t y = 0; y < l->height; y++)
		memcpy(blob + l->offset + (size_t)y * l->stride, i.bytes + (size_t)y * l->width * 4,
		       l->width * 4);
	return i;
}

/* ---- SET_SCANOUT_BLOB ---- */

static void layouts_outside_the_blob_are_refused(void **state)
{
	const uint32_t stride = 300, size = 1000 + stride * (H - 1) + W * 4;
	const struct layout good = { BGRX, W, H, stride, 1000, { 0, 0, W, H } };
	struct vmm *vmm = boot(state);
	uint8_t *blob = blob_new(vmm, 1, size, NULL);
	struct layout bad[] = {
		/* One byte, one row, one pixel too far: the last row ends with its last pixel. */
		[0] = good,  [1] = good,  [2] = good,  [3] = good,  [4] = good,  [5] = good,
		[6] = good,  [7] = good,  [8] = good,  [9] = good,  [10] = good, [11] = good,
		[12] = good, [13] = good, [14] = good, [15] = good,
	};

	bad[0].offset++;
	bad[1].height++;
	bad[2].stride++;
	bad[3].stride = W * 4 - 1;
	bad[4].stride = 0;
	bad[5].offset = 0xffffffff;
	bad[6].stride = 0xffffffff;
	bad[7].width = 0x40000000; /* times 4 bytes a pixel: 2^32 */
	bad[7].stride = 0;
	bad[8].height = 0xffffffff;
	bad[9].r.width++;
	bad[10].r.height++;
	bad[11].r = gpu_rect(0xffffffff, 0, 2, 1);
	bad[12].r = gpu_rect(0, 0, 0, H);
	bad[13].format = 9;
	bad[14].format = 0;
	bad[15].height = 0;
	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++) {
		if (set(vmm, 0, 1, &bad[k]) != RESP_INVALID_PARAMETER)
			vmm_fail("layout %u was not refused", k);
	}
	assert_response(set(vmm, 16, 1, &good), RESP_INVALID_SCANOUT_ID);
	assert_response(set(vmm, 0xffffffff, 0, &good), RESP_INVALID_SCANOUT_ID);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 0);

	struct image i = fill(vmm, blob, &good, 1);
	assert_ok(set(vmm, 0, 1, &good));
	image_wait_shown(vmm, &i, 0, good.r);
	/* A wrong layout leaves the scanout unchanged; resource 0 switches it off. */
	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++)
		assert_response(set(vmm, 0, 1, &bad[k]), RESP_INVALID_PARAMETER);
	i = fill(vmm, blob, &good, 2);
	assert_ok(gpu_flush(vmm, 1, good.r));
	image_wait_shown(vmm, &i, 0, good.r);
	assert_ok(set(vmm, 0, 0, &good));
	assert_alive(vmm);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
}

static void every_format_is_shown_exactly(void **state)
{
	static const uint32_t formats[] = {
		VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
		VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
		VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
	};
	struct vmm *vmm = boot(state);

	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		/* Rows with and without a gap, and an odd offset. */
		const uint32_t stride = W * 4 + (k % 3) * 12 + (k % 4 == 3);
		const struct layout whole = { formats[k], W, H, stride, k * 37, { 0, 0, W, H } };
		struct layout part = whole;
		uint8_t *blob = blob_new(vmm, k + 1, k * 37 + stride * H, NULL);
		struct image i = fill(vmm, blob, &whole, k);

		assert_ok(set(vmm, 0, k + 1, &whole));
		image_wait_shown(vmm, &i, 0, whole.r);
		part.r = gpu_rect(11, 7, 33, 40);
		assert_ok(set(vmm, 1, k + 1, &part));
		image_wait_shown(vmm, &i, 1, part.r);
		i = fill(vmm, blob, &whole, k + 50);
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(0, 0, W, H)));
		image_wait_shown(vmm, &i, 0, whole.r);
		image_wait_shown(vmm, &i, 1, part.r);
	}
}

/* Pages in reverse order; then pieces so small that a row has more of them than one sendmsg() takes
 * (IOV_MAX). */
static void scattered_blobs_are_shown_exactly(void **state)
{
	static const uint32_t piece_sizes[] = { PAGE, 5, 4 };
	struct vmm *vmm = boot(state);

	for (uint32_t k = 0; k < ARRAY_LENGTH(piece_sizes); k++) {
		const uint32_t piece = piece_sizes[k], height = k == 0 ? 200 : 6;
		const struct layout l = plain(1500, height);
		const uint32_t n = (l.stride * height + piece - 1) / piece;
		struct image i = image_due(vmm, l.width, l.height);
		uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_HIGH, n * (piece + 3), PAGE);
		struct virtio_gpu_mem_entry *entries = calloc(n, sizeof(*entries));
		create_blob_t args = { .resource_id = k + 1,
				       .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
				       .nr_entries = n,
				       .size = l.stride * height };

		i.format = BGRX;
		image_fill(&i, k);
		for (uint32_t p = 0; p < n; p++) {
			uint64_t place = gpa + (uint64_t)(n - 1 - p) * (piece + 3);
			uint32_t left = l.stride * height - p * piece;

			entries[p] = (struct virtio_gpu_mem_entry){ place, piece, 0 };
			memcpy(memory_at(&vmm->memory, place, piece), i.bytes + p * piece,
			       left < piece ? left : piece);
		}
		assert_ok(gpu_create_blob(vmm, args, entries, n * sizeof(*entries)));
		assert_ok(set(vmm, 0, k + 1, &l));
		assert_ok(gpu_flush(vmm, k + 1, l.r));
		image_wait_shown(vmm, &i, 0, l.r);
		free(entries);
	}
}

static uint64_t updated_pixels(const struct display *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->log_count; i++) {
		if (d->log[i].request == DISPLAY_UPDATE)
			n += (uint64_t)d->log[i].words[3] * d->log[i].words[4];
	}
	return n;
}

static void flush_sends_the_damaged_box_only(void **state)
{
	static const uint32_t formats[] = { BGRX, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM };
	struct vmm *vmm = boot(state);

	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		struct layout l = plain(W, H);
		uint8_t *blob = blob_new(vmm, k + 1, W * H * 4, NULL);

		l.format = formats[k];
		struct image old = fill(vmm, blob, &l, 1), new;
		assert_ok(set(vmm, 0, k + 1, &l));
		image_wait_shown(vmm, &old, 0, l.r);
		assert_alive(vmm);
		display_forget(&vmm->display);

		/* The guest changes all pixels of the shown blob, and flushes a part. */
		new = fill(vmm, blob, &l, 2);
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(20, 30, 13, 5)));
		for (uint32_t y = 30; y < 35; y++)
			memcpy(old.bytes + (y * W + 20) * 4, new.bytes + (y * W + 20) * 4, 13 * 4);
		image_wait_shown(vmm, &old, 0, l.r);
		assert_alive(vmm);
		assert_int_equal(updated_pixels(&vmm->display), 13 * 5);
		/* Boxes beyond the scanout are clipped, because a blob has no bounds of its own. */
		display_forget(&vmm->display);
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(0xffffffff, 0, 0xffffffff, 0xffffffff)));
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(W, 0, 1, 1)));
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(0, 0, 0, 0)));
		assert_alive(vmm);
		assert_int_equal(updated_pixels(&vmm->display), 0);
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(1, 1, 0xffffffff, 0xffffffff)));
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(0, 0, W, 1)));
		assert_ok(gpu_flush(vmm, k + 1, gpu_rect(0, 0, 1, H)));
		image_wait_shown(vmm, &new, 0, l.r);
	}
}

static void a_shown_blob_can_be_destroyed(void **state)
{
	struct vmm *vmm = boot(state);
	struct layout l = plain(W, H);

	for (uint32_t k = 0; k < 3; k++) {
		uint8_t *blob = blob_new(vmm, 1, W * H * 4, NULL);
		struct image i = fill(vmm, blob, &l, k);

		assert_ok(set(vmm, 0, 1, &l));
		assert_ok(set(vmm, 3, 1, &l));
		image_wait_shown(vmm, &i, 3, l.r);
		vmm->display.is_paused = k == 1; /* while a frame is still being sent */
		assert_ok(gpu_flush(vmm, 1, l.r));
		assert_ok(gpu_unref(vmm, 1));
		vmm->display.is_paused = false;
		assert_alive(vmm);
		assert_int_equal(vmm->display.surfaces[0].width, 0);
		assert_int_equal(vmm->display.surfaces[3].width, 0);
		assert_response(set(vmm, 0, 1, &l), RESP_INVALID_RESOURCE_ID);
	}
}

static void a_scanout_changes_between_blob_and_resource(void **state)
{
	struct vmm *vmm = boot(state);
	struct layout l = plain(W, H);
	uint8_t *blob = blob_new(vmm, 1, W * H * 4, NULL);
	struct image flat = image_new(vmm, 2, BGRX, W, H), i;

	for (uint32_t k = 0; k < 4; k++) {
		l.format = k % 2 ? BGRX : VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM;
		i = fill(vmm, blob, &l, k);
		assert_ok(set(vmm, 0, 1, &l));
		image_wait_shown(vmm, &i, 0, l.r);
		image_fill(&flat, k + 9);
		assert_ok(image_transfer(vmm, &flat, image_rect(&flat)));
		assert_ok(gpu_set_scanout(vmm, 0, 2, image_rect(&flat)));
		image_wait_shown(vmm, &flat, 0, l.r);
	}
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 1); /* the size stays the same */
}

static void a_new_display_is_sent_the_picture(void **state)
{
	struct vmm *vmm = boot(state);
	struct layout l = plain(W, H);
	uint8_t *blob = blob_new(vmm, 1, W * H * 4, NULL);
	struct image i = fill(vmm, blob, &l, 1);

	assert_ok(set(vmm, 0, 1, &l));
	image_wait_shown(vmm, &i, 0, l.r);
	for (uint32_t k = 2; k < 4; k++) {
		vmm_stop(vmm);
		i = fill(vmm, blob, &l, k);
		vmm_start(vmm);
		image_wait_shown(vmm, &i, 0, l.r);
	}
	vmm_reset(vmm);
	vmm_start(vmm);
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
	blob_new(vmm, 1, W * H * 4, NULL);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(layouts_outside_the_blob_are_refused),
		DEVICE_TEST(every_format_is_shown_exactly),
		DEVICE_TEST(scattered_blobs_are_shown_exactly),
		DEVICE_TEST(flush_sends_the_damaged_box_only),
		DEVICE_TEST(a_shown_blob_can_be_destroyed),
		DEVICE_TEST(a_scanout_changes_between_blob_and_resource),
		DEVICE_TEST(a_new_display_is_sent_the_picture),
	};
	int failed;

	mode = vmm_renderer("2d");
	failed = cmocka_run_group_tests_name("blob scanout, 2d", tests, NULL, NULL);
	if (vmm_is_gfxstream() || !gpu3d_works())
		return failed;
	mode = "virglrenderer";
	return failed +
	       cmocka_run_group_tests_name("blob scanout, virglrenderer", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
