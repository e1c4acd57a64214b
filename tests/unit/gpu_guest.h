// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The guest in tests of the device (gpu_rig.h): its two queues, and commands. */

#include <linux/virtio_gpu.h>
#include <stdint.h>

#include "vhost/ring_layout.h"

struct vring_desc *gpu_guest_descriptors(unsigned queue);
struct vring_avail *gpu_guest_avail(unsigned queue);
const struct vring_used *gpu_guest_used(unsigned queue);

/* Makes the chain at @head available, without a kick. */
void gpu_guest_offer_head(unsigned queue, uint16_t head);
/* Writes a request into @slot and makes its chain available, without a kick. */
void gpu_guest_offer(unsigned queue, unsigned slot, const void *request, uint32_t size);
void gpu_guest_kick(unsigned queue);
/* The response buffer of the slot. */
const struct virtio_gpu_ctrl_hdr *gpu_guest_reply(unsigned queue, unsigned slot);
/* The number of interrupts since the last call. */
unsigned gpu_guest_interrupts(unsigned queue);

/* Runs one command on the control queue. It must be answered at once; other commands may be
 * available before it. */
uint32_t gpu_guest_run(const void *request, uint32_t size);
#define RUN(request) gpu_guest_run(&(request), sizeof(request))

/* Each of these runs one command and returns the type of its response. */
uint32_t gpu_guest_create_2d(uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_guest_unref(uint32_t id);
uint32_t gpu_guest_attach(uint32_t id, uint64_t gpa, uint32_t size);
/* The backing has the same memory @n times. */
uint32_t gpu_guest_attach_repeated(uint32_t id, uint64_t gpa, uint32_t size, uint32_t n);
uint32_t gpu_guest_detach(uint32_t id);
uint32_t gpu_guest_set_scanout(uint32_t scanout, uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_guest_context(uint32_t type, uint32_t ctx_id); /* CTX_CREATE or CTX_DESTROY */
uint32_t gpu_guest_create_blob(uint32_t id, uint64_t gpa, uint32_t size);
uint32_t gpu_guest_show_blob(uint32_t id, uint32_t width, uint32_t height);

/* TRANSFER_TO_HOST_2D of the upper left corner. */
void gpu_guest_offer_transfer(unsigned slot, uint32_t id, uint32_t width, uint32_t height);
/* RESOURCE_FLUSH of the upper left 64x64; the device may hold it. */
void gpu_guest_offer_flush(unsigned slot, uint32_t id, uint32_t flags, uint64_t fence_id);
