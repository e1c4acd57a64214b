// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pictures that a guest draws with its processor. An operation is what a driver does for one update
 * of the screen: it writes the new pixels, queues a transfer and a flush for each rectangle, kicks
 * once, and is over when the reader of the display socket has the last pixel and the driver has
 * every response. The new pixels are one colour, which the reader looks for in each row, so that a
 * contender that sends too little never comes to the end. The percentiles are of the time from the
 * kick to that moment. Reader and driver are one process, which looks for the new pixels each time
 * it has read from the socket.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_RECTS 16
#define WARM_UP   3

struct scene {
	uint32_t width, height;
	unsigned n_rects;
	struct virtio_gpu_rect rects[MAX_RECTS];
	bool is_blob;
	unsigned operations;
	unsigned pause_us; /* before each, in which the contender goes to sleep */
};

enum { FRAME_1080, FRAME_2160, DAMAGE_ONE, DAMAGE_16, BLOB_1080, SCROLL, TERMINAL };

#define COLUMN(x)                                                                                  \
	{ x, 100, 64, 64 }, { x, 700, 64, 64 }, { x, 1300, 64, 64 },                               \
	{                                                                                          \
		x, 1900, 64, 64                                                                    \
	}

static const struct scene scenes[] = {
	[FRAME_1080] = { 1920, 1080, 1, { { 0, 0, 1920, 1080 } }, false, 60 },
	[FRAME_2160] = { 3840, 2160, 1, { { 0, 0, 3840, 2160 } }, false, 20 },
	[DAMAGE_ONE] = { 3840, 2160, 1, { { 1000, 1000, 64, 64 } }, false, 2000 },
	[DAMAGE_16] = { 3840,
			2160,
			16,
			{ COLUMN(100), COLUMN(1000), COLUMN(2000), COLUMN(3000) },
			false,
			500 },
	[BLOB_1080] = { 1920, 1080, 1, { { 0, 0, 1920, 1080 } }, true, 60 },
	[SCROLL] = { 1280, 800, 1, { { 0, 0, 1280, 800 } }, false, 120 },
	[TERMINAL] = { 1280, 800, 1, { { 0, 400, 640, 16 } }, false, 60, 1000000 / 30 },
};

/* What ends an operation. */
struct update {
	const struct scene *scene;
	const struct display *display;
	uint32_t colour;
	struct ring *ring; /* NULL with the bare limit */
	struct chain *chains[2 * MAX_RECTS];
	unsigned n_chains;
	uint64_t kicked_at;
	double us; /* from there to its end */
};

/* Looks at every row: if the picture is drawn while it is sent, its first and last rows can have
 * the new colour before the rows between them. */
static bool has_arrived(const void *arg)
{
	const struct update *u = arg;
	const struct display_surface *s = &u->display->surfaces[0];

	if (!s->pixels)
		return false;
	for (unsigned i = 0; i < u->scene->n_rects; i++) {
		const struct virtio_gpu_rect *r = &u->scene->rects[i];

		for (uint32_t y = r->y + r->height; y-- > r->y;) {
			if (s->pixels[(size_t)y * s->width + r->x] != u->colour)
				return false;
		}
	}
	return true;
}

static bool is_over(struct vmm *vmm, const void *arg)
{
	const struct update *u = arg;

	(void)vmm;
	for (unsigned i = 0; i < u->n_chains; i++) {
		if (!u->chains[i]->is_done)
			return false;
	}
	return has_arrived(u);
}

static void paint(const struct scene *scene, uint32_t *pixels, uint32_t colour)
{
	for (unsigned i = 0; i < scene->n_rects; i++) {
		const struct virtio_gpu_rect *r = &scene->rects[i];

		for (uint32_t y = r->y; y < r->y + r->height; y++) {
			uint32_t *row = &pixels[(size_t)y * scene->width + r->x];

			for (uint32_t x = 0; x < r->width; x++)
				row[x] = colour;
		}
	}
}

static struct chain *add_transfer(struct vmm *vmm, const struct scene *scene,
				  const struct virtio_gpu_rect *r)
{
	struct virtio_gpu_transfer_to_host_2d c = { { .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D },
						    *r,
						    ((uint64_t)r->y * scene->width + r->x) * 4,
						    RESOURCE,
						    0 };

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static struct chain *add_flush(struct vmm *vmm, const struct virtio_gpu_rect *r)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, *r, RESOURCE, 0
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void update_by_guest(struct vmm *vmm, struct update *u, uint32_t *pixels, uint32_t colour)
{
	u->colour = colour;
	u->n_chains = 0;
	paint(u->scene, pixels, colour);
	for (unsigned i = 0; i < u->scene->n_rects; i++) {
		const struct virtio_gpu_rect *r = &u->scene->rects[i];

		if (!u->scene->is_blob)
			u->chains[u->n_chains++] = add_transfer(vmm, u->scene, r);
		u->chains[u->n_chains++] = add_flush(vmm, r);
	}
	u->kicked_at = now_ns();
	ring_kick(u->ring);
	vmm_wait(vmm, is_over, u, "an update of the screen");
	u->us = (double)(now_ns() - u->kicked_at) / 1000;
	for (unsigned i = 0; i < u->n_chains; i++) {
		if (gpu_finish(vmm, u->chains[i], NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("an update was refused");
	}
}

/* Guest memory that is shown as a blob. */
static uint32_t *show_blob(struct vmm *vmm, const struct scene *s)
{
	struct virtio_gpu_resource_create_blob create = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		.resource_id = RESOURCE,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.nr_entries = 1,
		.size = (uint64_t)s->width * s->height * 4,
	};
	struct virtio_gpu_set_scanout_blob show = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = gpu_rect(0, 0, s->width, s->height),
		.resource_id = RESOURCE,
		.width = s->width,
		.height = s->height,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.strides = { s->width * 4 },
	};
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, create.size, 4096);
	uint64_t entry_gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 16, 16);
	struct virtio_gpu_mem_entry *entry = memory_at(&vmm->memory, entry_gpa, sizeof(*entry));
	struct guest_buf data = { entry_gpa, sizeof(*entry), false };
	struct virtio_gpu_ctrl_hdr h;

	*entry = (struct virtio_gpu_mem_entry){ gpa, (uint32_t)create.size, 0 };
	struct chain *c = gpu_submit(vmm, CONTROL, &create, sizeof(create), sizeof(h), &data, 1);
	ring_kick(&vmm->rings[CONTROL]);
	if (gpu_finish(vmm, c, NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA ||
	    gpu_call(vmm, CONTROL, &show, sizeof(show), &h, sizeof(h)) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a blob cannot be shown");
	return memory_at(&vmm->memory, gpa, create.size);
}

static void run_scene(struct run *r, const struct bench_case *c)
{
	const struct scene *s = &scenes[c->parameter];
	const struct scene all = { s->width,   s->height, 1, { { 0, 0, s->width, s->height } },
				   s->is_blob, 0,         0 };
	unsigned n = run_count(r, s->operations);

	run_boot(r, (struct vmm_options){ 0 });
	if (s->is_blob && !(r->vmm->offered >> VIRTIO_GPU_F_RESOURCE_BLOB & 1)) {
		r->is_missing = true;
		return;
	}
	uint32_t *pixels = s->is_blob ? show_blob(r->vmm, s)
				      : (uint32_t *)run_show(r->vmm, s->width, s->height).bytes;
	struct update u = { &all, &r->vmm->display, .ring = &r->vmm->rings[CONTROL] };

	update_by_guest(r->vmm, &u, pixels, 1);
	u.scene = s;
	for (unsigned i = 0; i < WARM_UP; i++)
		update_by_guest(r->vmm, &u, pixels, 2 + i);
	run_settle(r->vmm);
	double *us = calloc(n, sizeof(us[0]));

	run_begin(r, r->vmm->daemon.pid, u.display);
	for (unsigned i = 0; i < n; i++) {
		display_forget(&r->vmm->display);
		usleep(s->pause_us);
		update_by_guest(r->vmm, &u, pixels, 100 + i);
		us[i] = u.us;
		run_pause(r);
	}
	run_end(r, n, u.display);
	run_set_percentiles(r, us, n);
	free(us);
}

static void limit_scene(struct run *r, const struct bench_case *c)
{
	const struct scene *s = &scenes[c->parameter];
	size_t size = (size_t)s->width * s->height * 4;
	uint32_t *pixels =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct limit_work work = {
		.source = (uint8_t *)pixels,
		.is_copied = !s->is_blob,
		.width = s->width,
		.height = s->height,
		.n_rects = s->n_rects,
		.band_bytes = limit_bands[r->variant],
	};
	unsigned n = run_count(r, s->operations);
	struct limit l;

	memcpy(work.rects, s->rects, sizeof(s->rects));
	memset(pixels, 0, size);
	limit_start(&l, &work);
	struct update u = { s, &l.display };

	for (unsigned i = 0; i < WARM_UP + n; i++) {
		if (i == WARM_UP)
			run_begin(r, l.pid, &l.display);
		display_forget(&l.display);
		usleep(s->pause_us);
		u.colour = 100 + i;
		paint(s, pixels, u.colour);
		limit_kick(&l);
		limit_wait(&l, has_arrived, &u);
		run_pause(r);
	}
	run_end(r, n, &l.display);
	limit_finish(&l);
	munmap(pixels, size);
}

const struct bench_case cases_2d[] = {
	{ "frame-1080p", "2D full frame 1920x1080: transfer + flush",
	  "<= 1.1 x the limit, >= 1.4 x C", CPU_NS, FRAME_1080, run_scene, limit_scene, true },
	{ "frame-4k", "2D full frame 3840x2160: transfer + flush", "<= 1.1 x the limit, >= 1.4 x C",
	  CPU_NS, FRAME_2160, run_scene, limit_scene, true },
	{ "damage-1", "2D damage of 64x64 in a 4K screen", "<= 1.3 x the limit, >= 2.5 x C", CPU_NS,
	  DAMAGE_ONE, run_scene, limit_scene, false },
	{ "damage-16", "2D damage of 16 scattered 64x64 in a 4K screen",
	  "<= 1.3 x the limit, >= 2.5 x C", CPU_NS, DAMAGE_16, run_scene, limit_scene, false },
	{ "blob-1080p", "guest blob 1920x1080 scanned out: flush", "<= 1.1 x the limit", CPU_NS,
	  BLOB_1080, run_scene, limit_scene, true },
	{ "scroll", "2D console of 1280x800 that scrolls: transfer + flush of all of it",
	  "<= 1.1 x the limit, >= 1.4 x C", CPU_NS, SCROLL, run_scene, limit_scene, true },
	{ "terminal", "2D terminal with 30 updates of 640x16 a second", "<= 1.3 x the limit",
	  CPU_NS, TERMINAL, run_scene, limit_scene, false },
	{ 0 },
};
