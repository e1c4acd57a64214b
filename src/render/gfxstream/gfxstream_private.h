// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* All that the gfxstream renderer keeps, for the files that make it up. */

#include <glib.h>
#include <pthread.h>

#include "base/container.h"
#include "render/gfxstream.h"
#include "render/gfxstream/api_private.h"
#include "render/renderer.h"

/* Rings that the library reads at once, each in a thread of its own. */
#define GFXSTREAM_MAX_RINGS 256
/* Images of a context that are announced and not made yet (opcode 0xa003). */
#define GFXSTREAM_MAX_ANNOUNCED 64
/* Ids that the library would end the process for; see blob.c. */
#define GFXSTREAM_MAX_BURNT 64

/* Fences that the library has passed, for the loop's thread. */
struct gfxstream_passed {
	pthread_mutex_t mutex;
	GArray *fences; /* struct renderer_fence, in their order; with the mutex */
	int event_fd;   /* owned: readable while there are some */
};

struct gfxstream {
	struct renderer base;
	struct gfxstream_library library;
	unsigned flags; /* enum gfxstream_flag */
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	uint64_t ring_bytes;   /* a ring has no fewer */
	GHashTable *resources; /* struct gfxstream_resource by id; borrowed */
	GHashTable *contexts;  /* struct gfxstream_context by id; owned */
	GHashTable *burnt;     /* ids */
	unsigned max_resources, n_rings, n_contexts_ever;
	struct gfxstream_passed passed;
};

struct gfxstream_context {
	uint32_t id;
	GHashTable *announced; /* uint64_t, owned: an image's bytes, by blob id */
};

enum gfxstream_resource_kind {
	GFXSTREAM_IMAGE,      /* or buffer: the library's, filled and read by transfers */
	GFXSTREAM_BLOB_HOST,  /* the library's memory */
	GFXSTREAM_BLOB_GUEST, /* guest memory, of which the library does not know */
};

struct gfxstream_resource {
	struct renderer_resource base;
	enum gfxstream_resource_kind kind;
	uint32_t id;

	/* An image. */
	uint32_t format, width, height, pixel_bytes;
	uint8_t *copy;     /* owned: what the library was given as its memory; rows without gaps */
	size_t copy_size;  /* bytes */
	bool may_be_drawn; /* by the guest's Vulkan, so that the copy may be old */
	const struct iovec *iov; /* borrowed: the backing; NULL: none is attached */
	int n_iov;

	/* A host blob. */
	int fd; /* owned: its memory; -1: none that another process can map */
	uint32_t map_info;
	uint64_t blob_size;
	bool may_be_ring; /* memory that the guest and the library share */
	bool is_ring;     /* the library reads it */
};

extern const struct renderer_ops gfxstream_ops;

static inline struct gfxstream *gfxstream_of(struct renderer *renderer)
{
	assert(renderer->ops == &gfxstream_ops);
	return container_of(renderer, struct gfxstream, base);
}

static inline struct gfxstream_resource *gfxstream_resource_of(struct renderer_resource *resource)
{
	assert(resource->renderer->ops == &gfxstream_ops);
	return container_of(resource, struct gfxstream_resource, base);
}

/* What the guest hears for a result of the library's: 0, or an errno of either sign. */
int gfxstream_response(int result);

/* probe.c: whether the library works here; in a child. NULL, or why not (freed with g_free()). */
char *gfxstream_probe(const struct gfxstream_options *options);
/* Starts the library, in this process. Its result. */
int gfxstream_init(const struct gfxstream_library *library, const struct gfxstream_options *options,
		   gfxstream_fence_fn fn, void *data);
/* enum gfxstream_flag, for the capsets that are asked for. */
unsigned gfxstream_flags(const struct gfxstream_options *options);

/* context.c */
void gfxstream_context_init_capsets(struct gfxstream *gfxstream, uint32_t wanted);
unsigned gfxstream_context_capsets(struct renderer *renderer, struct renderer_capset *ret);
int gfxstream_context_fill_capset(struct renderer *renderer, uint32_t id, uint32_t version,
				  void *buf, uint32_t size);
int gfxstream_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			     const char *name, uint32_t name_size);
void gfxstream_context_free(struct renderer *renderer, uint32_t ctx_id);
int gfxstream_context_attach(struct renderer *renderer, uint32_t ctx_id,
			     struct renderer_resource *resource);
void gfxstream_context_detach(struct renderer *renderer, uint32_t ctx_id,
			      struct renderer_resource *resource);
/* For GHashTable. */
void gfxstream_context_destroy(void *context);

/* submit.c */
int gfxstream_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size);

/* resource.c */

/* Bytes of a pixel of what @args, of the guest's, describe; 0: the library cannot have it, or would
 * end the process. */
uint32_t gfxstream_check_args(const struct renderer_resource_args *args);
uint64_t gfxstream_resource_cost(struct renderer *renderer,
				 const struct renderer_resource_args *args);
/* A struct for resource @id, in the table; NULL: there are too many, or the id cannot be used. */
struct gfxstream_resource *gfxstream_resource_add(struct gfxstream *gfxstream, uint32_t id,
						  enum gfxstream_resource_kind kind);
/* Takes it out of the table and frees it, with all that it owns; not in the library. */
void gfxstream_resource_drop(struct gfxstream *gfxstream, struct gfxstream_resource *resource);
int gfxstream_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			      struct renderer_resource **ret);
void gfxstream_resource_free(struct renderer *renderer, struct renderer_resource *resource);
int gfxstream_resource_attach(struct renderer *renderer, struct renderer_resource *resource,
			      struct iovec *iov, int n_iov);
void gfxstream_resource_detach(struct renderer *renderer, struct renderer_resource *resource);

/* transfer.c */
int gfxstream_transfer_to_host(struct renderer *renderer, struct renderer_resource *resource,
			       const struct renderer_transfer *transfer);
int gfxstream_transfer_from_host(struct renderer *renderer, struct renderer_resource *resource,
				 const struct renderer_transfer *transfer);
int gfxstream_read_pixels(struct renderer *renderer, struct renderer_resource *resource,
			  const struct rect *r, void *data, uint32_t stride);
/* Writes all of the copy to the library's image. The library's result. */
int gfxstream_transfer_whole(struct gfxstream *gfxstream, struct gfxstream_resource *resource);

/* blob.c */
int gfxstream_blob_create(struct renderer *renderer, const struct renderer_blob_args *args,
			  struct renderer_resource **ret);
int gfxstream_blob_export(struct renderer *renderer, struct renderer_resource *resource,
			  struct renderer_blob_export *ret);

/* fence.c */

/* 0 or -errno. */
int gfxstream_fence_init(struct gfxstream *gfxstream);
void gfxstream_fence_finish(struct gfxstream *gfxstream);
/* The library's callback; @data is a struct gfxstream. */
void gfxstream_fence_on_passed(void *data, const struct gfxstream_fence *fence);
int gfxstream_fence_create(struct renderer *renderer, const struct renderer_fence *fence);
int gfxstream_fence_poll_fd(struct renderer *renderer);
void gfxstream_fence_poll(struct renderer *renderer);
void gfxstream_fence_reset(struct renderer *renderer);
