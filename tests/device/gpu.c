// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * virtio-gpu commands (VIRTIO 1.2, 5.7.6), typed and untyped. Rules for all responses are checked
 * here, so that every test checks them: each type has its size, and the used length equals it; a
 * fenced command gets its fence (64 bits) and context back, also after an error; an unfenced one
 * gets zeros. With fences_all every typed command has its own fence, which makes any test a test of
 * fences.
 */
#include "gpu.h"

#include <stdio.h>
#include <string.h>

static uint32_t size_of_type(uint32_t type)
{
	switch (type) {
	case VIRTIO_GPU_RESP_OK_DISPLAY_INFO:
		return sizeof(struct virtio_gpu_resp_display_info);
	case VIRTIO_GPU_RESP_OK_CAPSET_INFO:
		return sizeof(struct virtio_gpu_resp_capset_info);
	case VIRTIO_GPU_RESP_OK_EDID:
		return sizeof(struct virtio_gpu_resp_edid);
	case VIRTIO_GPU_RESP_OK_RESOURCE_UUID:
		return sizeof(struct virtio_gpu_resp_resource_uuid);
	case VIRTIO_GPU_RESP_OK_CAPSET: /* any size */
		return 0;
	case VIRTIO_GPU_RESP_OK_MAP_INFO:
		return 32;
	default:
		return sizeof(struct virtio_gpu_ctrl_hdr);
	}
}

struct chain *gpu_submit(struct vmm *vmm, unsigned queue, const void *request, uint32_t size,
			 uint32_t response_size, const struct guest_buf *data, unsigned count)
{
	struct virtio_gpu_ctrl_hdr header = { 0 };
	struct ring *r = &vmm->rings[queue];
	uint16_t head = r->free_head;
	struct guest_buf bufs[8];
	uint8_t *bytes;
	unsigned n = 0;
	struct chain *c;

	if (size > SLOT_RESPONSE || response_size > SLOT_TABLE - SLOT_RESPONSE ||
	    count > ARRAY_LENGTH(bufs) - 2 || head >= r->size)
		vmm_fail("command %u bytes, response %u bytes: no room", size, response_size);
	if (size > 0)
		bufs[n++] = ring_slot(r, head, 0, size, false);
	for (unsigned i = 0; i < count; i++)
		bufs[n++] = data[i];
	if (response_size > 0)
		bufs[n++] = ring_slot(r, head, SLOT_RESPONSE, response_size, true);

	memcpy(&header, request, size < sizeof(header) ? size : sizeof(header));
	if (vmm->fences_all && size >= sizeof(header) && !(header.flags & VIRTIO_GPU_FLAG_FENCE)) {
		header.flags |= VIRTIO_GPU_FLAG_FENCE;
		header.fence_id = vmm->next_fence++;
	}
	/* Written before the chain becomes visible to the device, which may be looking. */
	bytes = memory_at(&vmm->memory, ring_slot(r, head, 0, SLOT_SIZE, false).gpa, SLOT_SIZE);
	memcpy(bytes, request, size);
	memcpy(bytes, &header, size < sizeof(header) ? size : sizeof(header));
	memset(bytes + SLOT_RESPONSE, GPU_UNTOUCHED, response_size + 8);
	c = ring_add(r, bufs, n);
	c->request = bytes;
	c->response = bytes + SLOT_RESPONSE;
	c->response_size = response_size;
	c->is_fenced = header.flags & VIRTIO_GPU_FLAG_FENCE;
	c->fence_id = header.fence_id;
	c->ctx_id = header.ctx_id;
	return c;
}

static bool is_done(struct vmm *vmm, const void *arg)
{
	const struct chain *c = arg;

	(void)vmm;
	return c->is_done;
}

bool gpu_wait_ms(struct vmm *vmm, const struct chain *c, int ms)
{
	return vmm_wait_ms(vmm, is_done, c, ms);
}

static void check_response(const struct chain *c, const struct virtio_gpu_ctrl_hdr *h,
			   uint32_t command)
{
	uint32_t due = size_of_type(h->type);

	if (c->used_len > c->response_size)
		vmm_fail("command %#x: used length %u, room for %u", command, c->used_len,
			 c->response_size);
	if (due && c->used_len != due)
		vmm_fail("command %#x: response %#x has %u bytes, due are %u", command, h->type,
			 c->used_len, due);
	if (!c->is_fenced && (h->flags || h->fence_id))
		vmm_fail("command %#x: response %#x has flags %#x and fence %#llx unasked", command,
			 h->type, h->flags, (unsigned long long)h->fence_id);
	if (c->is_fenced && (!(h->flags & VIRTIO_GPU_FLAG_FENCE) || h->fence_id != c->fence_id ||
			     h->ctx_id != c->ctx_id))
		vmm_fail("command %#x: response %#x has flags %#x, fence %#llx, context %u; due "
			 "is fence %#llx, context %u",
			 command, h->type, h->flags, (unsigned long long)h->fence_id, h->ctx_id,
			 (unsigned long long)c->fence_id, c->ctx_id);
}

uint32_t gpu_finish(struct vmm *vmm, struct chain *c, void *response, size_t size)
{
	struct virtio_gpu_ctrl_hdr h = { 0 };
	uint32_t command;

	memcpy(&command, c->request, sizeof(command));
	if (!gpu_wait_ms(vmm, c, vmm->timeout_ms)) {
		char what[64];

		snprintf(what, sizeof(what), "the response to command %#x", command);
		vmm_fail_waiting(vmm, what);
	}
	if (c->response_size >= sizeof(h)) {
		memcpy(&h, c->response, sizeof(h));
		check_response(c, &h, command);
	}
	if (response)
		memcpy(response, c->response, size < c->response_size ? size : c->response_size);
	for (unsigned i = 0; i < 2; i++) {
		struct ring *r = &vmm->rings[i];

		if (c >= r->chains && c < r->chains + RING_MAX)
			ring_release(r, c);
	}
	return h.type;
}

uint32_t gpu_call(struct vmm *vmm, unsigned queue, const void *request, uint32_t size,
		  void *response, uint32_t response_size)
{
	struct chain *c = gpu_submit(vmm, queue, request, size, response_size, NULL, 0);

	ring_kick(&vmm->rings[queue]);
	return gpu_finish(vmm, c, response, response_size);
}

static uint32_t call(struct vmm *vmm, const void *request, uint32_t size)
{
	struct virtio_gpu_ctrl_hdr h;

	return gpu_call(vmm, CONTROL, request, size, &h, sizeof(h));
}

uint32_t gpu_display_info(struct vmm *vmm, struct virtio_gpu_resp_display_info *ret)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };

	return gpu_call(vmm, CONTROL, &h, sizeof(h), ret, sizeof(*ret));
}

uint32_t gpu_edid(struct vmm *vmm, uint32_t scanout, struct virtio_gpu_resp_edid *ret)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID,
					     .scanout = scanout };

	return gpu_call(vmm, CONTROL, &c, sizeof(c), ret, sizeof(*ret));
}

uint32_t gpu_create_2d(struct vmm *vmm, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	struct virtio_gpu_resource_create_2d c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D }, id, format, w, h
	};

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_unref(struct vmm *vmm, uint32_t id)
{
	struct virtio_gpu_resource_unref c = { { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF }, id, 0 };

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_attach_raw(struct vmm *vmm, uint32_t id, const void *entries, uint32_t count,
			uint32_t bytes)
{
	struct virtio_gpu_resource_attach_backing c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, id, count
	};
	struct guest_buf data = { 0, bytes, false };
	struct chain *chain;

	if (bytes > 0) {
		data.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, bytes, 16);
		memcpy(memory_at(&vmm->memory, data.gpa, bytes), entries, bytes);
	}
	chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), &data, bytes > 0);
	ring_kick(&vmm->rings[CONTROL]);
	return gpu_finish(vmm, chain, NULL, 0);
}

uint32_t gpu_attach(struct vmm *vmm, uint32_t id, const struct virtio_gpu_mem_entry *entries,
		    uint32_t count)
{
	return gpu_attach_raw(vmm, id, entries, count, count * (uint32_t)sizeof(*entries));
}

uint32_t gpu_detach(struct vmm *vmm, uint32_t id)
{
	struct virtio_gpu_resource_detach_backing c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING }, id, 0
	};

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_transfer_2d(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r, uint64_t offset)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, r, offset, id, 0
	};

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_set_scanout(struct vmm *vmm, uint32_t scanout, uint32_t id, struct virtio_gpu_rect r)
{
	struct virtio_gpu_set_scanout c = {
		{ .type = VIRTIO_GPU_CMD_SET_SCANOUT }, r, scanout, id
	};

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_flush(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, r, id, 0
	};

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_assign_uuid(struct vmm *vmm, uint32_t id, uint8_t uuid[16])
{
	struct virtio_gpu_resource_assign_uuid c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID }, id, 0
	};
	struct virtio_gpu_resp_resource_uuid r;
	uint32_t type = gpu_call(vmm, CONTROL, &c, sizeof(c), &r, sizeof(r));

	memcpy(uuid, r.uuid, sizeof(r.uuid));
	return type;
}

static uint32_t cursor(struct vmm *vmm, uint32_t type, struct virtio_gpu_cursor_pos pos,
		       uint32_t id, uint32_t hot_x, uint32_t hot_y)
{
	struct virtio_gpu_update_cursor c = { { .type = type }, pos, id, hot_x, hot_y, 0 };
	struct virtio_gpu_ctrl_hdr h;

	return gpu_call(vmm, CURSOR, &c, sizeof(c), &h, sizeof(h));
}

uint32_t gpu_update_cursor(struct vmm *vmm, uint32_t scanout, uint32_t x, uint32_t y, uint32_t id,
			   uint32_t hot_x, uint32_t hot_y)
{
	struct virtio_gpu_cursor_pos pos = { scanout, x, y, 0 };

	return cursor(vmm, VIRTIO_GPU_CMD_UPDATE_CURSOR, pos, id, hot_x, hot_y);
}

uint32_t gpu_move_cursor(struct vmm *vmm, uint32_t scanout, uint32_t x, uint32_t y, uint32_t id)
{
	struct virtio_gpu_cursor_pos pos = { scanout, x, y, 0 };

	return cursor(vmm, VIRTIO_GPU_CMD_MOVE_CURSOR, pos, id, 0, 0);
}
