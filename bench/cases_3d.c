// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Streams that a guest draws with, and what they drew on the screen. A stream ends with its fence.
 * With many in flight, one kick submits them all and the operation ends with the last. Before each
 * flush the GPU copies another colour to the damaged rectangle, because this daemon does not send
 * pixels that the reader has. The reader counts pixels, and at the end the texture gets one more
 * colour, which the screen must show too.
 */
#include "gl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP    20
#define LAST_PAINT 0x80ff10

static const char *const ours_args[] = { "--gpu-mode", "virglrenderer", "--scanout",
					 "pixels",     "--max-fps",     "0",
					 NULL };
static const char *const c_args[] = { "--virgl", NULL };
static const char *const rust_args[] = { "--gpu-mode", "virglrenderer", NULL };

static const char *const *const args_of[] = {
	[OURS] = ours_args,
	[QEMU_C] = c_args,
	[RUST] = rust_args,
};

/* ---- the scripts, through a guest ---- */

struct player {
	struct vmm *vmm;
	const struct gl_script *script;
	struct guest_buf data[GL_MAX_STREAMS];
	struct chain *chains[GL_DEPTH];
	unsigned turn;
};

static struct guest_buf place(struct vmm *vmm, const struct gl_step *step)
{
	struct guest_buf b = { 0, step->data_size, false };

	if (b.len == 0)
		return b;
	b.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, b.len, 4096);
	if (step->data)
		memcpy(memory_at(&vmm->memory, b.gpa, b.len), step->data, b.len);
	return b;
}

static uint32_t request_size(const struct gl_step *step)
{
	switch (step->hdr.type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		return sizeof(step->ctx_create);
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
		return sizeof(step->ctx_resource);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
		return sizeof(step->create_3d);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
		return sizeof(step->transfer);
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		return sizeof(step->submit);
	default:
		vmm_fail("a script with command %#x", step->hdr.type);
	}
}

static struct chain *queue_step(struct vmm *vmm, const struct gl_step *step,
				const struct guest_buf *data)
{
	return gpu_submit(vmm, CONTROL, &step->hdr, request_size(step),
			  sizeof(struct virtio_gpu_ctrl_hdr), data, data->len > 0);
}

static void do_setup(struct vmm *vmm, const struct gl_script *script)
{
	for (unsigned i = 0; i < script->n_setup; i++) {
		const struct gl_step *step = &script->setup[i];
		struct guest_buf data = place(vmm, step);
		uint32_t type;

		if (step->hdr.type == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING) {
			struct virtio_gpu_mem_entry entry = { data.gpa, data.len, 0 };

			type = gpu_attach(vmm, step->attach.resource_id, &entry, 1);
		} else {
			struct chain *c = queue_step(vmm, step, &data);

			ring_kick(&vmm->rings[CONTROL]);
			type = gpu_finish(vmm, c, NULL, 0);
		}
		if (type != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("command %#x was refused: %#x", step->hdr.type, type);
	}
}

static struct chain *queue_stream(struct player *p)
{
	unsigned k = p->turn++ % p->script->n_streams;

	return queue_step(p->vmm, &p->script->streams[k], &p->data[k]);
}

static void kick_streams(struct player *p, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		p->chains[i] = queue_stream(p);
	ring_kick(&p->vmm->rings[CONTROL]);
}

static void finish_streams(struct player *p, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		if (gpu_finish(p->vmm, p->chains[i], NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("a stream was refused");
	}
}

/* False if the contender has no OpenGL for the guest. */
static bool boot(struct run *r)
{
	struct vmm_options options = { .args = args_of[r->contender->kind], .control_size = 256 };

	if (r->contender->kind == QEMU_C && access("/dev/dri", F_OK) < 0)
		setenv("LD_PRELOAD", SURFACELESS, 1);
	run_boot(r, options);
	r->is_missing = !(r->vmm->offered >> VIRTIO_GPU_F_VIRGL & 1);
	return !r->is_missing;
}

/* ---- streams ---- */

enum { EMPTY_1, EMPTY_32, KMSCUBE_1, KMSCUBE_32 };

static const struct {
	struct gl_script *(*script)(void);
	unsigned depth, operations, warm_up;
} streams[] = {
	[EMPTY_1] = { gl_script_empty, 1, 3000, 20 },
	[EMPTY_32] = { gl_script_empty, GL_DEPTH, 300, 20 },
	[KMSCUBE_1] = { gl_script_kmscube, 1, 60, 4 },
	[KMSCUBE_32] = { gl_script_kmscube, GL_DEPTH, 2, 1 },
};

/* False if there is no such script, or no renderer to run it. */
static bool begin(struct run *r, struct player *p, const struct bench_case *c)
{
	p->script = streams[c->parameter].script();
	r->is_missing = !p->script;
	if (!p->script || !boot(r))
		return false;
	p->vmm = r->vmm;
	do_setup(p->vmm, p->script);
	for (unsigned k = 0; k < p->script->n_streams; k++)
		p->data[k] = place(p->vmm, &p->script->streams[k]);
	for (unsigned i = 0; i < streams[c->parameter].warm_up; i++) {
		kick_streams(p, streams[c->parameter].depth);
		finish_streams(p, streams[c->parameter].depth);
	}
	return true;
}

static void run_stream(struct run *r, const struct bench_case *c)
{
	unsigned depth = streams[c->parameter].depth;
	unsigned n = run_count(r, streams[c->parameter].operations);
	struct player p = { 0 };

	if (!begin(r, &p, c))
		return;
	run_begin(r, r->vmm->daemon.pid, NULL);
	for (unsigned i = 0; i < n; i++) {
		kick_streams(&p, depth);
		finish_streams(&p, depth);
		run_pause(r);
	}
	run_end(r, (uint64_t)n * depth, NULL);
	if (!r->is_traced)
		run_set(r, RSS_KIB, (double)process_rss_kib(r->vmm->daemon.pid));
}

static void limit_stream(struct run *r, const struct bench_case *c)
{
	const struct gl_script *script = streams[c->parameter].script();

	r->is_missing = !script;
	if (script)
		limit_submit(r, script, streams[c->parameter].depth, streams[c->parameter].warm_up,
			     run_count(r, streams[c->parameter].operations));
}

#define ASKED 40

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How long the front-end, with its big lock held, waits for a daemon that has GL_DEPTH streams
 * queued. */
static void run_config(struct run *r, const struct bench_case *c)
{
	struct player p = { 0 };
	uint8_t config[16];
	double us[ASKED];

	if (r->is_traced || !begin(r, &p, c))
		return;
	for (unsigned i = 0; i < ASKED; i++) {
		kick_streams(&p, GL_DEPTH);
		usleep(1000 + i * 737 % 10000);
		uint64_t start = now_ns();

		if (!vhost_get_config(p.vmm, 0, sizeof(config), config))
			vmm_fail("GET_CONFIG was refused");
		us[i] = (double)(now_ns() - start) / 1000;
		finish_streams(&p, GL_DEPTH);
	}
	qsort(us, ASKED, sizeof(us[0]), compare);
	run_set(r, P50_US, us[ASKED / 2]);
	run_set(r, P99_US, us[ASKED - 1]);
}

/* ---- the screen ---- */

enum { FLUSH_FULL, FLUSH_DAMAGE };

static const struct scene {
	uint32_t width, height;
	struct virtio_gpu_rect damage;
	unsigned operations;
} scenes[] = {
	[FLUSH_FULL] = { 1920, 1080, { 0, 0, 1920, 1080 }, 60 },
	[FLUSH_DAMAGE] = { 1920, 1080, { 1000, 500, 64, 64 }, 2000 },
};

uint64_t gl_pixels_shown(const struct display *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->log_count; i++) {
		if (d->log[i].request == DISPLAY_UPDATE)
			n += (uint64_t)d->log[i].words[3] * d->log[i].words[4];
	}
	return n;
}

struct flush {
	const struct chain *chain;
	uint64_t pixels;
};

static bool is_over(struct vmm *vmm, const void *arg)
{
	const struct flush *f = arg;

	return f->chain->is_done && gl_pixels_shown(&vmm->display) >= f->pixels;
}

/* Flushes what @stream (NULL: nothing) draws. */
static void flush(struct vmm *vmm, struct chain *stream, const struct virtio_gpu_rect *r)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, *r, GL_TEXTURE, 0
	};
	struct chain *chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
	struct flush f = { chain, (uint64_t)r->width * r->height };

	display_forget(&vmm->display);
	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait(vmm, is_over, &f, "the pixels of a flush");
	if (stream && gpu_finish(vmm, stream, NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a copy was refused");
	if (gpu_finish(vmm, chain, NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a flush was refused");
}

static bool has_last_paint(struct vmm *vmm, const void *arg)
{
	const struct virtio_gpu_rect *r = arg;
	const struct display_surface *s = &vmm->display.surfaces[0];

	for (uint32_t y = r->y; y < r->y + r->height; y++) {
		for (uint32_t x = r->x; x < r->x + r->width; x++) {
			if ((s->pixels[(size_t)y * s->width + x] & 0xffffff) != LAST_PAINT)
				return false;
		}
	}
	return true;
}

/* The update that flush() waits for can be one of an earlier flush that was still being sent. */
static void check_screen(struct vmm *vmm, const struct virtio_gpu_rect *r)
{
	gpu_paint(vmm, GL_CONTEXT, GL_TEXTURE, LAST_PAINT);
	flush(vmm, NULL, r);
	vmm_wait(vmm, has_last_paint, r, "what was drawn last");
}

static void run_flush(struct run *r, const struct bench_case *c)
{
	const struct scene *s = &scenes[c->parameter];
	struct virtio_gpu_rect all = gpu_rect(0, 0, s->width, s->height);
	unsigned n = run_count(r, s->operations);

	if (!boot(r))
		return;
	struct player p = { .vmm = r->vmm,
			    .script = gl_script_texture(s->width, s->height, s->damage) };
	struct vmm *vmm = r->vmm;

	do_setup(vmm, p.script);
	for (unsigned k = 0; k < p.script->n_streams; k++)
		p.data[k] = place(vmm, &p.script->streams[k]);
	if (gpu_set_scanout(vmm, 0, GL_TEXTURE, all) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("a texture cannot be shown");
	flush(vmm, NULL, &all);
	run_settle(vmm);
	for (unsigned i = 0; i < WARM_UP; i++)
		flush(vmm, queue_stream(&p), &s->damage);
	run_begin(r, vmm->daemon.pid, &vmm->display);
	for (unsigned i = 0; i < n; i++) {
		flush(vmm, queue_stream(&p), &s->damage);
		run_pause(r);
	}
	run_end(r, n, &vmm->display);
	check_screen(vmm, &s->damage);
}

static void limit_scene(struct run *r, const struct bench_case *c)
{
	const struct scene *s = &scenes[c->parameter];

	limit_flush(r, gl_script_texture(s->width, s->height, s->damage), s->width, s->height,
		    s->damage, run_count(r, s->operations));
}

const struct bench_case cases_3d[] = {
	{ "3d-empty-1", "SUBMIT_3D of an empty stream, with a fence", "<= 1.05 x the limit", CPU_NS,
	  EMPTY_1, run_stream, limit_stream, false },
	{ "3d-empty-32", "the same, 32 under way", "<= 1.05 x the limit", CPU_NS, EMPTY_32,
	  run_stream, limit_stream, false },
	{ "3d-kmscube-1", "SUBMIT_3D of a frame of kmscube (1280x800), with a fence",
	  "<= 1.05 x the limit", CPU_NS, KMSCUBE_1, run_stream, limit_stream, false },
	{ "3d-kmscube-32", "the same, 32 under way", "<= 1.05 x the limit", CPU_NS, KMSCUBE_32,
	  run_stream, limit_stream, false },
	{ "3d-config", "GET_CONFIG while 32 frames of kmscube are drawn (p99 is the worst of 40)",
	  "", P50_US, KMSCUBE_32, run_config, NULL, false },
	{ "3d-flush-1080p", "a texture 1920x1080 drawn, read back and shown", "<= 1.1 x the limit",
	  CPU_NS, FLUSH_FULL, run_flush, limit_scene, true },
	{ "3d-flush-damage", "64x64 of it", "<= 1.1 x the limit", CPU_NS, FLUSH_DAMAGE, run_flush,
	  limit_scene, false },
	{ 0 },
};
