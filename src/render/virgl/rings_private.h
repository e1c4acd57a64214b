// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Contexts of other APIs than OpenGL: Venus, in the render server, and native contexts. Their
 * streams are not parsed here, and each of their rings is a timeline of fences. Implemented in
 * rings.c and rings_fence.c, or in rings_absent.c if the library is too old.
 */
#include "render/virgl/virgl_private.h"

#define VIRGL_N_RINGS 64

/* Capset ids of linux/virtio_gpu.h; its older versions lack them. */
#define VIRGL_CAPSET_VENUS 4
#define VIRGL_CAPSET_DRM   6

struct virgl_ring_context {
	uint32_t id, capset;
	int fd;              /* borrowed from the library; -1: it has none */
	uint64_t busy_rings; /* bit n: a fence of ring n waits */
	uint64_t last_created[VIRGL_N_RINGS];
};

struct virgl_rings {
	int epoll; /* owned: watches the library, contexts and timer */
	int timer; /* owned */
	bool is_armed;
	GPtrArray *contexts; /* struct virgl_ring_context, owned */
	unsigned max_venus;
};

/* NULL with errno set. */
struct virgl_rings *virgl_rings_new(unsigned max_venus);
/* NULL is fine. */
void virgl_rings_free(struct virgl_rings *rings);
/* Called when the library runs: watches its descriptor @fd (borrowed), unless that is -1. Returns 0
 * or -errno. */
int virgl_rings_watch(struct virgl_rings *rings, int fd);

static inline bool virgl_rings_is_capset(uint32_t capset)
{
	return capset == VIRGL_CAPSET_VENUS || capset == VIRGL_CAPSET_DRM;
}

/* Returns NULL if @ctx_id is an OpenGL context or none. May be called without rings. */
struct virgl_ring_context *virgl_rings_find(const struct virgl *virgl, uint32_t ctx_id);
/* All three return 0 or RESP_ERR_*. */
int virgl_rings_create(struct virgl *virgl, uint32_t ctx_id, uint32_t capset, const char *name,
		       uint32_t name_size);
int virgl_rings_submit(const struct virgl_ring_context *context, void *stream, size_t size);
int virgl_rings_create_fence(struct virgl *virgl, struct virgl_ring_context *context,
			     const struct renderer_fence *fence);
void virgl_rings_destroy(struct virgl *virgl, struct virgl_ring_context *context);

/* The library's callback: fences of this ring up to @fence_id have passed. */
void virgl_rings_on_passed(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t fence_id);
/* Called after the library was polled. */
void virgl_rings_poll(struct virgl *virgl);
