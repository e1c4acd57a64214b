// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The bare limits of 3D: a process that starts the library as the daemon does, runs the script by
 * the library's own calls, and waits for kicks and for the library's descriptor with one epoll. A
 * fence ends when the library has called back. All streams of one kick are answered together, after
 * the last one. Streams are not copied, nothing is looked up and nothing is checked.
 */
#include "gl.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <virglrenderer.h>

#define WARM_UP 20

struct work {
	struct limit_work base;
	const struct gl_script *script;
	unsigned depth;
};

/* struct virgl_box, which the library's header only declares. */
struct box {
	uint32_t x, y, z, w, h, d;
};

static uint32_t n_fences, n_passed;

static void passed(void *cookie, uint32_t fence)
{
	(void)cookie;
	n_passed = fence;
}

static int get_drm_fd(void *cookie)
{
	(void)cookie;
	return open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
}

static void start_library(void)
{
	static struct virgl_renderer_callbacks callbacks = {
		.version = 2,
		.write_fence = passed,
		.get_drm_fd = get_drm_fd,
	};
	int flags = VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_USE_EGL;
	int kept = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (access("/dev/dri/renderD128", R_OK | W_OK) < 0)
		flags |= VIRGL_RENDERER_USE_SURFACELESS;
	/* The library prints its version each time. */
	dup2(nothing, STDERR_FILENO);
	int r = virgl_renderer_init(&callbacks, flags, &callbacks);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(nothing);
	if (r != 0) {
		fprintf(stderr, "the library does not start: %d\n", r);
		_exit(1);
	}
}

static int create(const struct virtio_gpu_resource_create_3d *c)
{
	struct virgl_renderer_resource_create_args args = {
		.handle = c->resource_id,
		.target = c->target,
		.format = c->format,
		.bind = c->bind,
		.width = c->width,
		.height = c->height,
		.depth = c->depth,
		.array_size = c->array_size,
		.last_level = c->last_level,
		.nr_samples = c->nr_samples,
		.flags = c->flags,
	};

	return virgl_renderer_resource_create(&args, NULL, 0);
}

static int attach(const struct gl_step *step)
{
	struct iovec *iov = malloc(sizeof(*iov)); /* the library keeps it */

	if (!iov)
		return -1;
	*iov = (struct iovec){ calloc(1, step->data_size), step->data_size };
	if (!iov->iov_base)
		return -1;
	if (step->data)
		memcpy(iov->iov_base, step->data, step->data_size);
	return virgl_renderer_resource_attach_iov((int)step->attach.resource_id, iov, 1);
}

static int transfer(const struct virtio_gpu_transfer_host_3d *t)
{
	struct box box = { t->box.x, t->box.y, t->box.z, t->box.w, t->box.h, t->box.d };

	return virgl_renderer_transfer_write_iov(t->resource_id, t->hdr.ctx_id, (int)t->level,
						 t->stride, t->layer_stride,
						 (struct virgl_box *)&box, t->offset, NULL, 0);
}

static int do_step(const struct gl_step *s)
{
	switch (s->hdr.type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		return virgl_renderer_context_create(s->hdr.ctx_id, s->ctx_create.nlen,
						     s->ctx_create.debug_name);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
		return create(&s->create_3d);
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		return attach(s);
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
		virgl_renderer_ctx_attach_resource((int)s->hdr.ctx_id,
						   (int)s->ctx_resource.resource_id);
		return 0;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
		return transfer(&s->transfer);
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		return virgl_renderer_submit_cmd((void *)s->data, (int)s->hdr.ctx_id,
						 (int)(s->data_size / 4));
	default:
		return -1;
	}
}

static void do_or_die(const struct gl_step *step)
{
	if (do_step(step) != 0) {
		fprintf(stderr, "the library refuses command %#x\n", step->hdr.type);
		_exit(1);
	}
}

static void set_up(const struct gl_script *s)
{
	start_library();
	for (unsigned i = 0; i < s->n_setup; i++)
		do_or_die(&s->setup[i]);
}

static void stream(const struct gl_script *s)
{
	do_or_die(&s->streams[n_fences % s->n_streams]);
	virgl_renderer_create_fence((int)++n_fences, 0);
}

static void answer(const struct limit *l)
{
	uint64_t one = 1;

	if (write(l->call_fd, &one, sizeof(one)) != sizeof(one))
		_exit(1);
}

static int watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	int epoll_fd = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return epoll_fd;
}

static _Noreturn void serve_submit(const struct limit *l, int fd, const struct limit_work *base)
{
	const struct work *w = (const struct work *)base;
	int epoll_fd = watch(l->kick_fd);
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t count;

	(void)fd;
	set_up(w->script);
	event.data.fd = virgl_renderer_get_poll_fd();
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
	answer(l);
	for (;;) {
		if (epoll_wait(epoll_fd, &event, 1, -1) != 1)
			continue;
		if (event.data.fd != l->kick_fd) {
			uint32_t before = n_passed;

			virgl_renderer_poll();
			if (n_passed != before && n_passed == n_fences)
				answer(l);
		} else if (read(l->kick_fd, &count, sizeof(count)) == sizeof(count)) {
			for (unsigned i = 0; i < w->depth; i++)
				stream(w->script);
		}
	}
}

static _Noreturn void serve_flush(const struct limit *l, int fd, const struct limit_work *base)
{
	const struct work *w = (const struct work *)base;
	const struct virtio_gpu_rect *r = &base->rects[0];
	struct box box = { r->x, r->y, 0, r->width, r->height, 1 };
	uint32_t stride = r->width * 4;
	struct iovec iov = { malloc((size_t)stride * r->height), (size_t)stride * r->height };
	int epoll_fd = watch(l->kick_fd);
	struct epoll_event event;
	unsigned n_flushes = 0;
	uint64_t count;

	set_up(w->script);
	answer(l);
	for (;;) {
		if (epoll_wait(epoll_fd, &event, 1, -1) != 1 ||
		    read(l->kick_fd, &count, sizeof(count)) != sizeof(count))
			continue;
		answer(l);
		do_or_die(&w->script->streams[n_flushes++ % w->script->n_streams]);
		if (virgl_renderer_transfer_read_iov(GL_TEXTURE, 0, 0, stride, 0,
						     (struct virgl_box *)&box, 0, &iov, 1) != 0)
			_exit(1);
		limit_send(fd, iov.iov_base, stride, *r, base->band_bytes);
	}
}

void limit_submit(struct run *r, const struct gl_script *script, unsigned depth, unsigned warm_up,
		  unsigned n)
{
	const struct work work = { { .serve = serve_submit }, script, depth };
	struct limit l;

	limit_start(&l, &work.base);
	limit_wait(&l, NULL, NULL); /* it is ready */
	for (unsigned i = 0; i < warm_up + n; i++) {
		if (i == warm_up)
			run_begin(r, l.pid, NULL);
		limit_kick(&l);
		limit_wait(&l, NULL, NULL);
		run_pause(r);
	}
	run_end(r, (uint64_t)n * depth, NULL);
	if (!r->is_traced)
		run_set(r, RSS_KIB, (double)process_rss_kib(l.pid));
	limit_finish(&l);
}

struct wanted {
	const struct display *display;
	uint64_t pixels;
};

static bool has_come(const void *arg)
{
	const struct wanted *w = arg;

	return gl_pixels_shown(w->display) >= w->pixels;
}

void limit_flush(struct run *r, const struct gl_script *script, uint32_t width, uint32_t height,
		 struct virtio_gpu_rect damage, unsigned n)
{
	const struct work work = { { .serve = serve_flush,
				     .width = width,
				     .height = height,
				     .n_rects = 1,
				     .rects = { damage },
				     .band_bytes = limit_bands[r->variant] },
				   script,
				   1 };
	struct limit l;

	limit_start(&l, &work.base);
	limit_wait(&l, NULL, NULL); /* it is ready */
	struct wanted wanted = { &l.display, (uint64_t)damage.width * damage.height };

	for (unsigned i = 0; i < WARM_UP + n; i++) {
		if (i == WARM_UP)
			run_begin(r, l.pid, &l.display);
		display_forget(&l.display);
		limit_kick(&l);
		limit_wait(&l, has_come, &wanted);
		run_pause(r);
	}
	run_end(r, n, &l.display);
	limit_finish(&l);
}
