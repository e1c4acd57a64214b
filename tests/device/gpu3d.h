// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Typed 3D and blob commands over the fake front-end, and a writer of virgl command streams. As in
 * gpu.h, a function that returns a uint32_t sends one command, waits for it and returns the
 * response's type.
 */
#pragma once

#include "gpu.h"

/* Meson's exit status for "skipped". */
#define EXIT_SKIPPED 77

#define RESP_INVALID_CONTEXT_ID VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID

/* Linux's header may be older. */
#define F_BLOB_ALIGNMENT 5

/* Options of the daemon for OpenGL. */
extern const char *const gpu3d_args[];
/* Whether the daemon starts with these options; prints the reason if not. It must exit properly in
 * both cases. */
bool gpu3d_works(void);
bool gpu3d_works_with(const char *capset);

/* Capability sets. */
uint32_t gpu_capset_info(struct vmm *vmm, uint32_t index, struct virtio_gpu_resp_capset_info *ret);
#define CAPSET_ROOM 2048
struct capset {
	uint32_t size; /* bytes of data */
	uint8_t data[CAPSET_ROOM];
};
uint32_t gpu_capset(struct vmm *vmm, uint32_t id, uint32_t version, struct capset *ret);

/* Contexts. */
uint32_t gpu_ctx_create(struct vmm *vmm, uint32_t ctx, uint32_t context_init);
uint32_t gpu_ctx_create_named(struct vmm *vmm, uint32_t ctx, uint32_t nlen, uint32_t context_init);
uint32_t gpu_ctx_destroy(struct vmm *vmm, uint32_t ctx);
uint32_t gpu_ctx_attach(struct vmm *vmm, uint32_t ctx, uint32_t id);
uint32_t gpu_ctx_detach(struct vmm *vmm, uint32_t ctx, uint32_t id);

/* 3D resources. These functions fill in the header. */
#define TARGET_BUFFER       0
#define TARGET_TEXTURE_2D   2
#define TARGET_TEXTURE_3D   3
#define BIND_RENDER_TARGET  (1u << 1)
#define BIND_SAMPLER_VIEW   (1u << 3)
#define BIND_VERTEX_BUFFER  (1u << 4)
#define FORMAT_R8           64
#define FORMAT_RGBA32_FLOAT 31
typedef struct virtio_gpu_resource_create_3d create_3d_t;
uint32_t gpu_create_3d(struct vmm *vmm, create_3d_t args);
/* A BGRA texture that can be drawn to. */
create_3d_t gpu_texture(uint32_t id, uint32_t w, uint32_t h);
/* Creates it with a backing of four bytes per pixel; fails if it is refused. */
struct image image_new_3d(struct vmm *vmm, create_3d_t args);
/* Guest memory for an image without a resource: the expected pixels. */
struct image image_due(struct vmm *vmm, uint32_t w, uint32_t h);
/* Fills @r with one colour, x8r8g8b8; the image must be BGRX or BGRA, alpha becomes 255. */
void image_paint(struct image *i, struct virtio_gpu_rect r, uint32_t rgb);

typedef struct virtio_gpu_transfer_host_3d transfer_3d_t;
uint32_t gpu_to_host_3d(struct vmm *vmm, transfer_3d_t args);
uint32_t gpu_from_host_3d(struct vmm *vmm, transfer_3d_t args);
/* The whole image: level 0, rows without gaps, no context. */
transfer_3d_t gpu_whole(const struct image *i);
/* Reads the resource back and fails unless its backing then equals @due. */
void image_check_host(struct vmm *vmm, const struct image *i, const struct image *due);

/* Blobs. */
typedef struct virtio_gpu_resource_create_blob create_blob_t;
/* Sends @bytes of @entries after the request. */
uint32_t gpu_create_blob(struct vmm *vmm, create_blob_t args, const void *entries, uint32_t bytes);
/* HOST3D, mappable, in context @ctx, with blob id @id (with gfxstream: 0). */
uint32_t gpu_create_host_blob(struct vmm *vmm, uint32_t ctx, uint32_t id, uint64_t size);
/* The first two queue the command without a kick; the other two send it and return the response's
 * type. */
struct chain *gpu_submit_map(struct vmm *vmm, uint32_t id, uint64_t offset);
struct chain *gpu_submit_unmap(struct vmm *vmm, uint32_t id);
uint32_t gpu_map_blob(struct vmm *vmm, uint32_t id, uint64_t offset);
uint32_t gpu_unmap_blob(struct vmm *vmm, uint32_t id);
typedef struct virtio_gpu_set_scanout_blob set_scanout_blob_t;
uint32_t gpu_set_scanout_blob(struct vmm *vmm, set_scanout_blob_t args);

/* Creates a blob of @size bytes in one piece of guest memory, which is returned; fails if it is
 * refused. @ret_gpa may be NULL. */
uint8_t *blob_new(struct vmm *vmm, uint32_t id, uint32_t size, uint64_t *ret_gpa);

/* A virgl command stream. The test numbers the objects. */
struct stream {
	uint32_t words[4096];
	uint32_t count;
};
void stream_surface(struct stream *s, uint32_t object, uint32_t id);
void stream_framebuffer(struct stream *s, uint32_t surface);
void stream_clear(struct stream *s, uint32_t rgb);
void stream_copy(struct stream *s, uint32_t to, uint32_t x, uint32_t y, uint32_t from,
		 struct virtio_gpu_rect r);
/* A command that no library can parse. */
void stream_garbage(struct stream *s);
uint32_t gpu_stream(struct vmm *vmm, uint32_t ctx, const struct stream *s);
/* Claims @said bytes but sends @bytes of @words. */
uint32_t gpu_stream_raw(struct vmm *vmm, uint32_t ctx, const void *words, uint32_t said,
			uint32_t bytes);
/* Queues a stream without a kick. @header has the context, flags, fence and ring; its type is
 * filled in. */
struct chain *gpu_stream_later(struct vmm *vmm, struct virtio_gpu_ctrl_hdr header,
			       const struct stream *s);
/* Fills all of resource @id with @rgb, using objects from 100 on. */
uint32_t gpu_paint(struct vmm *vmm, uint32_t ctx, uint32_t id, uint32_t rgb);
