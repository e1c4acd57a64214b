// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Typed virtio-gpu commands over a ring of the fake front-end. Each function that returns a
 * uint32_t sends one command, waits for it and returns the type of the response. It also checks the
 * rules for all responses: the used length fits the type, and the fence is echoed or absent.
 */
#pragma once

#include "vmm.h"

/* The initial contents of the response buffer and of the 8 bytes after it. */
#define GPU_UNTOUCHED 0xa5

/* Queues a command without a kick. @data (read by the device) is between header and response. */
struct chain *gpu_submit(struct vmm *vmm, unsigned queue, const void *request, uint32_t size,
			 uint32_t response_size, const struct guest_buf *data, unsigned count);
/* Waits for the chain, checks and frees it; copies at most @size bytes of the response. */
uint32_t gpu_finish(struct vmm *vmm, struct chain *c, void *response, size_t size);
uint32_t gpu_call(struct vmm *vmm, unsigned queue, const void *request, uint32_t size,
		  void *response, uint32_t response_size);
bool gpu_wait_ms(struct vmm *vmm, const struct chain *c, int ms);

static inline struct virtio_gpu_rect gpu_rect(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (struct virtio_gpu_rect){ .x = x, .y = y, .width = w, .height = h };
}

uint32_t gpu_display_info(struct vmm *vmm, struct virtio_gpu_resp_display_info *ret);
uint32_t gpu_edid(struct vmm *vmm, uint32_t scanout, struct virtio_gpu_resp_edid *ret);
uint32_t gpu_create_2d(struct vmm *vmm, uint32_t id, uint32_t format, uint32_t w, uint32_t h);
uint32_t gpu_unref(struct vmm *vmm, uint32_t id);
uint32_t gpu_attach(struct vmm *vmm, uint32_t id, const struct virtio_gpu_mem_entry *entries,
		    uint32_t count);
/* Claims @count entries but sends @bytes. */
uint32_t gpu_attach_raw(struct vmm *vmm, uint32_t id, const void *entries, uint32_t count,
			uint32_t bytes);
uint32_t gpu_detach(struct vmm *vmm, uint32_t id);
uint32_t gpu_transfer_2d(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r, uint64_t offset);
uint32_t gpu_set_scanout(struct vmm *vmm, uint32_t scanout, uint32_t id, struct virtio_gpu_rect r);
uint32_t gpu_flush(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r);
uint32_t gpu_assign_uuid(struct vmm *vmm, uint32_t id, uint8_t uuid[16]);
uint32_t gpu_update_cursor(struct vmm *vmm, uint32_t scanout, uint32_t x, uint32_t y, uint32_t id,
			   uint32_t hot_x, uint32_t hot_y);
uint32_t gpu_move_cursor(struct vmm *vmm, uint32_t scanout, uint32_t x, uint32_t y, uint32_t id);

/* A resource with one contiguous backing in guest memory, four bytes per pixel. */
struct image {
	uint32_t id, format, width, height;
	uint64_t gpa;
	uint8_t *bytes;
};

/* Creates the resource and attaches the backing; fails if either is refused. */
struct image image_new(struct vmm *vmm, uint32_t id, uint32_t format, uint32_t w, uint32_t h);
struct virtio_gpu_rect image_rect(const struct image *i);
/* A pattern that differs for every pixel and every @seed. */
void image_fill(struct image *i, uint32_t seed);
uint32_t image_pixel(const struct image *i, uint32_t x, uint32_t y); /* as x8r8g8b8 */
uint32_t image_transfer(struct vmm *vmm, const struct image *i, struct virtio_gpu_rect r);
/* Waits until the scanout shows @r of the image. */
void image_wait_shown(struct vmm *vmm, const struct image *i, uint32_t scanout,
		      struct virtio_gpu_rect r);
bool image_is_shown(struct vmm *vmm, const struct image *i, uint32_t scanout,
		    struct virtio_gpu_rect r);
