// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Contexts that are not OpenGL's: Venus, in the render server, and native contexts. Their streams
 * are opaque here, and each of their rings is a timeline of fences. rings.c and rings_fence.c; in a
 * build with a library that is too old, rings_absent.c.
 */
#include "render/virgl/virgl_private.h"

#define VIRGL_N_RINGS 64

/* Of linux/virtio_gpu.h, whose older versions do not have them. */
#define VIRGL_CAPSET_VENUS 4
#define VIRGL_CAPSET_DRM   6

struct virgl_ring_context {
	uint32_t id, capset;
	int fd;              /* borrowed from the library; -1: it has none */
	uint64_t busy_rings; /* bit n: a fence of ring n waits */
	uint64_t last_created[VIRGL_N_RINGS];
};

struct virgl_rings {
	int epoll; /* owned: the library's descriptor, those of contexts, timer */
	int timer; /* owned */
	bool is_armed;
	GPtrArray *contexts; /* struct virgl_ring_context, owned */
	unsigned max_venus;
};

/* NULL with errno set. */
struct virgl_rings *virgl_rings_new(unsigned max_venus);
/* NULL is fine. */
void virgl_rings_free(struct virgl_rings *rings);
/* The library runs: watches its descriptor @fd (borrowed), unless that is -1. 0 or -errno. */
int virgl_rings_watch(struct virgl_rings *rings, int fd);

static inline bool virgl_rings_is_capset(uint32_t capset)
{
	return capset == VIRGL_CAPSET_VENUS || capset == VIRGL_CAPSET_DRM;
}

/* NULL: OpenGL's, or none. Fine without rings. */
struct virgl_ring_context *virgl_rings_find(const struct virgl *virgl, uint32_t ctx_id);
/* 0 or the guest's error, all three. */
int virgl_rings_create(struct virgl *virgl, uint32_t ctx_id, uint32_t capset, const char *name,
		       uint32_t name_size);
int virgl_rings_submit(const struct virgl_ring_context *context, void *stream, size_t size);
int virgl_rings_create_fence(struct virgl *virgl, struct virgl_ring_context *context,
			     const struct renderer_fence *fence);
void virgl_rings_destroy(struct virgl *virgl, struct virgl_ring_context *context);

/* The library's callback: fences of this ring up to @fence_id have passed. */
void virgl_rings_on_passed(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t fence_id);
/* After the library was polled. */
void virgl_rings_poll(struct virgl *virgl);
