// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The virtio-gpu device (VIRTIO 1.2, section 5.7): what the guest sees. */

#include <stdint.h>

struct display;
struct gpu_device;
struct loop;
struct renderer;
struct vhost_backend;

/* Limits for one guest. A command that would pass a limit fails; nothing else is affected. */
struct gpu_limits {
	uint64_t max_hostmem;         /* bytes of host memory: all that is charged */
	uint32_t max_resources;       /* live at once */
	uint32_t max_backing_entries; /* of one resource */
	uint32_t max_dimension;       /* pixels, width or height of a resource */
	uint32_t max_contexts;        /* live at once */
	uint32_t max_submit;          /* bytes of one command stream */
	uint32_t max_fences;          /* that are pending at once */
};

#define GPU_LIMITS_DEFAULT                                                                         \
	((struct gpu_limits){                                                                      \
		.max_hostmem = UINT64_C(1) << 30,                                                  \
		.max_resources = 1 << 18,                                                          \
		.max_backing_entries = 16384,                                                      \
		.max_dimension = 16384,                                                            \
		.max_contexts = 256,                                                               \
		.max_submit = 16 << 20,                                                            \
		.max_fences = 2048,                                                                \
	})

/* How pixels are sent to the display. */
enum gpu_scanout_mode {
	GPU_SCANOUT_AUTO,   /* images on a GPU as dma-bufs if possible, else as pixels; others as
			       pixels */
	GPU_SCANOUT_DMABUF, /* images on a GPU as dma-bufs only; others as dma-bufs if possible */
	GPU_SCANOUT_PIXELS, /* always as pixels, for displays that accept no dma-bufs */
};

#define GPU_SHMEM_SIZE_DEFAULT (UINT64_C(256) << 20)

struct gpu_device_options {
	struct gpu_limits limits;
	enum gpu_scanout_mode scanout_mode;
	int trace_fd; /* taken: a file to which a line for each command is written; 0: none */
	/* Bytes of the window into which host blobs are mapped for the guest, a power of two; 0:
	 * none. It is offered only if a capset of the renderer needs it. */
	uint64_t shmem_size;
	int udmabuf; /* borrowed: of udmabuf_open(), to show guest memory as dma-bufs; 0: never */
	uint32_t n_scanouts; /* in the configuration space; QEMU puts its own max_outputs there */
};

/* @renderer and @display are borrowed and must outlive the device. NULL, with errno, if the host
 * refuses a timer or the renderer's fences cannot be watched. */
struct gpu_device *gpu_device_new(struct loop *loop, struct renderer *renderer,
				  struct display *display,
				  const struct gpu_device_options *options);
/* No session may be open. NULL is fine. */
void gpu_device_free(struct gpu_device *device);

/* Logs the device's statistics at level info. */
void gpu_device_log_state(const struct gpu_device *device);

/* The interface for vhost-user sessions (borrowed). */
struct vhost_backend *gpu_device_backend(struct gpu_device *device);
