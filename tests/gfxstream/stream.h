// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The C interface of libgfxstream_backend.so.0, written down a second time: the daemon's own
 * declarations are in src/render/gfxstream/. A mistake in one of the two makes the tests of the
 * daemon on the stand-in fail; the same mistake in both makes the conformance test on the real
 * library fail. Functions that return int return 0, and anything else after a failure: the sign
 * differs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define STREAM_API __attribute__((visibility("default")))

struct stream_param {
	uint64_t key, value;
};

enum {
	STREAM_PARAM_USER_DATA = 1,
	STREAM_PARAM_FLAGS = 2,
	STREAM_PARAM_FENCE_CALLBACK = 3,
	STREAM_PARAM_WIDTH = 4,
	STREAM_PARAM_HEIGHT = 5,
	STREAM_PARAM_DEBUG_CALLBACK = 6,
	STREAM_PARAM_SKIP_OPENGLES = 10,
	STREAM_PARAM_FEATURES = 11,
	STREAM_PARAM_METRICS_FIRST = 1024,
	STREAM_PARAM_METRICS_ABORT = 1029,
};

#define STREAM_USE_EGL           (1u << 0)
#define STREAM_USE_SURFACELESS   (1u << 3)
#define STREAM_USE_GLES          (1u << 4)
#define STREAM_USE_VK            (1u << 5)
#define STREAM_USE_EXTERNAL_BLOB (1u << 6)
#define STREAM_USE_SYSTEM_BLOB   (1u << 7)
#define STREAM_USE_SWAPCHAIN     (1u << 8)

struct stream_args {
	uint32_t handle, target, format, bind, width, height, depth, array_size, last_level,
		nr_samples, flags;
};
_Static_assert(sizeof(struct stream_args) == 44, "stream_renderer_resource_create_args");

struct stream_box {
	uint32_t x, y, z, w, h, d;
};

struct stream_fence {
	uint32_t flags; /* STREAM_FENCE_* */
	uint64_t fence_id;
	uint32_t ctx_id;
	uint8_t ring_idx;
};

#define STREAM_FENCE          1u
#define STREAM_FENCE_RING_IDX 2u
#define STREAM_FENCE_SHARED   4u

struct stream_handle {
	int64_t os_handle;
	uint32_t handle_type;
};

enum { STREAM_MEM_OPAQUE_FD = 1, STREAM_MEM_DMABUF = 2, STREAM_MEM_SHM = 4 };

struct stream_debug {
	uint32_t type; /* 1 error, 2 warning, 3 information, 4 debug */
	const char *message;
};

struct stream_command {
	uint32_t ctx_id, cmd_size; /* bytes */
	uint8_t *cmd;
	uint32_t num_in_fences;
	struct stream_handle *fences;
};

/* The library's layouts on 64-bit hosts; i386 aligns 64 bits to 4 bytes. */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct stream_fence) == 24, "stream_renderer_fence");
_Static_assert(offsetof(struct stream_fence, ring_idx) == 20, "stream_renderer_fence");
_Static_assert(sizeof(struct stream_command) == 32, "stream_renderer_command");
#endif

/* The first word of a command. */
enum {
	STREAM_OP_CONTEXT_CREATE = 0x1001,
	STREAM_OP_PING = 0x1002,
	STREAM_OP_PING_WITH_RESPONSE = 0x1003,
	STREAM_OP_EXPORT_SYNC = 0x9000,
	STREAM_OP_EXPORT_SYNC_VK = 0xa000,
	STREAM_OP_IMPORT_SYNC_VK = 0xa001,
	STREAM_OP_QSRI_EXPORT_VK = 0xa002,
	STREAM_OP_RESOURCE_CREATE_3D = 0xa003,
	STREAM_OP_ACQUIRE_SYNC = 0xa004,
	STREAM_OP_PLACEHOLDER_VK = 0xf002,
};

struct stream_blob {
	uint32_t blob_mem, blob_flags;
	uint64_t blob_id, size;
};
_Static_assert(sizeof(struct stream_blob) == 24, "stream_renderer_create_blob");

enum { STREAM_BLOB_GUEST = 1, STREAM_BLOB_HOST3D = 2, STREAM_BLOB_HOST3D_GUEST = 3 };
#define STREAM_BLOB_CREATE_GUEST_HANDLE 8u

struct stream_vulkan_info {
	uint32_t memory_index;
	uint8_t device_uuid[16], driver_uuid[16];
};
_Static_assert(sizeof(struct stream_vulkan_info) == 36, "stream_renderer_vulkan_info");

struct stream_info {
	uint32_t handle, format, width, height, depth, flags, tex_id, stride;
	int drm_fourcc;
};
_Static_assert(sizeof(struct stream_info) == 36, "stream_renderer_resource_info");

enum { STREAM_CAPSET_VULKAN = 3, STREAM_CAPSET_GLES = 8, STREAM_CAPSET_COMPOSER = 9 };

/* A blob that becomes the ring of a context's streams has at least this size. */
#define STREAM_RING_BYTES  1060864u
#define STREAM_BLOCK_BYTES (16u << 20)
#define STREAM_PAGE_BYTES  4096

typedef void (*stream_fence_fn)(void *user_data, struct stream_fence *fence);
typedef void (*stream_debug_fn)(void *user_data, struct stream_debug *debug);

STREAM_API int stream_renderer_init(struct stream_param *params, uint64_t n);
STREAM_API void stream_renderer_teardown(void);
STREAM_API int stream_renderer_resource_create(struct stream_args *args, struct iovec *iov,
					       uint32_t n_iov);
STREAM_API void stream_renderer_resource_unref(uint32_t res);
STREAM_API int stream_renderer_import_resource(uint32_t res, const struct stream_handle *handle,
					       const void *data);
STREAM_API int stream_renderer_context_create(uint32_t ctx, uint32_t length, const char *name,
					      uint32_t context_init);
STREAM_API void stream_renderer_context_destroy(uint32_t ctx);
STREAM_API int stream_renderer_submit_cmd(struct stream_command *command);
STREAM_API int stream_renderer_transfer_read_iov(uint32_t res, uint32_t ctx, uint32_t level,
						 uint32_t stride, uint32_t layer_stride,
						 struct stream_box *box, uint64_t offset,
						 struct iovec *iov, int n_iov);
STREAM_API int stream_renderer_transfer_write_iov(uint32_t res, uint32_t ctx, int level,
						  uint32_t stride, uint32_t layer_stride,
						  struct stream_box *box, uint64_t offset,
						  struct iovec *iov, unsigned n_iov);
STREAM_API void stream_renderer_get_cap_set(uint32_t set, uint32_t *max_ver, uint32_t *max_size);
STREAM_API void stream_renderer_fill_caps(uint32_t set, uint32_t version, void *caps);
STREAM_API int stream_renderer_resource_attach_iov(int res, struct iovec *iov, int n_iov);
STREAM_API void stream_renderer_resource_detach_iov(int res, struct iovec **iov, int *n_iov);
STREAM_API void stream_renderer_ctx_attach_resource(int ctx, int res);
STREAM_API void stream_renderer_ctx_detach_resource(int ctx, int res);
STREAM_API int stream_renderer_create_blob(uint32_t ctx, uint32_t res,
					   const struct stream_blob *blob, const struct iovec *iov,
					   uint32_t n_iov, const struct stream_handle *handle);
STREAM_API int stream_renderer_export_blob(uint32_t res, struct stream_handle *handle);
STREAM_API int stream_renderer_resource_map(uint32_t res, void **address, uint64_t *size);
STREAM_API int stream_renderer_resource_unmap(uint32_t res);
STREAM_API int stream_renderer_resource_map_info(uint32_t res, uint32_t *map_info);
STREAM_API int stream_renderer_vulkan_info(uint32_t res, struct stream_vulkan_info *info);
STREAM_API int stream_renderer_create_fence(const struct stream_fence *fence);
STREAM_API int stream_renderer_export_fence(uint64_t fence_id, struct stream_handle *handle);
STREAM_API void stream_renderer_flush(uint32_t res);
STREAM_API int stream_renderer_resource_get_info(int res, struct stream_info *info);
STREAM_API int stream_renderer_suspend(void);
STREAM_API int stream_renderer_resume(void);
STREAM_API int stream_renderer_snapshot(const char *dir);
STREAM_API int stream_renderer_restore(const char *dir);
