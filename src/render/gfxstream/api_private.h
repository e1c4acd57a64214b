// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The part of libgfxstream_backend's C interface that is used. The declarations are our own, so
 * that the build needs no header of the library; they hold for all versions from 0.1.2 on.
 * Functions return 0, or an errno of either sign.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum gfxstream_flag {
	GFXSTREAM_USE_EGL = 1 << 0,
	GFXSTREAM_USE_SURFACELESS = 1 << 3,
	GFXSTREAM_USE_GLES = 1 << 4,
	GFXSTREAM_USE_VULKAN = 1 << 5,
	GFXSTREAM_USE_EXTERNAL_BLOB = 1 << 6, /* blobs are exported, not mapped in the process */
	GFXSTREAM_USE_SYSTEM_BLOB = 1 << 7,   /* Vulkan memory that the guest maps is in memfds */
};

enum gfxstream_param_key {
	GFXSTREAM_PARAM_USER_DATA = 1,
	GFXSTREAM_PARAM_RENDERER_FLAGS = 2, /* enum gfxstream_flag */
	GFXSTREAM_PARAM_FENCE_CALLBACK = 3,
	GFXSTREAM_PARAM_DEBUG_CALLBACK = 6,
	GFXSTREAM_PARAM_RENDERER_FEATURES = 11, /* char *; older versions skip it */
};

enum gfxstream_fence_flag {
	GFXSTREAM_FENCE = 1 << 0,
	GFXSTREAM_FENCE_RING_IDX = 1 << 1, /* a fence of a context's ring */
};

enum gfxstream_handle_type {
	GFXSTREAM_HANDLE_OPAQUE_FD = 1,
	GFXSTREAM_HANDLE_DMABUF = 2,
	GFXSTREAM_HANDLE_SHM = 4,
};

/* The first word of a command stream. A ring here is the memory of a resource, from which a thread
 * of the library reads commands. */
enum gfxstream_opcode {
	GFXSTREAM_CONTEXT_CREATE = 0x1001, /* { opcode, resource }: a ring, read by a new thread */
	GFXSTREAM_CONTEXT_PING = 0x1002,   /* { opcode, resource } */
	GFXSTREAM_CONTEXT_PING_WITH_RESPONSE = 0x1003,
	GFXSTREAM_CREATE_EXPORT_SYNC = 0x9000, /* of OpenGL ES */
	GFXSTREAM_CREATE_EXPORT_SYNC_VK = 0xa000,
	GFXSTREAM_CREATE_IMPORT_SYNC_VK = 0xa001,
	GFXSTREAM_CREATE_QSRI_EXPORT_VK = 0xa002,
	GFXSTREAM_RESOURCE_CREATE_3D = 0xa003, /* struct gfxstream_create_3d */
	GFXSTREAM_ACQUIRE_SYNC = 0xa004,
	GFXSTREAM_PLACEHOLDER_VK = 0xf002,
};

struct gfxstream_box {
	uint32_t x, y, z, width, height, depth;
};

struct gfxstream_param {
	uint64_t key, value; /* enum gfxstream_param_key */
};

struct gfxstream_resource_args {
	uint32_t id, target, format, bind, width, height, depth, array_size, last_level, nr_samples,
		flags;
};

struct gfxstream_fence {
	uint32_t flags; /* enum gfxstream_fence_flag */
	uint64_t id;
	uint32_t ctx_id;
	uint8_t ring_idx;
};

enum gfxstream_debug_type { GFXSTREAM_DEBUG_ERROR = 1 };

struct gfxstream_debug {
	uint32_t type;       /* enum gfxstream_debug_type, or a less severe one */
	const char *message; /* borrowed for the call */
};

struct gfxstream_handle {
	int64_t os_handle;
	uint32_t type; /* enum gfxstream_handle_type */
};

struct gfxstream_command {
	uint32_t ctx_id, size; /* bytes */
	uint8_t *data;
	uint32_t n_in_fences; /* 0 */
	void *in_fences;      /* NULL */
};

struct gfxstream_blob_args {
	uint32_t blob_mem, blob_flags;
	uint64_t blob_id, size;
};

/* Opcode 0xa003: announces that the blob with this id will be an image. */
struct gfxstream_create_3d {
	uint32_t opcode, target, format, bind, width, height, depth, array_size, last_level,
		nr_samples, flags, padding;
	uint64_t blob_id; /* the library uses 32 bits of it */
};

static_assert(sizeof(struct gfxstream_box) == 24, "box");
static_assert(sizeof(struct gfxstream_param) == 16, "param");
static_assert(sizeof(struct gfxstream_resource_args) == 44, "resource_create_args");
static_assert(offsetof(struct gfxstream_resource_args, flags) == 40, "resource_create_args");
/* i386 aligns 64 bits to 4 bytes, and has other pointers. */
#if UINTPTR_MAX == UINT64_MAX
static_assert(sizeof(struct gfxstream_fence) == 24, "fence");
static_assert(offsetof(struct gfxstream_fence, id) == 8, "fence");
static_assert(offsetof(struct gfxstream_fence, ctx_id) == 16, "fence");
static_assert(offsetof(struct gfxstream_fence, ring_idx) == 20, "fence");
static_assert(sizeof(struct gfxstream_handle) == 16, "handle");
static_assert(offsetof(struct gfxstream_handle, type) == 8, "handle");
static_assert(sizeof(struct gfxstream_debug) == 16, "debug");
static_assert(offsetof(struct gfxstream_debug, message) == 8, "debug");
static_assert(sizeof(struct gfxstream_command) == 32, "command");
static_assert(offsetof(struct gfxstream_command, data) == 8, "command");
static_assert(offsetof(struct gfxstream_command, n_in_fences) == 16, "command");
static_assert(offsetof(struct gfxstream_command, in_fences) == 24, "command");
#endif
static_assert(sizeof(struct gfxstream_blob_args) == 24, "create_blob");
static_assert(offsetof(struct gfxstream_blob_args, blob_id) == 8, "create_blob");
static_assert(sizeof(struct gfxstream_create_3d) == 56, "gfxstreamResourceCreate3d");
static_assert(offsetof(struct gfxstream_create_3d, blob_id) == 48, "gfxstreamResourceCreate3d");

/* The callback of GFXSTREAM_PARAM_FENCE_CALLBACK. It is called from any thread, also from within
 * create_fence(), with a lock of the library held; so it must not call the library. */
typedef void (*gfxstream_fence_fn)(void *user_data, const struct gfxstream_fence *fence);

/* X(return type, name without "stream_renderer_", parameters) */
#define GFXSTREAM_FUNCTIONS(X)                                                                     \
	/* Once in a process. */                                                                   \
	X(int, init, (const struct gfxstream_param *params, uint64_t n))                           \
	X(void, teardown, (void))                                                                  \
	/* @id must be unused: an id in use ends the process. */                                   \
	X(int, resource_create,                                                                    \
	  (const struct gfxstream_resource_args *args, struct iovec *iov, uint32_t n_iov))         \
	X(void, resource_unref, (uint32_t id))                                                     \
	/* Copies the array, and makes a zeroed buffer as large as all of its memory. */           \
	X(int, resource_attach_iov, (int id, struct iovec *iov, int n_iov))                        \
	/* Strides, level and offset are not looked at. Rows lie one after the other, and the box  \
	 * is one span from its first byte to its last. The attached memory must hold the whole    \
	 * image. */                                                                               \
	X(int, transfer_read_iov,                                                                  \
	  (uint32_t id, uint32_t ctx_id, uint32_t level, uint32_t stride, uint32_t layer_stride,   \
	   const struct gfxstream_box *box, uint64_t offset, struct iovec *iov, int n_iov))        \
	X(int, transfer_write_iov,                                                                 \
	  (uint32_t id, uint32_t ctx_id, int level, uint32_t stride, uint32_t layer_stride,        \
	   const struct gfxstream_box *box, uint64_t offset, struct iovec *iov, unsigned n_iov))   \
	/* Leaves the results unset if it does not know the capset. */                             \
	X(void, get_cap_set, (uint32_t capset, uint32_t * max_version, uint32_t * max_size))       \
	X(void, fill_caps, (uint32_t capset, uint32_t version, void *caps))                        \
	/* A second context with the same id replaces the first. */                                \
	X(int, context_create,                                                                     \
	  (uint32_t id, uint32_t name_size, const char *name, uint32_t capset))                    \
	X(void, context_destroy, (uint32_t id))                                                    \
	X(void, ctx_attach_resource, (int ctx_id, int id))                                         \
	X(void, ctx_detach_resource, (int ctx_id, int id))                                         \
	/* Reads a whole command, even past the end of a shorter stream. */                        \
	X(int, submit_cmd, (const struct gfxstream_command *command))                              \
	/* Returns 0 also if it failed. */                                                         \
	X(int, create_blob,                                                                        \
	  (uint32_t ctx_id, uint32_t id, const struct gfxstream_blob_args *args,                   \
	   const struct iovec *iov, uint32_t n_iov, const struct gfxstream_handle *handle))        \
	/* Passes the ownership of the descriptor to the caller, so it works only once. */         \
	X(int, export_blob, (uint32_t id, struct gfxstream_handle * ret))                          \
	X(int, resource_map_info, (uint32_t id, uint32_t * ret))                                   \
	X(int, create_fence, (const struct gfxstream_fence *fence))

struct gfxstream_library {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a type and a list of parameters */
#define GFXSTREAM_FIELD(type, name, parameters) type(*name) parameters;
	GFXSTREAM_FUNCTIONS(GFXSTREAM_FIELD)
#undef GFXSTREAM_FIELD
};

/* library.c: opens @path, or the library by its usual names if @path is NULL. It is never closed.
 * Returns NULL, or one sentence (freed with g_free()). */
char *gfxstream_library_open(struct gfxstream_library *library, const char *path);
