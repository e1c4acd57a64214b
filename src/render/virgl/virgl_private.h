// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* All that the virgl renderer keeps, for the files that make it up. */

#include <assert.h>
#include <glib.h>
#include <virglrenderer.h>

#include "base/container.h"
#include "base/id_table.h"
#include "render/renderer.h"
#include "render/virgl/stream_private.h"

#define VIRGL_MAX_FENCES 4096 /* a power of two: what numbers them wraps */

enum virgl_driver { VIRGL_DRIVER_GPU, VIRGL_DRIVER_CPU };

struct virgl_options;

/* venus.c's: contexts that are Vulkan's, in the render server. */
struct virgl_venus {
	const struct virgl_options *options; /* borrowed while the renderer is made */
	char *(*start_server)(void *data, int *ret_socket);
	void *start_server_data;
	int socket;    /* the library's, to the server; -1: none */
	char *problem; /* owned: why there is none, or NULL */
	bool is_on, is_drm_on;
};

struct virgl {
	struct renderer base;
	struct virgl_renderer_callbacks callbacks; /* borrowed by the library */
	int node;                                  /* -1: none, so there are no dma-bufs */
	bool is_gles;
	enum virgl_driver driver;
	struct id_table contexts; /* struct virgl_context, of the guest's; account.c's */
	unsigned n_draws;         /* since the memory of the process was looked at */
	bool lacks_memory;        /* draws of this stream were left out */
	uint32_t own_context;     /* for what is drawn here; 0: there is none */
	void *scratch;            /* owned: what textures are read to, and its bytes */
	size_t scratch_size;

	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	struct virgl_formats formats;
	bool can_clear_texture;
	bool maps_attributes;  /* the library reads vertices that are all the same by itself */
	GHashTable *resources; /* struct virgl_resource by id; borrowed */
	GPtrArray *unfinished; /* submit.c's */

	/* Fence n of the library is fences[n % VIRGL_MAX_FENCES]; those that have not passed
	 * are n_passed + 1 to n_created, modulo 2^32. */
	struct renderer_fence fences[VIRGL_MAX_FENCES];
	uint32_t n_created, n_passed;

	struct virgl_venus venus;
	struct virgl_rings *rings; /* NULL: all contexts are OpenGL's */
};

struct virgl_resource {
	struct renderer_resource base;
	struct renderer_resource_args args; /* only id is set in a blob */
	uint32_t format;                    /* that the library knows; 0 for a blob */
	const struct iovec *iov;            /* borrowed: the backing; NULL: none is attached */
	int n_iov;
	bool is_exported;
	bool is_host_blob;
	bool is_incomplete; /* OpenGL refused to make it; the library has it all the same */
	bool is_disguised;  /* the library knows it by another format */
};

/* struct virgl_box, which the library's header only names. */
struct virgl_box_words {
	uint32_t x, y, z, w, h, d;
};

static inline struct virgl_box_words virgl_box_words(const struct renderer_box *b)
{
	return (struct virgl_box_words){ b->x, b->y, b->z, b->width, b->height, b->depth };
}

extern const struct renderer_ops virgl_ops;

static inline struct virgl *virgl_of(struct renderer *renderer)
{
	assert(renderer->ops == &virgl_ops);
	return container_of(renderer, struct virgl, base);
}

static inline struct virgl_resource *virgl_resource_of(struct renderer_resource *resource)
{
	assert(resource->renderer->ops == &virgl_ops);
	return container_of(resource, struct virgl_resource, base);
}

/* What the guest hears for a result of the library's: 0, or an errno of either sign. */
int virgl_response(int result);

/* context.c */
void virgl_context_init_capsets(struct virgl *virgl, uint32_t wanted);
/* Asks the library which formats it has, and what else a stream can ask for. */
void virgl_context_init_formats(struct virgl *virgl);
unsigned virgl_context_capsets(struct renderer *renderer, struct renderer_capset *ret);
int virgl_context_fill_capset(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
			      uint32_t size);
int virgl_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			 const char *name, uint32_t name_size);
void virgl_context_free(struct renderer *renderer, uint32_t ctx_id);
int virgl_context_attach(struct renderer *renderer, uint32_t ctx_id,
			 struct renderer_resource *resource);
void virgl_context_detach(struct renderer *renderer, uint32_t ctx_id,
			  struct renderer_resource *resource);
int virgl_context_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size);

/* cost.c: bytes of host memory. */

/* Of a context or a sub-context. */
#define VIRGL_COST_OF_CONTEXT (UINT64_C(5) << 19)
uint64_t virgl_cost_of_resource(struct renderer *renderer,
				const struct renderer_resource_args *args);
/* Of one that a stream makes; @text_bytes of a shader's text. */
uint64_t virgl_cost_of_object(uint32_t object, uint32_t text_bytes);
/* Of what a driver may make of a shader when it is drawn with. */
uint64_t virgl_cost_of_code(uint32_t text_bytes);

/* account.c: charges what contexts and streams make to the device's account */

/* A context is about to be made: 0 or the guest's error. And it is gone, or could not be made. */
int virgl_account_begin(struct virgl *virgl, uint32_t ctx_id);
void virgl_account_end(struct virgl *virgl, uint32_t ctx_id);
/* Whether there is memory for what a stream makes: 0 or the guest's error. */
int virgl_account_check(const struct virgl *virgl, uint32_t ctx_id, const uint32_t *stream,
			size_t n_words);
/* Has the library run @stream, with looks at the process's memory; draws for which there is none
 * are left out, and virgl->lacks_memory is set. 0 or the guest's error. */
int virgl_account_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);

/* submit.c */
void virgl_submit_init(struct virgl *virgl);
void virgl_submit_free(struct virgl *virgl);
/* A context is gone. */
void virgl_submit_forget(struct virgl *virgl, uint32_t ctx_id);
/* Has the library run a stream that was checked. 0 or the guest's error; after most, the context
 * takes no more. */
int virgl_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);
/* Resource @id is about to go: unbinds it. */
void virgl_submit_release(struct virgl *virgl, uint32_t id);

/* resource.c */
int virgl_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			  struct renderer_resource **ret);
/* A resource that the library has by this @format; 0: a blob. */
struct renderer_resource *virgl_resource_add(struct virgl *virgl,
					     const struct renderer_resource_args *args,
					     uint32_t format);
void virgl_resource_free(struct renderer *renderer, struct renderer_resource *resource);
int virgl_resource_attach(struct renderer *renderer, struct renderer_resource *resource,
			  struct iovec *iov, int n_iov);
void virgl_resource_detach(struct renderer *renderer, struct renderer_resource *resource);
int virgl_resource_transfer_to_host(struct renderer *renderer, struct renderer_resource *resource,
				    const struct renderer_transfer *transfer);
/* All of @level: its layers are the box's depth, whatever the target. */
struct renderer_box virgl_resource_level(const struct virgl_resource *resource, uint32_t level);
/* Whether there is memory to copy from or to, and strides that can be added up. 0 or the guest's
 * error. */
int virgl_resource_check_transfer(const struct virgl_resource *resource,
				  const struct renderer_transfer *transfer);

/* blob.c */
int virgl_resource_create_blob(struct renderer *renderer, const struct renderer_blob_args *args,
			       struct renderer_resource **ret);
int virgl_resource_export_blob(struct renderer *renderer, struct renderer_resource *resource,
			       struct renderer_blob_export *ret);

/* gl.c: what is asked of OpenGL beside the library. */
void virgl_gl_init(bool is_gles);
/* Of the current context; "" if it does not say. */
const char *virgl_gl_vendor(void);
const char *virgl_gl_renderer(void);
/* Of the current context. */
bool virgl_gl_is_at_least(unsigned major, unsigned minor);
/* Whether it has glClearTexSubImage(), without which the library ends the process. */
bool virgl_gl_can_clear(void);
/* Forgets the errors of the current context. Returns whether there were any. */
bool virgl_gl_had_error(void);

/* fresh.c */
void virgl_fresh_init(struct virgl *virgl);
/* The guest is about to have a context @id. */
void virgl_fresh_leave_context(struct virgl *virgl, uint32_t id);
/* Has @resource, which is new, hold zeros. 0, or the guest's error: it can be read before it is
 * written. */
int virgl_fresh_fill(struct virgl *virgl, const struct virgl_resource *resource);

/* readback.c */
int virgl_readback_transfer(struct renderer *renderer, struct renderer_resource *resource,
			    const struct renderer_transfer *transfer);
int virgl_readback_pixels(struct renderer *renderer, struct renderer_resource *resource,
			  const struct rect *r, void *data, uint32_t stride);

/* Gives up what was read for the guest, which has gone. */
void virgl_readback_forget(struct virgl *virgl);

/* readback_stream.c: has the library run @stream, but for the transfers from textures in it, which
 * are done as the commands outside of streams are. 0 or the guest's error. */
int virgl_readback_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);

/* check.c: false for what the library would add up wrongly; strides in bytes, @height and
 * @depth those of the box. */
bool virgl_check_transfer(uint32_t stride, uint32_t layer_stride, uint32_t height, uint32_t depth);

/* dmabuf.c */
int virgl_dmabuf_export(struct renderer *renderer, struct renderer_resource *resource,
			struct dmabuf *ret);

/* fence.c */
int virgl_fence_create(struct renderer *renderer, const struct renderer_fence *fence);
/* The library's callback: its fence @id, and all before, have passed. */
void virgl_fence_on_passed(void *cookie, uint32_t id);
/* Has the library send what it holds back to the GPU, and look at all fences once more. */
void virgl_fence_repeat(struct virgl *virgl);
int virgl_fence_poll_fd(struct renderer *renderer);
void virgl_fence_poll(struct renderer *renderer);
void virgl_fence_reset(struct renderer *renderer);

/* threads.c */
/* Before the library starts: where not all threads can be made that it and Mesa's llvmpipe would
 * make, keeps them from waiting for these, and warns. */
void virgl_threads_limit(void);
