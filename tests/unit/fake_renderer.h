// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A renderer whose fences complete when a test says so (gpu_rig_pass_fence()). It counts live
 * objects, so that a test can check that nothing is left, and aborts on calls that the device must
 * never make.
 */

#include <linux/virtio_gpu.h>
#include <stdbool.h>

#include "render/renderer.h"

#define FAKE_RENDERER_MAX_FENCES 4096
#define FAKE_RENDERER_MAP_INFO   VIRTIO_GPU_MAP_CACHE_WC

struct fake_renderer {
	struct renderer base;
	int n_resources, n_contexts, n_attached, n_exported, n_resets;
	int fence_result; /* of fence_create */
	bool has_dmabufs;
	int (*export_memory)(
		void);          /* of a host blob: a new descriptor; NULL: it cannot be exported */
	bool draws_in_memory;   /* as a CPU does: dmabuf::is_in_memory */
	uint32_t dmabuf_height; /* in rows of 256 bytes; 0: 64 */
	bool hides_poll_fd;     /* as a library that has none */
	int poll_fd;
	struct renderer_fence fences[FAKE_RENDERER_MAX_FENCES]; /* all created, in order */
	unsigned n_fences;
	struct renderer_fence passing; /* reported by the next poll */

	/* What was transferred to the CPU's renderer. Each pixel that is read from it has n_rows as
	 * its value. */
	uint32_t n_rows, next_row; /* next_row: below the last piece */
	uint64_t largest_piece;    /* bytes */
	uint8_t pixel;             /* each byte of what is read back from the GPU, or .. */
	bool stores_rgba;   /* .. pixel, pixel + 1, .. as R, G, .., if read as stored, or .. */
	bool has_only_rgba; /* .. always */
	unsigned shrinks;   /* steps that it takes to free a resource; each is slow */
	unsigned n_locked;  /* calls of read_pixels and capset_fill with base.lock held */
};

/* renderer_free() ends it. */
void fake_renderer_init(struct fake_renderer *fake);
/* A renderer that keeps no iovecs and frees in steps, like the CPU's. */
void fake_renderer_init_cpu(struct fake_renderer *fake);
