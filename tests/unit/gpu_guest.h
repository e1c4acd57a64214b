// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The guest's part in tests of the device (gpu_rig.h): its two rings, and commands. */

#include <linux/virtio_gpu.h>
#include <stdint.h>

#include "vhost/ring_layout.h"

struct vring_desc *gpu_guest_descriptors(unsigned queue);
struct vring_avail *gpu_guest_avail(unsigned queue);
const struct vring_used *gpu_guest_used(unsigned queue);

/* Makes the chain at @head available; nobody is told. */
void gpu_guest_offer_head(unsigned queue, uint16_t head);
/* Writes a request into @slot and makes its chain available; nobody is told. */
void gpu_guest_offer(unsigned queue, unsigned slot, const void *request, uint32_t size);
void gpu_guest_kick(unsigned queue);
/* What is in the slot's place for a response. */
const struct virtio_gpu_ctrl_hdr *gpu_guest_reply(unsigned queue, unsigned slot);
/* How many interrupts there were since the last time. */
unsigned gpu_guest_interrupts(unsigned queue);

/* One command on the control queue, which must be answered at once; others may be before it. */
uint32_t gpu_guest_run(const void *request, uint32_t size);
#define RUN(request) gpu_guest_run(&(request), sizeof(request))

/* Commands, run. Each returns the type of its response. */
uint32_t gpu_guest_create_2d(uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_guest_unref(uint32_t id);
uint32_t gpu_guest_attach(uint32_t id, uint64_t gpa, uint32_t size);
/* @n times the same memory. */
uint32_t gpu_guest_attach_repeated(uint32_t id, uint64_t gpa, uint32_t size, uint32_t n);
uint32_t gpu_guest_detach(uint32_t id);
uint32_t gpu_guest_set_scanout(uint32_t scanout, uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_guest_context(uint32_t type, uint32_t ctx_id); /* CTX_CREATE or CTX_DESTROY */
uint32_t gpu_guest_create_blob(uint32_t id, uint64_t gpa, uint32_t size);
uint32_t gpu_guest_show_blob(uint32_t id, uint32_t width, uint32_t height);

/* TRANSFER_TO_HOST_2D of the left upper corner. */
void gpu_guest_offer_transfer(unsigned slot, uint32_t id, uint32_t width, uint32_t height);
/* RESOURCE_FLUSH of the left upper 64x64; it may be held. */
void gpu_guest_offer_flush(unsigned slot, uint32_t id, uint32_t flags, uint64_t fence_id);
