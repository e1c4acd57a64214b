// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A renderer draws, and keeps pixels behind handles. The device keeps ids, backings and their
 * lifetime, bounds, limits, scanouts and fences, and checks all arguments before it calls a
 * renderer.
 *
 * Functions return 0; VIRTIO_GPU_RESP_ERR_* (> 0) if the guest's request is invalid; -errno if the
 * host failed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/dmabuf.h"
#include "base/hostmem.h"
#include "base/rect.h"
#include "base/state_lock.h"

struct renderer;

/* The handle of a resource: the first member ("base") of each renderer's own struct. */
struct renderer_resource {
	struct renderer *renderer; /* borrowed; the one that made it */
};

#define RENDERER_MAX_CAPSETS 8

/* Gallium's texture targets, as virgl's protocol numbers them. */
enum renderer_target {
	RENDERER_TARGET_BUFFER,
	RENDERER_TARGET_1D,
	RENDERER_TARGET_2D,
	RENDERER_TARGET_3D,
	RENDERER_TARGET_CUBE,
	RENDERER_TARGET_RECT,
	RENDERER_TARGET_1D_ARRAY,
	RENDERER_TARGET_2D_ARRAY,
	RENDERER_TARGET_CUBE_ARRAY,
	RENDERER_N_TARGETS,
};

/* VIRTIO 1.2, 5.7.6.8: RESOURCE_CREATE_3D. A 2D resource has target RENDERER_TARGET_2D, depth and
 * array_size 1. */
struct renderer_resource_args {
	uint32_t id, target, format, bind, width, height, depth, array_size, last_level, nr_samples,
		flags;
	bool is_2d; /* made by RESOURCE_CREATE_2D: one of the eight 2D formats */
};

struct renderer_box {
	uint32_t x, y, z, width, height, depth;
};

/* TRANSFER_TO/FROM_HOST. The backing is the attached one, unless iov is set. */
struct renderer_transfer {
	uint32_t ctx_id, level, stride, layer_stride; /* strides in bytes, 0: tight */
	uint64_t offset;                              /* of the box's first byte in the backing */
	struct renderer_box box;
	const struct iovec *iov; /* borrowed; NULL for the attached backing */
	int n_iov;
};

/* Pixels that the CPU can read: 32 bits each, a8r8g8b8 or x8r8g8b8. */
struct renderer_pixels {
	const uint8_t *data;            /* borrowed until the resource is written or freed */
	uint32_t width, height, stride; /* pixels, pixels, bytes */
};

struct renderer_capset {
	uint32_t id, max_version, max_size;
};

/* A point in a timeline (VIRTIO 1.2, 5.7.6.7): the global one, or one of a context's rings. */
struct renderer_fence {
	uint64_t id;
	uint32_t ctx_id;
	uint8_t ring_idx;
	bool has_ring; /* VIRTIO_GPU_FLAG_INFO_RING_IDX: also for ring 0 */
};

/* Called, with the state lock held, when this fence and all before it in its timeline have
 * passed. */
typedef void (*renderer_fence_fn)(void *data, const struct renderer_fence *fence);

struct renderer_blob_args {
	uint32_t id, ctx_id, blob_mem, blob_flags;
	uint64_t blob_id, size;
	/* Borrowed until the resource is freed or attached anew. NULL: VIRTIO_GPU_BLOB_MEM_HOST3D.
	 */
	const struct iovec *iov;
	int n_iov;
};

/* The memory of a host blob, for the front-end to map. */
struct renderer_blob_export {
	int fd;            /* a memfd or a dma-buf */
	uint32_t map_info; /* VIRTIO_GPU_MAP_CACHE_* */
};

/* Hooks are required unless marked optional. If an optional hook is missing, a command that needs
 * it is answered with RESP_ERR_UNSPEC, unless the hook's comment says otherwise. */
struct renderer_ops {
	const char *name;
	void (*free)(struct renderer *renderer);

	/* Returns the bytes of host memory that a resource takes, rounded as the driver does it; at
	 * least the size of its pixels. Optional; without it, four bytes a pixel. */
	uint64_t (*resource_cost)(struct renderer *renderer,
				  const struct renderer_resource_args *args);
	/* @args is checked; *@ret is the handle. */
	int (*resource_create)(struct renderer *renderer, const struct renderer_resource_args *args,
			       struct renderer_resource **ret);
	int (*resource_create_blob)(struct renderer *renderer,
				    const struct renderer_blob_args *args,
				    struct renderer_resource **ret); /* optional */
	/* Exports a new descriptor of a host blob. The caller owns it, and must check its kind and
	 * size. -ENOTSUP: another process cannot map the blob's memory. */
	int (*blob_export)(struct renderer *renderer, struct renderer_resource *resource,
			   struct renderer_blob_export *ret); /* optional */
	void (*resource_free)(struct renderer *renderer, struct renderer_resource *resource);
	/* Optional, for resources that take long to free. The device calls it only on a resource
	 * that it will free next. Releases some of its memory, in less than a millisecond; returns
	 * false when resource_free() has become quick. */
	bool (*resource_shrink)(struct renderer *renderer, struct renderer_resource *resource);
	/* @iov is borrowed until it is detached or attached anew. Optional: without it, each
	 * transfer carries its iov. */
	int (*resource_attach)(struct renderer *renderer, struct renderer_resource *resource,
			       struct iovec *iov, int n_iov);
	void (*resource_detach)(struct renderer *renderer,
				struct renderer_resource *resource); /* optional */
	int (*transfer_to_host)(struct renderer *renderer, struct renderer_resource *resource,
				const struct renderer_transfer *transfer);
	/* Set if each transfer moves the whole image, however small its box is. */
	bool moves_whole_images;
	/* Set if a 2D box can be transferred a few rows at a time, each part with an iov of its
	 * own, at no extra cost. */
	bool splits_transfers;
	int (*transfer_from_host)(struct renderer *renderer, struct renderer_resource *resource,
				  const struct renderer_transfer *transfer); /* optional */
	/* Copies all pixels of @r to @data, in rows of @stride bytes. *@ret_format: their format,
	 * one of the eight of VIRTIO 1.2, 5.7.6.8, for pixels_to_display(). @as_stored: the format
	 * that costs least to read, because the caller will convert only a part of them; else the
	 * one that costs least to read and convert. On an error @data must not be shown. Optional:
	 * for resources that the CPU cannot read in place. */
	int (*read_pixels)(struct renderer *renderer, struct renderer_resource *resource,
			   const struct rect *r, void *data, uint32_t stride, bool as_stored,
			   uint32_t *ret_format);
	/* Returns true and the address of the pixels if the CPU can read them in place. */
	bool (*pixels)(struct renderer *renderer, struct renderer_resource *resource,
		       struct renderer_pixels *ret); /* optional */
	/* Exports a new dma-buf descriptor, which the caller owns. -ENOTSUP if this resource cannot
	 * be exported. */
	int (*export_dmabuf)(struct renderer *renderer, struct renderer_resource *resource,
			     struct dmabuf *ret); /* optional */

	/* The capsets that the guest may see, in the order of their index. */
	unsigned (*capsets)(struct renderer *renderer, struct renderer_capset *ret); /* optional */
	/* Fills @size = max_size bytes. */
	int (*capset_fill)(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
			   uint32_t size); /* optional */

	int (*context_create)(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			      const char *name, uint32_t name_size);      /* optional */
	void (*context_free)(struct renderer *renderer, uint32_t ctx_id); /* optional */
	int (*context_attach)(struct renderer *renderer, uint32_t ctx_id,
			      struct renderer_resource *resource); /* optional */
	void (*context_detach)(struct renderer *renderer, uint32_t ctx_id,
			       struct renderer_resource *resource); /* optional */
	/* @size is in bytes, a multiple of 4; the hook may overwrite the stream. */
	int (*submit)(struct renderer *renderer, uint32_t ctx_id, void *stream,
		      size_t size); /* optional */

	/* Has fence_fn called when all work so far is complete. Optional; without it, work is
	 * complete when its hook returns. */
	int (*fence_create)(struct renderer *renderer, const struct renderer_fence *fence);
	int (*poll_fd)(struct renderer *renderer); /* optional; borrowed, -1: poll on a timer */
	void (*poll)(struct renderer *renderer);   /* optional */
	/* Called after all contexts and resources were freed: drops fences and all other state of
	 * the guest. */
	void (*reset)(struct renderer *renderer); /* optional */
};

/* The properties of a kind of renderer that are known before one is made. */
struct renderer_kind {
	unsigned needs; /* enum needs: everything that a renderer of this kind may need */
};

struct renderer {
	const struct renderer_ops *ops;
	unsigned needs; /* enum needs: those of this renderer; a subset of its kind's */
	/* Set if blob_export() may succeed, so that a window for host blobs is useful. The
	 * renderer's constructor sets it. */
	bool can_export_blobs;
	renderer_fence_fn fence_fn;
	void *fence_data;
	/* Borrowed; the device's account, to which renderers charge the memory of objects that
	 * contexts and streams make. NULL: there is no limit. */
	struct hostmem *hostmem;
	/* Bytes that libraries may keep in addition to the charged memory. 0: all memory is
	 * charged, so that none need be measured. */
	uint64_t library_bytes;
	struct state_lock *lock; /* borrowed; NULL: no other thread uses the daemon's state */
};

/* Calls a hook that may take long or not return, without the state lock, so that the front-end is
 * answered meanwhile. The second macro is for hooks that return void. */
#define renderer_call(r, hook, ...)                                                                \
	({                                                                                         \
		struct renderer *renderer_ = (r);                                                  \
		state_lock_release(renderer_->lock);                                               \
		__auto_type result_ = renderer_->ops->hook(renderer_, __VA_ARGS__);                \
		state_lock_take(renderer_->lock);                                                  \
		result_;                                                                           \
	})
#define renderer_call_void(r, hook, ...)                                                           \
	do {                                                                                       \
		struct renderer *renderer_ = (r);                                                  \
		state_lock_release(renderer_->lock);                                               \
		renderer_->ops->hook(renderer_, ##__VA_ARGS__);                                    \
		state_lock_take(renderer_->lock);                                                  \
	} while (0)

/* Converts a result of a library (0, or an errno of either sign) to a response for the guest. */
int renderer_response(int result);

/* Called by renderers from within a hook: @fence and all before it in its timeline have passed. */
void renderer_report_fence(struct renderer *renderer, const struct renderer_fence *fence);

/* For renderers, called once by the constructor: asserts that the hooks are complete. */
void renderer_init(struct renderer *renderer, const struct renderer_ops *ops);

/* The result of resource_cost(), or four bytes a pixel if there is no such hook. @args must be
 * checked; then the result fits 63 bits. */
uint64_t renderer_resource_cost(struct renderer *renderer,
				const struct renderer_resource_args *args);

/* NULL is fine. */
void renderer_free(struct renderer *renderer);
