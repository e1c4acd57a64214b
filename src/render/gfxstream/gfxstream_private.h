// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The state of the gfxstream renderer, shared by its files. */

#include <glib.h>
#include <pthread.h>

#include "base/container.h"
#include "render/gfxstream.h"
#include "render/gfxstream/api_private.h"
#include "render/renderer.h"
#include "render/trial_private.h"

/* Limit on the rings that the library reads at the same time, each in a thread of its own. */
#define GFXSTREAM_MAX_RINGS 256
/* Ids of contexts in the library. */
#define GFXSTREAM_MAX_CONTEXTS 1024
/* Limit on a context's images that are announced (opcode 0xa003) and not made yet. */
#define GFXSTREAM_MAX_ANNOUNCED 64
/* Limit on ids whose reuse would make the library end the process; see blob.c. */
#define GFXSTREAM_MAX_BURNT 64

/* How many formats of images the library knows; image.c has a row for each. */
#define GFXSTREAM_N_FORMATS 6
/* The sides of an image, in pixels, if Vulkan names no limit. Drivers of desktop GPUs support this.
 */
#define GFXSTREAM_MAX_DIMENSION 16384

/* What the host's Vulkan supports, as trials in child processes have found. */
struct gfxstream_host {
	struct vulkan_gpus gpus;
	uint32_t formats; /* bit i: the driver has the format of row i in image.c */
	unsigned n_tried; /* formats */
};

/* Fences that the library has reported as passed, for the loop's thread. */
struct gfxstream_passed {
	pthread_mutex_t mutex;
	GArray *fences; /* struct renderer_fence, in order; mutex needed */
	int event_fd;   /* owned: readable while fences is not empty */
};

struct gfxstream {
	struct renderer base;
	struct gfxstream_library library;
	struct gfxstream_host host;
	unsigned flags; /* enum gfxstream_flag */
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	uint64_t ring_bytes;   /* the smallest size of a ring */
	GHashTable *resources; /* struct gfxstream_resource by id; borrowed */
	GHashTable *contexts;  /* struct gfxstream_context by id; owned */
	GHashTable *burnt;     /* ids */
	unsigned n_rings;
	GQueue free_ids; /* the library's ids of contexts, the longest unused one first */
	uint32_t guest_ids[GFXSTREAM_MAX_CONTEXTS + 1]; /* by the library's id; 0: unused */
	int64_t cleaned_at; /* monotonic microseconds: the library's cleanups end about then */
	bool has_had_context;
	struct gfxstream_passed passed;
};

struct gfxstream_context {
	uint32_t library_id;
	GHashTable *announced; /* uint64_t, owned: an image's bytes, by blob id */
};

enum gfxstream_resource_kind {
	GFXSTREAM_IMAGE,      /* or buffer: the library's, filled and read by transfers */
	GFXSTREAM_BLOB_HOST,  /* the library's memory */
	GFXSTREAM_BLOB_GUEST, /* guest memory, unknown to the library */
};

struct gfxstream_resource {
	struct renderer_resource base;
	enum gfxstream_resource_kind kind;
	uint32_t id;

	/* An image. */
	uint32_t format, width, height, pixel_bytes;
	uint8_t *copy;           /* owned: the memory attached in the library; rows without gaps */
	size_t copy_size;        /* bytes */
	bool may_be_drawn;       /* by the guest's Vulkan: the copy may be stale */
	const struct iovec *iov; /* borrowed: the backing; NULL: none is attached */
	int n_iov;

	/* A host blob. */
	int fd; /* owned: its memory; -1: none that another process can map */
	uint32_t map_info;
	uint64_t blob_size;
	bool may_be_ring;      /* memory that the guest and the library share */
	bool is_ring;          /* the library reads it */
	uint32_t ring_context; /* the library's id of the context that it is attached to; 0: none */
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

/* gpu.c: has the library use --gpu-device, and looks how large images may be. @gpus is memory that
 * is shared with children. Returns NULL, or one sentence (freed with g_free()). */
char *gfxstream_gpu_choose(const struct gfxstream_options *options, struct vulkan_gpus *gpus);
/* probe.c: tries in a child whether the library works on this host, and which formats. @host is
 * memory that is shared with children. Returns NULL, or why not (freed with g_free()). */
char *gfxstream_probe(const struct gfxstream_options *options, struct gfxstream_host *host);
/* Starts the library in this process. Returns the library's result. */
int gfxstream_init(const struct gfxstream_library *library, const struct gfxstream_options *options,
		   gfxstream_fence_fn fn, void *data);
/* enum gfxstream_flag, for the capsets that are asked for. */
unsigned gfxstream_flags(const struct gfxstream_options *options);

/* context.c */

void gfxstream_context_init_ids(struct gfxstream *gfxstream);
/* NULL if the guest has no context @ctx_id. */
struct gfxstream_context *gfxstream_context_find(const struct gfxstream *gfxstream,
						 uint32_t ctx_id);
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

/* image.c */

/* Checks @args, which come from the guest. Returns the bytes of a pixel; 0 if the library cannot
 * make such a resource or would end the process. */
uint32_t gfxstream_image_check(const struct gfxstream *gfxstream,
			       const struct renderer_resource_args *args);
/* What the library is asked for, for @args that passed the check. */
struct gfxstream_resource_args gfxstream_image_args(const struct gfxstream *gfxstream,
						    const struct renderer_resource_args *args);
/* A square image of the format with this number, for a trial. */
struct gfxstream_resource_args gfxstream_image_example(unsigned row, uint32_t id, uint32_t side);

/* resource.c */

uint64_t gfxstream_resource_cost(struct renderer *renderer,
				 const struct renderer_resource_args *args);
/* Adds a struct for resource @id to the table. Returns NULL if there are too many or the id is
 * refused. */
struct gfxstream_resource *gfxstream_resource_add(struct gfxstream *gfxstream, uint32_t id,
						  enum gfxstream_resource_kind kind);
/* Removes the resource from the table and frees it, with everything that it owns, but not in the
 * library. */
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
			  const struct rect *r, void *data, uint32_t stride, bool as_stored,
			  uint32_t *ret_format);
/* Writes the whole copy to the library's image. Returns the library's result. */
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
