// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Transfers of the stand-in. Level, strides and offset are ignored. Rows have no gaps, and the
 * bytes of a box are one span, from its first to its last byte, at the same place in the iovecs as
 * in the image. A write copies the span into the shadow (the linear buffer of the resource), and
 * then the whole shadow into the pixels. A read copies all pixels into the shadow, and then the
 * span into the iovecs. The library never compares the sizes of shadow and image.
 */
#include "standin.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#define LARGE   (16u << 20) /* bytes */
#define SLOW_US 900000

struct span {
	size_t start, length;
};

static int find_span(const struct standin_resource *r, const struct stream_box *box,
		     struct span *ret)
{
	size_t bytes, stride;

	if (!r->has_args || box->x > r->args.width || box->y > r->args.height)
		return -EINVAL;
	if (box->w == 0 || box->h == 0 || box->x + box->w > r->args.width)
		return -EINVAL;
	bytes = standin_bytes_per_pixel(r->args.format);
	stride = r->args.width * bytes;
	ret->start = box->y * stride + box->x * bytes;
	ret->length = bytes ? (box->h - 1) * stride + box->w * bytes : 0;
	if (ret->length == 0 || ret->start + ret->length > r->linear_size)
		return -EINVAL;
	return 0;
}

static void copy(void *iov_bytes, void *linear, size_t n, bool to_iov)
{
	if (to_iov)
		memcpy(iov_bytes, linear, n);
	else
		memcpy(linear, iov_bytes, n);
}

static int copy_span(struct standin_resource *r, const struct span *span, const struct iovec *iov,
		     unsigned n_iov, bool to_iov)
{
	size_t end = span->start + span->length, at = 0, done = 0;

	for (unsigned i = 0; done < span->length; i++) {
		size_t from, to;

		if (i >= n_iov)
			return -EINVAL;
		from = MAX(at, span->start);
		to = MIN(at + iov[i].iov_len, end);
		if (from < to) {
			copy((uint8_t *)iov[i].iov_base + (from - at), r->linear + from, to - from,
			     to_iov);
			done += to - from;
		}
		at += iov[i].iov_len;
	}
	return 0;
}

static int move_span(struct standin_resource *r, const struct stream_box *box,
		     const struct iovec *iov, unsigned n_iov, bool to_iov)
{
	struct span span;
	int err = find_span(r, box, &span);

	if (err)
		return err;
	if (n_iov > 0)
		return copy_span(r, &span, iov, n_iov, to_iov);
	return copy_span(r, &span, r->iov, r->n_iov, to_iov);
}

/* The whole image, whatever the box. */
static int move_image(struct standin_resource *r, bool to_linear)
{
	if (r->kind == KIND_BLOB)
		return -EINVAL;
	if (r->kind == KIND_PIPE && !r->is_attached)
		return -EINVAL;
	if (r->kind == KIND_PIPE)
		standin_crash("pipe %u is %s", r->id, to_linear ? "read" : "written");
	if (r->linear_size < r->size)
		standin_crash("resource %u has %zu bytes, its backing %zu", r->id, r->size,
			      r->linear_size);
	if (to_linear)
		memcpy(r->linear, r->pixels, r->size);
	else
		memcpy(r->pixels, r->linear, r->size);
	return 0;
}

int stream_renderer_transfer_read_iov(uint32_t res, uint32_t ctx, uint32_t level, uint32_t stride,
				      uint32_t layer_stride, struct stream_box *box,
				      uint64_t offset, struct iovec *iov, int n_iov)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find(res);
	int err;

	if (!r)
		return EINVAL;
	err = move_image(r, true);
	return err ? err : move_span(r, box, iov, n_iov > 0 ? (unsigned)n_iov : 0, true);
}

int stream_renderer_transfer_write_iov(uint32_t res, uint32_t ctx, int level, uint32_t stride,
				       uint32_t layer_stride, struct stream_box *box,
				       uint64_t offset, struct iovec *iov, unsigned n_iov)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find(res);
	int err;

	if (!r)
		return EINVAL;
	if (r->has_been_written && r->size >= LARGE && standin_has_word("slow-transfers"))
		usleep(SLOW_US);
	r->has_been_written = true;
	err = move_span(r, box, iov, n_iov, false);
	return err ? err : move_image(r, false);
}
