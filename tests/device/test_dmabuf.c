// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pictures in memory that a screen gets as dma-bufs: blobs of guest memory, and 2D resources, whose
 * pixels are in memory of the daemon. The descriptor is mapped here and read with the stride, the
 * fourcc and the size that came with it and nothing else, as a compositor would. What a frame sends
 * is counted: nothing of a picture goes over the socket.
 *
 * This needs /dev/udmabuf; the guests of tests/e2e have it. Elsewhere the program is skipped.
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

#define W       256
#define H       64
#define SIZE    (W * H * 4)
#define PAGE    4096u
#define PLAIN_W 256
#define PLAIN_H 256
#define RGBX    VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM
/* Header and payload of a DMABUF_UPDATE. */
#define UPDATE_BYTES (12 + 20)

#define FOURCC(a, b, c, d)                                                                         \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static void seal(struct vmm *vmm)
{
	memory_seal(&vmm->memory);
}

static struct vmm *boot_as(void **state, const char *scanout, void (*adjust)(struct vmm *))
{
	const char *const args[] = { "--gpu-mode", "2d", "--scanout", scanout, NULL };
	struct vmm_options options = { .args = args, .adjust = adjust };

	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm); /* the display has said by now that it takes dma-bufs */
	return vmm;
}

static struct vmm *boot(void **state)
{
	return boot_as(state, "dmabuf", seal);
}

/* A picture as large as its blob, in one piece of guest memory. */
static struct image new_blob(struct vmm *vmm, uint32_t id, uint32_t format)
{
	struct image i = { .id = id, .format = format, .width = W, .height = H };

	i.bytes = blob_new(vmm, id, SIZE, &i.gpa);
	return i;
}

static uint32_t show_at(struct vmm *vmm, const struct image *i, uint32_t scanout, uint32_t offset)
{
	return gpu_set_scanout_blob(
		vmm, (set_scanout_blob_t){ .r = gpu_rect(0, 0, W, H - offset / (W * 4)),
					   .scanout_id = scanout,
					   .resource_id = i->id,
					   .width = W,
					   .height = H - offset / (W * 4),
					   .format = i->format,
					   .strides = { W * 4 },
					   .offsets = { offset } });
}

static void show(struct vmm *vmm, const struct image *i, uint32_t scanout)
{
	assert_ok(show_at(vmm, i, scanout, 0));
}

/* Draws and flushes a new frame. If it is sent as a dma-buf, returns when the display has shown it.
 */
static void draw(struct vmm *vmm, struct image *i, uint32_t seed)
{
	image_fill(i, seed);
	assert_ok(gpu_flush(vmm, i->id, image_rect(i)));
}

static uint32_t rgb_of(const uint8_t *p, uint32_t fourcc)
{
	if (fourcc == FOURCC('X', 'R', '2', '4'))
		return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	if (fourcc == FOURCC('X', 'B', '2', '4'))
		return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
	vmm_fail("the dma-buf has fourcc %.4s", (const char *)&fourcc);
}

static void check_pixels(const uint8_t *map, const struct display_dmabuf_scanout *d,
			 const struct image *i)
{
	for (uint32_t y = 0; y < i->height; y++)
		for (uint32_t x = 0; x < i->width; x++) {
			const uint8_t *p = map + (size_t)y * d->fd_stride + (size_t)x * 4;
			uint32_t is = rgb_of(p, (uint32_t)d->fd_drm_fourcc);

			if (is != image_pixel(i, x, y))
				vmm_fail("pixel %u,%u is %06x, due is %06x", x, y, is,
					 image_pixel(i, x, y));
		}
}

/* What the screen has as a dma-buf is the whole image. */
static void check_dmabuf(struct vmm *vmm, uint32_t scanout, const struct image *i)
{
	const struct display_surface *s = &vmm->display.surfaces[scanout];
	const struct display_dmabuf_scanout *d = &s->dmabuf.base;
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };

	if (!s->has_dmabuf)
		vmm_fail("scanout %u has no dma-buf", scanout);
	assert_int_equal(d->width, i->width);
	assert_int_equal(d->height, i->height);
	assert_int_equal(d->fd_width, i->width);
	assert_int_equal(d->fd_height, i->height);
	off_t size = lseek(s->dmabuf_fd, 0, SEEK_END);
	assert_true(size >= (off_t)d->fd_stride * i->height);
	uint8_t *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, s->dmabuf_fd, 0);
	assert_true(map != MAP_FAILED);
	assert_int_equal(ioctl(s->dmabuf_fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	check_pixels(map, d, i);
	munmap(map, (size_t)size);
}

static uint64_t count_scanouts(const struct vmm *vmm)
{
	return vmm->display.counts[DISPLAY_DMABUF_SCANOUT] +
	       vmm->display.counts[DISPLAY_DMABUF_SCANOUT2];
}

/* Nothing was sent as pixels, and dma-bufs were sent @n times. */
static void check_messages(const struct vmm *vmm, uint64_t n)
{
	assert_int_equal(count_scanouts(vmm), n);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 0);
}

/* A frame of @size bytes of pixels took @bytes on the socket. */
static void report_frame(const struct vmm *vmm, uint64_t bytes, uint32_t size)
{
	print_message("\tfourcc %.4s, %u bytes of pixels a frame: %llu bytes sent\n",
		      (const char *)&vmm->display.surfaces[0].dmabuf.base.fd_drm_fourcc, size,
		      (unsigned long long)bytes);
	assert_int_equal(bytes, UPDATE_BYTES);
}

static void check_frames_of(struct vmm *vmm, struct image *i)
{
	uint64_t bytes;

	show(vmm, i, 0);
	for (uint32_t k = 1; k <= 5; k++) {
		bytes = vmm->display.bytes;
		draw(vmm, i, k);
		check_dmabuf(vmm, 0, i);
		assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_UPDATE], k);
	}
	check_messages(vmm, 1);
	report_frame(vmm, vmm->display.bytes - bytes, SIZE);
}

static void frames_of_a_blob_send_no_pixels(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, BGRX);

	check_frames_of(vmm, &i);
}

static void frames_in_the_other_order_of_colours_have_their_fourcc(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, RGBX);

	check_frames_of(vmm, &i);
}

/* Its pages in the opposite order of guest memory. */
static void a_scattered_blob_is_one_dma_buf(void **state)
{
	struct vmm *vmm = boot(state);
	struct virtio_gpu_mem_entry entries[SIZE / PAGE];
	struct image i = image_due(vmm, W, H);
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_HIGH, SIZE, PAGE);

	for (uint32_t k = 0; k < SIZE / PAGE; k++)
		entries[k] = (struct virtio_gpu_mem_entry){ gpa + SIZE - (k + 1) * PAGE, PAGE, 0 };
	assert_ok(gpu_create_blob(vmm,
				  (create_blob_t){ .resource_id = 1,
						   .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
						   .nr_entries = SIZE / PAGE,
						   .size = SIZE },
				  entries, sizeof(entries)));
	i.id = 1;
	show(vmm, &i, 0);
	image_fill(&i, 3);
	for (uint32_t k = 0; k < SIZE / PAGE; k++)
		memcpy(memory_at(&vmm->memory, entries[k].addr, PAGE), i.bytes + k * PAGE, PAGE);
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	check_dmabuf(vmm, 0, &i);
	check_messages(vmm, 1);
}

static void check_copied(struct vmm *vmm, struct image *i)
{
	draw(vmm, i, 1);
	image_wait_shown(vmm, i, 0, image_rect(i));
	assert_int_equal(count_scanouts(vmm), 0);
}

static void memory_that_can_be_cut_short_is_copied(void **state)
{
	struct vmm *vmm = boot_as(state, "dmabuf", NULL);
	struct image i = new_blob(vmm, 1, BGRX);

	show(vmm, &i, 0);
	check_copied(vmm, &i);
}

static void without_the_option_memory_is_copied(void **state)
{
	struct vmm *vmm = boot_as(state, "auto", seal);
	struct image i = new_blob(vmm, 1, BGRX);

	show(vmm, &i, 0);
	check_copied(vmm, &i);
}

static void a_format_that_not_every_driver_imports_is_copied(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM);

	show(vmm, &i, 0);
	check_copied(vmm, &i);
}

static void a_stride_that_gpus_do_not_import_is_copied(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, BGRX);

	i.width = 250;
	assert_ok(gpu_set_scanout_blob(vmm, (set_scanout_blob_t){ .r = image_rect(&i),
								  .resource_id = 1,
								  .width = i.width,
								  .height = H,
								  .format = BGRX,
								  .strides = { i.width * 4 } }));
	check_copied(vmm, &i);
}

static void a_picture_at_an_offset_is_copied(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, BGRX), rest = i;

	rest.bytes += PAGE;
	rest.height -= PAGE / (W * 4);
	assert_ok(show_at(vmm, &i, 0, PAGE));
	check_copied(vmm, &rest);
}

static void parts_of_pages_are_copied(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = { .id = 1, .format = BGRX, .width = W, .height = H };

	i.bytes = blob_new(vmm, 1, SIZE + 4, NULL);
	show(vmm, &i, 0);
	check_copied(vmm, &i);
}

/* More pieces than the kernel takes in one dma-buf. */
static void memory_in_too_many_pieces_is_copied(void **state)
{
	enum { N = 1025 };
	static struct virtio_gpu_mem_entry entries[N];
	struct vmm *vmm = boot(state);
	struct image i = { .id = 1, .format = BGRX, .width = W, .height = 4 };
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 2 * N * PAGE, PAGE);

	for (uint32_t k = 0; k < N; k++)
		entries[k] = (struct virtio_gpu_mem_entry){ gpa + 2 * k * PAGE, PAGE, 0 };
	i.bytes = memory_at(&vmm->memory, gpa, PAGE);
	i.height = PAGE / (W * 4);
	assert_ok(gpu_create_blob(vmm,
				  (create_blob_t){ .resource_id = 1,
						   .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
						   .nr_entries = N,
						   .size = N * PAGE },
				  entries, sizeof(entries)));
	assert_ok(gpu_set_scanout_blob(vmm, (set_scanout_blob_t){ .r = image_rect(&i),
								  .resource_id = 1,
								  .width = W,
								  .height = i.height,
								  .format = BGRX,
								  .strides = { W * 4 } }));
	check_copied(vmm, &i);
}

/* A page flip between blobs makes each dma-buf once. */
static void flips_make_each_dma_buf_once(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i[2] = { new_blob(vmm, 1, BGRX), new_blob(vmm, 2, BGRX) };
	unsigned fds = 0;

	for (uint32_t k = 0; k < 8; k++) {
		show(vmm, &i[k % 2], 0);
		draw(vmm, &i[k % 2], k);
		check_dmabuf(vmm, 0, &i[k % 2]);
		if (k == 1)
			fds = daemon_count_fds(&vmm->daemon);
	}
	check_messages(vmm, 8);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static struct chain *hold_flush(struct vmm *vmm, const struct image *i)
{
	struct virtio_gpu_resource_flush flush = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		.r = image_rect(i),
		.resource_id = i->id,
	};
	uint64_t n = vmm->display.counts[DISPLAY_DMABUF_UPDATE];

	vmm->display.on_dmabuf = HOLD;
	struct chain *c = gpu_submit(vmm, CONTROL, &flush, sizeof(flush),
				     sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, n + 1);
	return c;
}

/* A flush waits for the display for this time at most. */
#define HOLD_MS 100

/* The guest may draw into the blob again when its flush is answered. */
static void a_flush_of_a_blob_waits_for_the_display(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_blob(vmm, 1, BGRX);

	show(vmm, &i, 0);
	int64_t start = vmm_now_ms();
	struct chain *c = hold_flush(vmm, &i);

	assert_true(!gpu_wait_ms(vmm, c, HOLD_MS / 2) || vmm_now_ms() - start >= HOLD_MS);
	display_answer_held(&vmm->display);
	assert_ok(gpu_finish(vmm, c, NULL, 0));
}

/* A 2D resource that is large enough for a screen. */
static struct image new_plain(struct vmm *vmm, uint32_t id, uint32_t format)
{
	return image_new(vmm, id, format, PLAIN_W, PLAIN_H);
}

static void show_plain(struct vmm *vmm, const struct image *i, uint32_t scanout)
{
	assert_ok(gpu_set_scanout(vmm, scanout, i->id, image_rect(i)));
}

/* Draws, transfers and flushes a new frame; returns when the display has received it. */
static void draw_plain(struct vmm *vmm, struct image *i, uint32_t seed)
{
	uint64_t n = vmm->display.counts[DISPLAY_DMABUF_UPDATE];

	image_fill(i, seed);
	assert_ok(image_transfer(vmm, i, image_rect(i)));
	assert_ok(gpu_flush(vmm, i->id, image_rect(i)));
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, n + 1);
}

static void check_frames_of_plain(struct vmm *vmm, struct image *i)
{
	uint64_t bytes;

	show_plain(vmm, i, 0);
	for (uint32_t k = 1; k <= 5; k++) {
		bytes = vmm->display.bytes;
		draw_plain(vmm, i, k);
		check_dmabuf(vmm, 0, i);
	}
	check_messages(vmm, 1);
	report_frame(vmm, vmm->display.bytes - bytes, i->width * i->height * 4);
}

static void frames_of_a_2d_resource_send_no_pixels(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_plain(vmm, 1, BGRX);

	check_frames_of_plain(vmm, &i);
}

static void a_2d_resource_in_another_format_is_converted(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_plain(vmm, 1, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM);

	check_frames_of_plain(vmm, &i);
}

static void the_stride_of_a_2d_resource_is_aligned_for_gpus(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = image_new(vmm, 1, BGRX, 250, PLAIN_H);

	check_frames_of_plain(vmm, &i);
	assert_int_equal(vmm->display.surfaces[0].dmabuf.base.fd_stride, 1024);
}

static void a_small_2d_resource_is_copied(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = image_new(vmm, 1, BGRX, 64, 64);

	show_plain(vmm, &i, 0);
	image_fill(&i, 1);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	check_copied(vmm, &i);
}

/* Each costs descriptors. The 65th is sent as pixels, although its stride is aligned as well. */
static void no_more_than_64_are_dma_bufs(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i;

	for (uint32_t id = 1; id <= 65; id++) {
		i = image_new(vmm, id, BGRX, 250, PLAIN_H);
		show_plain(vmm, &i, 0);
		image_fill(&i, id);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	}
	assert_alive(vmm);
	assert_true(count_scanouts(vmm) > 0);
	assert_false(vmm->display.surfaces[0].has_dmabuf);
	assert_ok(gpu_flush(vmm, 65, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_ok(gpu_unref(vmm, 1));
	i = image_new(vmm, 66, BGRX, 250, PLAIN_H);
	show_plain(vmm, &i, 0);
	draw_plain(vmm, &i, 66);
	check_dmabuf(vmm, 0, &i);
}

static void a_display_that_does_not_answer_holds_up_no_flush_of_a_copy(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_plain(vmm, 1, BGRX);

	show_plain(vmm, &i, 0);
	vmm->display.on_dmabuf = HOLD;
	draw_plain(vmm, &i, 1);
	for (uint32_t k = 2; k < 9; k++) {
		image_fill(&i, k);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	}
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_UPDATE], 1);
	vmm->display.on_dmabuf = ANSWER;
	display_answer_held(&vmm->display);
	vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, 2); /* the frames since are one */
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_DMABUF_UPDATE], 2);
	check_dmabuf(vmm, 0, &i);
}

/* The copy stays, whatever the guest does with its memory. */
static void a_2d_resource_without_its_backing_is_still_shown(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_plain(vmm, 1, BGRX);

	show_plain(vmm, &i, 0);
	draw_plain(vmm, &i, 1);
	assert_ok(gpu_detach(vmm, 1));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	check_dmabuf(vmm, 0, &i);
	check_messages(vmm, 1);
}

enum state { SHOWN, SHOWN_TWICE, FLUSHED, HIDDEN, PLAIN_SHOWN, PLAIN_FLUSHED, N_STATES };

static struct image enter_plain(struct vmm *vmm, enum state s, uint32_t id)
{
	struct image i = new_plain(vmm, id, BGRX);

	show_plain(vmm, &i, 0);
	show_plain(vmm, &i, 1);
	if (s == PLAIN_FLUSHED)
		draw_plain(vmm, &i, 1);
	assert_alive(vmm);
	return i;
}

static struct image enter_state(struct vmm *vmm, enum state s, uint32_t id)
{
	if (s >= PLAIN_SHOWN)
		return enter_plain(vmm, s, id);
	struct image i = new_blob(vmm, id, BGRX);

	show(vmm, &i, 0);
	if (s == SHOWN_TWICE)
		show(vmm, &i, 1);
	if (s == FLUSHED)
		draw(vmm, &i, 1);
	if (s == HIDDEN)
		assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	assert_alive(vmm);
	return i;
}

static void nothing_stays_open_after_unref_in_any_state(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = daemon_count_fds(&vmm->daemon);

	for (uint32_t s = 0; s < N_STATES; s++) {
		enter_state(vmm, s, 1);
		assert_true(daemon_count_fds(&vmm->daemon) > fds);
		assert_ok(gpu_unref(vmm, 1));
		assert_alive(vmm);
		assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
		assert_false(vmm->display.surfaces[0].has_dmabuf);
		assert_false(vmm->display.surfaces[1].has_dmabuf);
	}
}

static void nothing_stays_open_after_a_reset_in_any_state(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = daemon_count_fds(&vmm->daemon);

	for (uint32_t s = 0; s < N_STATES; s++) {
		enter_state(vmm, s, 1);
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
		assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
	}
}

static void a_reset_ends_a_flush_that_waits(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = daemon_count_fds(&vmm->daemon);
	struct image i = enter_state(vmm, SHOWN, 1);

	hold_flush(vmm, &i);
	vmm_reset(vmm);
	vmm->display.on_dmabuf = ANSWER;
	vmm_start(vmm);
	assert_alive(vmm);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void a_stop_keeps_the_dma_buf_for_the_next_display(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = enter_state(vmm, FLUSHED, 1);

	for (uint32_t k = 2; k < 4; k++) {
		vmm_stop(vmm);
		image_fill(&i, k);
		vmm_start(vmm);
		vmm_wait_messages(vmm, DISPLAY_DMABUF_UPDATE, k);
		check_dmabuf(vmm, 0, &i);
	}
}

/* The guest may use the memory for anything then. */
static void detached_memory_is_shown_no_longer(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = daemon_count_fds(&vmm->daemon);

	enter_state(vmm, SHOWN, 1);
	assert_ok(gpu_detach(vmm, 1));
	assert_alive(vmm);
	assert_false(vmm->display.surfaces[0].has_dmabuf);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void a_blob_in_kept_memory_is_shown_anew_when_memory_changes(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = enter_state(vmm, FLUSHED, 1);
	unsigned fds = daemon_count_fds(&vmm->daemon);
	unsigned region = memory_add(&vmm->memory, UINT64_C(1) << 40, 1 << 20, 0);

	vhost_add_region(vmm, region);
	draw(vmm, &i, 5);
	check_dmabuf(vmm, 0, &i);
	vhost_remove_region(vmm, region);
	draw(vmm, &i, 6);
	check_dmabuf(vmm, 0, &i);
	check_messages(vmm, 3);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void the_dma_buf_of_removed_memory_is_closed(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = daemon_count_fds(&vmm->daemon);
	unsigned region = memory_add(&vmm->memory, UINT64_C(1) << 40, 1 << 20, 0);
	struct virtio_gpu_mem_entry entry = { UINT64_C(1) << 40, SIZE, 0 };
	struct image i = { .id = 1, .format = BGRX, .width = W, .height = H };

	memory_seal(&vmm->memory);
	vhost_add_region(vmm, region);
	i.bytes = memory_at(&vmm->memory, entry.addr, SIZE);
	assert_ok(gpu_create_blob(vmm,
				  (create_blob_t){ .resource_id = 1,
						   .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
						   .nr_entries = 1,
						   .size = SIZE },
				  &entry, sizeof(entry)));
	show(vmm, &i, 0);
	draw(vmm, &i, 1);
	check_dmabuf(vmm, 0, &i);
	vhost_remove_region(vmm, region);
	assert_alive(vmm);
	assert_false(vmm->display.surfaces[0].has_dmabuf);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(frames_of_a_blob_send_no_pixels),
		DEVICE_TEST(frames_in_the_other_order_of_colours_have_their_fourcc),
		DEVICE_TEST(a_scattered_blob_is_one_dma_buf),
		DEVICE_TEST(memory_that_can_be_cut_short_is_copied),
		DEVICE_TEST(without_the_option_memory_is_copied),
		DEVICE_TEST(a_format_that_not_every_driver_imports_is_copied),
		DEVICE_TEST(a_stride_that_gpus_do_not_import_is_copied),
		DEVICE_TEST(a_picture_at_an_offset_is_copied),
		DEVICE_TEST(parts_of_pages_are_copied),
		DEVICE_TEST(memory_in_too_many_pieces_is_copied),
		DEVICE_TEST(flips_make_each_dma_buf_once),
		DEVICE_TEST(a_flush_of_a_blob_waits_for_the_display),
		DEVICE_TEST(frames_of_a_2d_resource_send_no_pixels),
		DEVICE_TEST(a_2d_resource_in_another_format_is_converted),
		DEVICE_TEST(the_stride_of_a_2d_resource_is_aligned_for_gpus),
		DEVICE_TEST(a_small_2d_resource_is_copied),
		DEVICE_TEST(no_more_than_64_are_dma_bufs),
		DEVICE_TEST(a_display_that_does_not_answer_holds_up_no_flush_of_a_copy),
		DEVICE_TEST(a_2d_resource_without_its_backing_is_still_shown),
		DEVICE_TEST(nothing_stays_open_after_unref_in_any_state),
		DEVICE_TEST(nothing_stays_open_after_a_reset_in_any_state),
		DEVICE_TEST(a_reset_ends_a_flush_that_waits),
		DEVICE_TEST(a_stop_keeps_the_dma_buf_for_the_next_display),
		DEVICE_TEST(detached_memory_is_shown_no_longer),
		DEVICE_TEST(a_blob_in_kept_memory_is_shown_anew_when_memory_changes),
		DEVICE_TEST(the_dma_buf_of_removed_memory_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (access("/dev/udmabuf", R_OK | W_OK) != 0) {
		fprintf(stderr, "skipped: no /dev/udmabuf\n");
		return EXIT_SKIPPED;
	}
	return fixture_run(argc, argv, run);
}
