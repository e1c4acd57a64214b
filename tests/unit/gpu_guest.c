// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "gpu_guest.h"

#include <string.h>
#include <unistd.h>

#include "gpu_rig.h"

struct vring_desc *gpu_guest_descriptors(unsigned queue)
{
	return (void *)(gpu_rig.memory + queue * RING_AT);
}

struct vring_avail *gpu_guest_avail(unsigned queue)
{
	return (void *)(gpu_rig.memory + queue * RING_AT + AVAIL_AT);
}

const struct vring_used *gpu_guest_used(unsigned queue)
{
	return (void *)(gpu_rig.memory + queue * RING_AT + USED_AT);
}

/* Each queue has its own slots. */
static uint8_t *slot_memory(unsigned queue, unsigned slot)
{
	return gpu_rig.memory + SLOTS_AT + (queue * N_SLOTS + slot) * SLOT_SIZE;
}

void gpu_guest_offer_head(unsigned queue, uint16_t head)
{
	struct vring_avail *ring = gpu_guest_avail(queue);

	ring->ring[ring->idx % RING_SIZE] = head;
	__atomic_store_n(&ring->idx, (uint16_t)(ring->idx + 1), __ATOMIC_RELEASE);
}

void gpu_guest_offer(unsigned queue, unsigned slot, const void *request, uint32_t size)
{
	uint8_t *bytes = slot_memory(queue, slot);
	uint64_t gpa = GPA + (uint64_t)(bytes - gpu_rig.memory);
	uint16_t head = (uint16_t)(slot * 3);
	struct vring_desc *d = &gpu_guest_descriptors(queue)[head];

	assert_true(slot < N_SLOTS && size <= REPLY_AT);
	memcpy(bytes, request, size);
	memset(bytes + REPLY_AT, 0, SLOT_SIZE - REPLY_AT);
	d[0] = (struct vring_desc){ gpa, size, VRING_DESC_F_NEXT, (uint16_t)(head + 1) };
	d[1] = (struct vring_desc){ gpa + REPLY_AT, SLOT_SIZE - REPLY_AT, VRING_DESC_F_WRITE, 0 };
	gpu_guest_offer_head(queue, head);
}

void gpu_guest_kick(unsigned queue)
{
	const uint64_t one = 1;

	assert_int_equal(write(gpu_rig.kick_fds[queue], &one, sizeof(one)), sizeof(one));
	gpu_rig_turn();
}

const struct virtio_gpu_ctrl_hdr *gpu_guest_reply(unsigned queue, unsigned slot)
{
	return (const void *)(slot_memory(queue, slot) + REPLY_AT);
}

unsigned gpu_guest_interrupts(unsigned queue)
{
	uint64_t count = 0;

	if (read(gpu_rig.call_fds[queue], &count, sizeof(count)) < 0)
		return 0;
	return (unsigned)count;
}

uint32_t gpu_guest_run(const void *request, uint32_t size)
{
	uint16_t before = gpu_guest_used(0)->idx;

	gpu_guest_offer(0, 0, request, size);
	gpu_guest_kick(0);
	assert_int_not_equal(gpu_guest_used(0)->idx, before);
	assert_int_equal(gpu_guest_used(0)->ring[(gpu_guest_used(0)->idx - 1u) % RING_SIZE].id, 0);
	return gpu_guest_reply(0, 0)->type;
}

uint32_t gpu_guest_create_2d(uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = width,
		.height = height,
	};

	return RUN(request);
}

uint32_t gpu_guest_unref(uint32_t id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};

	return RUN(request);
}

uint32_t gpu_guest_attach(uint32_t id, uint64_t gpa, uint32_t size)
{
	const struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = id,
			     .nr_entries = 1 },
		.entry = { .addr = gpa, .length = size },
	};

	return RUN(message);
}

uint32_t gpu_guest_attach_repeated(uint32_t id, uint64_t gpa, uint32_t size, uint32_t n)
{
	struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entries[64];
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = id,
			     .nr_entries = n },
	};

	assert_true(n <= 64);
	for (uint32_t i = 0; i < n; i++)
		message.entries[i] = (struct virtio_gpu_mem_entry){ gpa, size, 0 };
	return RUN(message);
}

uint32_t gpu_guest_detach(uint32_t id)
{
	const struct virtio_gpu_resource_detach_backing request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		.resource_id = id,
	};

	return RUN(request);
}

uint32_t gpu_guest_set_scanout(uint32_t scanout, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_set_scanout request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
		.r = { 0, 0, width, height },
		.scanout_id = scanout,
		.resource_id = id,
	};

	return RUN(request);
}

uint32_t gpu_guest_context(uint32_t type, uint32_t ctx_id)
{
	const struct virtio_gpu_ctx_create request = {
		.hdr = { .type = type, .ctx_id = ctx_id },
	};

	return RUN(request);
}

uint32_t gpu_guest_create_blob(uint32_t id, uint64_t gpa, uint32_t size)
{
	const struct {
		struct virtio_gpu_resource_create_blob request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
			     .resource_id = id,
			     .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			     .nr_entries = 1,
			     .size = size },
		.entry = { .addr = gpa, .length = size },
	};

	return RUN(message);
}

uint32_t gpu_guest_show_blob(uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_set_scanout_blob request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { 0, 0, width, height },
		.resource_id = id,
		.width = width,
		.height = height,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.strides = { width * 4 },
	};

	return RUN(request);
}

void gpu_guest_offer_transfer(unsigned slot, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_transfer_to_host_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		.r = { 0, 0, width, height },
		.resource_id = id,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
}

void gpu_guest_offer_flush(unsigned slot, uint32_t id, uint32_t flags, uint64_t fence_id)
{
	const struct virtio_gpu_resource_flush request = {
		.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
			 .flags = flags,
			 .fence_id = fence_id },
		.r = { 0, 0, 64, 64 },
		.resource_id = id,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
}
