// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources of the stand-in. A colour buffer has pixels, and three file descriptors, as with Mesa
 * 26. The array of attached iovecs is copied. Transfers copy through the shadow: a private buffer,
 * as large as all iovecs together.
 */
#include "standin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_SIDE 16384u

#define BIND_RENDER_TARGET (1u << 1)
#define BIND_SAMPLER_VIEW  (1u << 3)
#define BIND_CURSOR        (1u << 16)
#define BIND_CUSTOM        (1u << 17)
#define BIND_SCANOUT       (1u << 18)
#define BIND_LINEAR        (1u << 22)

enum {
	FORMAT_BGRA = 1,
	FORMAT_BGRX = 2,
	FORMAT_BGR565 = 7,
	FORMAT_R8 = 64,
	FORMAT_RGBA = 67,
	FORMAT_RGBX = 134,
};

static struct standin_resource *resources;

static const struct format {
	uint32_t format;
	unsigned bytes;
	char fourcc[5];
} formats[] = {
	{ FORMAT_BGRA, 4, "AR24" }, { FORMAT_BGRX, 4, "XR24" }, { FORMAT_BGR565, 2, "RG16" },
	{ FORMAT_R8, 1, "R8  " },   { FORMAT_RGBA, 4, "AB24" }, { FORMAT_RGBX, 4, "XB24" },
};

static const struct format *find_format(uint32_t format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].format == format)
			return &formats[i];
	}
	return NULL;
}

unsigned standin_bytes_per_pixel(uint32_t format)
{
	const struct format *f = find_format(format);

	return f ? f->bytes : 0;
}

static enum standin_kind kind_of(const struct stream_args *args)
{
	const uint32_t draws = BIND_SAMPLER_VIEW | BIND_RENDER_TARGET | BIND_SCANOUT | BIND_CURSOR;

	if (args->target == 0 && args->bind == BIND_CUSTOM)
		return KIND_PIPE;
	if (args->format == FORMAT_R8 && !(args->bind & draws) && (args->bind & BIND_LINEAR))
		return KIND_BUFFER;
	return KIND_COLOR;
}

struct standin_resource *standin_resource_find(uint32_t id)
{
	struct standin_resource *r = resources;

	while (r && (r->id != id || r->is_replaced))
		r = r->next;
	return r;
}

static bool is_taken(uint32_t id, enum standin_kind kind)
{
	for (const struct standin_resource *r = resources; r; r = r->next) {
		if (r->id == id && r->kind == kind)
			return true;
	}
	return false;
}

static struct standin_resource *add_resource(uint32_t id, enum standin_kind kind)
{
	struct standin_resource *r = calloc(1, sizeof(*r));

	if (!r)
		standin_crash("no memory");
	*r = (struct standin_resource){ .next = resources, .id = id, .kind = kind, .blob_fd = -1 };
	memset(r->fds, -1, sizeof(r->fds));
	resources = r;
	return r;
}

static void take_descriptors(struct standin_resource *r)
{
	for (int i = 0; i < 3; i++) {
		r->fds[i] =
			i == 0 ? memfd_create("gfxstream stand-in", MFD_CLOEXEC) : dup(r->fds[0]);
		if (r->fds[i] < 0)
			standin_crash("resource %u: no descriptor is left", r->id);
	}
}

static void make_pixels(struct standin_resource *r)
{
	const struct stream_args *args = &r->args;
	unsigned bytes = standin_bytes_per_pixel(args->format);

	if (r->kind == KIND_COLOR && (args->width - 1 >= MAX_SIDE || args->height - 1 >= MAX_SIDE))
		standin_crash("resource %u is %ux%u", r->id, args->width, args->height);
	if (args->format == FORMAT_BGR565 && standin_has_word("lacks-565"))
		standin_crash("resource %u: the driver has no such format", r->id);
	r->size = (size_t)args->width * args->height;
	if (r->kind == KIND_COLOR)
		r->size *= bytes ? bytes : 4;
	r->pixels = calloc(1, r->size);
	if (!r->pixels)
		standin_crash("resource %u: no memory for %zu bytes", r->id, r->size);
	take_descriptors(r);
}

struct standin_resource *standin_resource_new(const struct stream_args *args)
{
	enum standin_kind kind = kind_of(args);
	struct standin_resource *r;

	if (kind != KIND_PIPE && is_taken(args->handle, kind))
		standin_crash("resource %u exists already", args->handle);
	standin_resource_replace(args->handle);
	r = add_resource(args->handle, kind);
	r->has_args = true;
	r->args = *args;
	if (kind != KIND_PIPE)
		make_pixels(r);
	return r;
}

void standin_resource_replace(uint32_t id)
{
	struct standin_resource *old = standin_resource_find(id);

	if (old)
		old->is_replaced = true;
}

struct standin_resource *standin_resource_new_blob(uint32_t id)
{
	standin_resource_replace(id);
	return add_resource(id, KIND_BLOB);
}

static void drop_iov(struct standin_resource *r)
{
	free(r->iov);
	free(r->linear);
	r->iov = NULL;
	r->linear = NULL;
	r->n_iov = 0;
	r->linear_size = 0;
}

static void attach_iov(struct standin_resource *r, const struct iovec *iov, unsigned n)
{
	drop_iov(r);
	if (n == 0)
		return;
	r->iov = malloc(n * sizeof(*iov));
	if (!r->iov)
		standin_crash("no memory");
	memcpy(r->iov, iov, n * sizeof(*iov));
	r->n_iov = n;
	for (unsigned i = 0; i < n; i++)
		r->linear_size += iov[i].iov_len;
	r->linear = r->linear_size ? calloc(1, r->linear_size) : NULL;
}

static void free_resource(struct standin_resource *r)
{
	drop_iov(r);
	free(r->pixels);
	for (int i = 0; i < 3; i++) {
		if (r->fds[i] >= 0)
			close(r->fds[i]);
	}
	if (r->blob_fd >= 0)
		close(r->blob_fd);
	if (r->blob_address)
		munmap(r->blob_address, r->blob_size);
	free(r);
}

void standin_resource_free_all(void)
{
	while (resources) {
		struct standin_resource *next = resources->next;

		free_resource(resources);
		resources = next;
	}
}

int stream_renderer_resource_create(struct stream_args *args, struct iovec *iov, uint32_t n_iov)
{
	STANDIN_CALL();
	attach_iov(standin_resource_new(args), iov, n_iov);
	return 0;
}

void stream_renderer_resource_unref(uint32_t res)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find(res), **at = &resources;

	if (!r)
		return;
	if (standin_context_forget_ring(res) && !r->is_attached)
		standin_crash("resource %u is freed while it is a ring that a thread reads, and "
			      "its context was detached before",
			      res);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free_resource(r);
}

/* Errors are positive, as in the library. */
int stream_renderer_resource_attach_iov(int res, struct iovec *iov, int n_iov)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find((uint32_t)res);

	if (!r)
		return ENOENT;
	attach_iov(r, iov, (unsigned)n_iov);
	return 0;
}

/* The targets of the pointers are not written. */
void stream_renderer_resource_detach_iov(int res, struct iovec **iov, int *n_iov)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find((uint32_t)res);

	if (r)
		drop_iov(r);
}

int stream_renderer_resource_get_info(int res, struct stream_info *info)
{
	STANDIN_CALL();
	const struct standin_resource *r = standin_resource_find((uint32_t)res);
	const struct format *f;

	if (!info)
		return EINVAL;
	if (!r || !r->has_args)
		return ENOENT;
	f = find_format(r->args.format);
	if (!f)
		return EINVAL;
	*info = (struct stream_info){ .handle = r->args.handle,
				      .format = f->format,
				      .width = r->args.width,
				      .height = r->args.height,
				      .depth = r->args.depth,
				      .flags = r->args.flags,
				      .stride = (r->args.width * f->bytes + 15) / 16 * 16 };
	memcpy(&info->drm_fourcc, f->fourcc, 4);
	return 0;
}

/* None of the library's kinds of handles is possible here. */
int stream_renderer_import_resource(uint32_t res, const struct stream_handle *handle,
				    const void *data)
{
	STANDIN_CALL();
	return -EINVAL;
}
