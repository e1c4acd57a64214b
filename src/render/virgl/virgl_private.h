// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The state of the virgl renderer, shared by its files. */

#include <assert.h>
#include <glib.h>
#include <virglrenderer.h>

#include "base/container.h"
#include "base/id_table.h"
#include "render/renderer.h"
#include "render/virgl/stream_private.h"

#define VIRGL_MAX_FENCES 4096 /* a power of two, because the numbers wrap */

enum virgl_driver { VIRGL_DRIVER_GPU, VIRGL_DRIVER_CPU };

struct virgl_options;

/* The state of venus.c: Vulkan contexts in the render server. */
struct virgl_venus {
	const struct virgl_options *options; /* borrowed while the renderer is made */
	char *(*start_server)(void *data, int *ret_socket);
	void *start_server_data;
	int socket;    /* the library's, to the server; -1: none */
	char *problem; /* owned: why there is no Venus, or NULL */
	bool is_on, is_drm_on;
};

struct virgl {
	struct renderer base;
	struct virgl_renderer_callbacks callbacks; /* borrowed by the library */
	int node;                                  /* -1: none, so there are no dma-bufs */
	bool is_gles;
	enum virgl_driver driver;
	struct id_table contexts; /* struct virgl_context of the guest; see account.c */
	unsigned n_draws;         /* since the last measurement of memory */
	bool lacks_memory;        /* draws of this stream were skipped */
	uint32_t own_context;     /* for our own drawing; 0: there is none */
	void *scratch;            /* owned: a buffer of scratch_size bytes to read textures to */
	size_t scratch_size;

	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	struct virgl_formats formats;
	bool can_clear_texture;
	bool maps_attributes;  /* the library reads attributes with stride 0 */
	GHashTable *resources; /* struct virgl_resource by id; borrowed */
	GPtrArray *unfinished; /* submit.c's */

	/* Fence n of the library is fences[n % VIRGL_MAX_FENCES]; those that have not passed are
	 * n_passed + 1 to n_created, modulo 2^32. */
	struct renderer_fence fences[VIRGL_MAX_FENCES];
	uint32_t n_created, n_passed;

	struct virgl_venus venus;
	struct virgl_rings *rings; /* NULL: all contexts are OpenGL's */
};

struct virgl_resource {
	struct renderer_resource base;
	struct renderer_resource_args args; /* only id is set in a blob */
	uint32_t format;                    /* the format in the library; 0 for a blob */
	const struct iovec *iov;            /* borrowed: the backing; NULL: none is attached */
	int n_iov;
	bool is_exported;
	bool is_host_blob;
	bool is_incomplete; /* OpenGL refused it, but the library has it */
	bool is_disguised;  /* its format in the library is another one */
	uint32_t texture;   /* its name in OpenGL; 0: not asked for yet */
};

/* struct virgl_box, which the library's header only declares. */
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

/* context.c */
void virgl_context_init_capsets(struct virgl *virgl, uint32_t wanted);
/* Asks the library for its formats, and whether streams may clear textures. */
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

/* The cost of a context or a sub-context. */
#define VIRGL_COST_OF_CONTEXT (UINT64_C(5) << 19)
uint64_t virgl_cost_of_resource(struct renderer *renderer,
				const struct renderer_resource_args *args);
/* The cost of an object that a stream makes; @text_bytes is the length of a shader's text. */
uint64_t virgl_cost_of_object(uint32_t object, uint32_t text_bytes);
/* The cost of the code that a driver may compile from a shader when it is drawn with. */
uint64_t virgl_cost_of_code(uint32_t text_bytes);

/* account.c: charges contexts and the objects of streams to the device's account */

/* virgl_account_begin(): a context is about to be made. Returns 0 or RESP_ERR_*.
 * virgl_account_end(): the context is gone, or could not be made. */
int virgl_account_begin(struct virgl *virgl, uint32_t ctx_id);
void virgl_account_end(struct virgl *virgl, uint32_t ctx_id);
/* Checks that there is memory for the objects that a stream makes. Returns 0 or RESP_ERR_*. */
int virgl_account_check(const struct virgl *virgl, uint32_t ctx_id, const uint32_t *stream,
			size_t n_words);
/* Has the library run @stream in parts, and measures the process's memory between them. If memory
 * runs out, skips the remaining draws and sets virgl->lacks_memory. Returns 0 or RESP_ERR_*. */
int virgl_account_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);

/* submit.c */
void virgl_submit_init(struct virgl *virgl);
void virgl_submit_free(struct virgl *virgl);
/* Called when a context is gone. */
void virgl_submit_forget(struct virgl *virgl, uint32_t ctx_id);
/* Has the library run a checked stream. Returns 0 or RESP_ERR_*. A stream that fails breaks its
 * context, which then accepts no more streams; skipped draws (lacks_memory) do not break it. */
int virgl_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);
/* Resource @id is about to be freed: unbinds it. */
void virgl_submit_release(struct virgl *virgl, uint32_t id);

/* resource.c */
int virgl_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			  struct renderer_resource **ret);
/* Adds a resource that the library has with @format; 0: a blob. */
struct renderer_resource *virgl_resource_add(struct virgl *virgl,
					     const struct renderer_resource_args *args,
					     uint32_t format);
void virgl_resource_free(struct renderer *renderer, struct renderer_resource *resource);
int virgl_resource_attach(struct renderer *renderer, struct renderer_resource *resource,
			  struct iovec *iov, int n_iov);
void virgl_resource_detach(struct renderer *renderer, struct renderer_resource *resource);
int virgl_resource_transfer_to_host(struct renderer *renderer, struct renderer_resource *resource,
				    const struct renderer_transfer *transfer);
/* The box that covers all of @level. Its depth is the depth of a 3D texture at that level, else the
 * number of layers. */
struct renderer_box virgl_resource_level(const struct virgl_resource *resource, uint32_t level);
/* Checks that a transfer has memory to copy from or to, and that its strides do not overflow.
 * Returns 0 or RESP_ERR_*. */
int virgl_resource_check_transfer(const struct virgl_resource *resource,
				  const struct renderer_transfer *transfer);

/* blob.c */
int virgl_resource_create_blob(struct renderer *renderer, const struct renderer_blob_args *args,
			       struct renderer_resource **ret);
int virgl_resource_export_blob(struct renderer *renderer, struct renderer_resource *resource,
			       struct renderer_blob_export *ret);

/* gl.c: direct calls to OpenGL. */
void virgl_gl_init(bool is_gles);
/* The vendor of the current context; "" if it has none. */
const char *virgl_gl_vendor(void);
const char *virgl_gl_renderer(void);
/* Whether the current context has at least this version. */
bool virgl_gl_is_at_least(unsigned major, unsigned minor);
/* Whether OpenGL has glClearTexSubImage(); without it a clear command makes the library end the
 * process. */
bool virgl_gl_can_clear(void);
/* Copies the pixels of @r of a 2D texture to @data, as R, G, B, A bytes in rows of @stride bytes (a
 * multiple of 4), if the driver prefers that order. Otherwise, or on an error, returns false. */
bool virgl_gl_read_rgba(uint32_t texture, const struct rect *r, void *data, uint32_t stride);
/* Forgets the errors of the current context. Returns whether there were any. */
bool virgl_gl_had_error(void);

/* fresh.c */
void virgl_fresh_init(struct virgl *virgl);
/* The guest is about to create context @id: frees our own context if it has that id. */
void virgl_fresh_leave_context(struct virgl *virgl, uint32_t id);
/* Fills the new @resource with zeros. Returns 0, or RESP_ERR_* if it cannot be filled and must be
 * refused. */
int virgl_fresh_fill(struct virgl *virgl, const struct virgl_resource *resource);

/* readback.c */
int virgl_readback_transfer(struct renderer *renderer, struct renderer_resource *resource,
			    const struct renderer_transfer *transfer);
int virgl_readback_pixels(struct renderer *renderer, struct renderer_resource *resource,
			  const struct rect *r, void *data, uint32_t stride, bool as_stored,
			  uint32_t *ret_format);

/* Frees the buffer virgl::scratch, which may hold pixels of the guest. */
void virgl_readback_forget(struct virgl *virgl);

/* readback_stream.c: has the library run @stream, except for its transfers from textures, which are
 * carried out like commands outside of streams. Returns 0 or RESP_ERR_*. */
int virgl_readback_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words);

/* check.c: returns false if the library would overflow when it computes how many bytes a transfer
 * from or to @level of @resource (NULL: not known) spans. Strides are in bytes; @height and @depth
 * are those of the box. */
bool virgl_check_transfer(const struct virgl_resource *resource, uint32_t level, uint32_t stride,
			  uint32_t layer_stride, uint32_t height, uint32_t depth);

/* dmabuf.c */
int virgl_dmabuf_export(struct renderer *renderer, struct renderer_resource *resource,
			struct dmabuf *ret);

/* fence.c */
int virgl_fence_create(struct renderer *renderer, const struct renderer_fence *fence);
/* The library's callback: its fence @id and all fences before it have passed. */
void virgl_fence_on_passed(void *cookie, uint32_t id);
/* Creates the last fence once more. So the library sends its buffered commands to the GPU, and when
 * the fence passes, reports all fences. */
void virgl_fence_repeat(struct virgl *virgl);
int virgl_fence_poll_fd(struct renderer *renderer);
void virgl_fence_poll(struct renderer *renderer);
void virgl_fence_reset(struct renderer *renderer);

/* threads.c */
/* Called before the library starts: if not all threads can be made that the library and Mesa's
 * llvmpipe would make, limits their number, so that they do not wait for missing threads, and
 * warns. */
void virgl_threads_limit(void);
