// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * 3D and blob commands (VIRTIO 1.2, 5.7.6.8 and 5.7.6.9). Streams use virgl's protocol: a word with
 * opcode, object type and length, then that many words. Only clears and copies are here, because
 * they need no shaders and give exact colours on any driver. A test numbers its own objects, as the
 * guest's Mesa does. Whether OpenGL works on this host is asked of the daemon: it must listen, or
 * exit with status 1 and a sentence. Anything else is a failure, not a reason to skip.
 */
#include "gpu3d.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_REFUSED 1

#define OP_CREATE_OBJECT         1
#define OP_SET_FRAMEBUFFER_STATE 5
#define OP_CLEAR                 7
#define OP_COPY_REGION           17
#define OBJECT_SURFACE           8
#define CLEAR_COLOR0             (1u << 2)
#define PAINT_OBJECTS            100

const char *const gpu3d_args[] = { "--gpu-mode", "virglrenderer", NULL };

bool gpu3d_works(void)
{
	return gpu3d_works_with(NULL);
}

bool gpu3d_works_with(const char *capset)
{
	struct daemon d = { .pidfd = -1, .out_fd = -1, .err_fd = -1 };
	const char *args[] = { "--socket-path", d.socket_path, gpu3d_args[0], gpu3d_args[1],
			       "--capset",      capset,        NULL };
	int64_t deadline = vmm_now_ms() + vmm_default_timeout_ms();
	bool works = false;
	int status = -1;

	if (!capset)
		args[4] = NULL;
	daemon_make_dir(&d);
	daemon_start(&d, args, -1);
	while (!works && status < 0 && vmm_now_ms() < deadline) {
		status = daemon_wait(&d, 5);
		works = status < 0 && access(d.socket_path, F_OK) == 0;
	}
	if (works && daemon_stop(&d, SIGTERM) != 0)
		vmm_fail("the daemon did not end well");
	if (!works) {
		char *text = daemon_text(d.err_fd);

		if (status != STATUS_REFUSED)
			vmm_fail("instead of a refusal, status %d: %s", status, text);
		printf("skipped: %s", text);
		free(text);
	}
	daemon_finish(&d);
	return works;
}

static uint32_t call(struct vmm *vmm, const void *request, uint32_t size)
{
	struct virtio_gpu_ctrl_hdr h;

	return gpu_call(vmm, CONTROL, request, size, &h, sizeof(h));
}

/* ---- capability sets ---- */

uint32_t gpu_capset_info(struct vmm *vmm, uint32_t index, struct virtio_gpu_resp_capset_info *ret)
{
	struct virtio_gpu_get_capset_info c = { { .type = VIRTIO_GPU_CMD_GET_CAPSET_INFO },
						index,
						0 };

	return gpu_call(vmm, CONTROL, &c, sizeof(c), ret, sizeof(*ret));
}

uint32_t gpu_capset(struct vmm *vmm, uint32_t id, uint32_t version, struct capset *ret)
{
	struct virtio_gpu_get_capset c = { { .type = VIRTIO_GPU_CMD_GET_CAPSET }, id, version };
	struct {
		struct virtio_gpu_ctrl_hdr hdr;
		uint8_t data[CAPSET_ROOM];
	} r;
	struct chain *chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(r), NULL, 0);

	ring_kick(&vmm->rings[CONTROL]);
	uint32_t type = gpu_finish(vmm, chain, &r, sizeof(r));
	ret->size = chain->used_len - (uint32_t)sizeof(r.hdr);
	memcpy(ret->data, r.data, sizeof(ret->data));
	return type;
}

/* ---- contexts ---- */

uint32_t gpu_ctx_create_named(struct vmm *vmm, uint32_t ctx, uint32_t nlen, uint32_t context_init)
{
	struct virtio_gpu_ctx_create c = {
		{ .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = ctx }, nlen, context_init, { 0 }
	};

	memset(c.debug_name, 'n', sizeof(c.debug_name)); /* no zero at its end */
	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_ctx_create(struct vmm *vmm, uint32_t ctx, uint32_t context_init)
{
	return gpu_ctx_create_named(vmm, ctx, 4, context_init);
}

uint32_t gpu_ctx_destroy(struct vmm *vmm, uint32_t ctx)
{
	struct virtio_gpu_ctx_destroy c = { { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = ctx } };

	return call(vmm, &c, sizeof(c));
}

static uint32_t ctx_resource(struct vmm *vmm, uint32_t type, uint32_t ctx, uint32_t id)
{
	struct virtio_gpu_ctx_resource c = { { .type = type, .ctx_id = ctx }, id, 0 };

	return call(vmm, &c, sizeof(c));
}

uint32_t gpu_ctx_attach(struct vmm *vmm, uint32_t ctx, uint32_t id)
{
	return ctx_resource(vmm, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, ctx, id);
}

uint32_t gpu_ctx_detach(struct vmm *vmm, uint32_t ctx, uint32_t id)
{
	return ctx_resource(vmm, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, ctx, id);
}

/* ---- resources ---- */

uint32_t gpu_create_3d(struct vmm *vmm, create_3d_t args)
{
	args.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D;
	return call(vmm, &args, sizeof(args));
}

create_3d_t gpu_texture(uint32_t id, uint32_t w, uint32_t h)
{
	return (create_3d_t){
		.resource_id = id,
		.target = TARGET_TEXTURE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.bind = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW,
		.width = w,
		.height = h,
		.depth = 1,
		.array_size = 1,
	};
}

struct image image_due(struct vmm *vmm, uint32_t w, uint32_t h)
{
	struct image i = { 0, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, w, h, 0, NULL };

	i.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, (uint64_t)w * h * 4, 4096);
	i.bytes = memory_at(&vmm->memory, i.gpa, (uint64_t)w * h * 4);
	return i;
}

struct image image_new_3d(struct vmm *vmm, create_3d_t args)
{
	struct image i = image_due(vmm, args.width, args.height);
	struct virtio_gpu_mem_entry entry = { i.gpa, i.width * i.height * 4, 0 };
	uint32_t type = gpu_create_3d(vmm, args);

	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("RESOURCE_CREATE_3D of %ux%u: %#x", i.width, i.height, type);
	type = gpu_attach(vmm, args.resource_id, &entry, 1);
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("RESOURCE_ATTACH_BACKING to %u: %#x", args.resource_id, type);
	i.id = args.resource_id;
	i.format = args.format;
	return i;
}

void image_paint(struct image *i, struct virtio_gpu_rect r, uint32_t rgb)
{
	uint32_t pixel = 0xff000000 | rgb;

	for (uint32_t y = r.y; y < r.y + r.height; y++)
		for (uint32_t x = r.x; x < r.x + r.width; x++)
			memcpy(i->bytes + ((size_t)y * i->width + x) * 4, &pixel, 4);
}

uint32_t gpu_to_host_3d(struct vmm *vmm, transfer_3d_t args)
{
	args.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D;
	return call(vmm, &args, sizeof(args));
}

uint32_t gpu_from_host_3d(struct vmm *vmm, transfer_3d_t args)
{
	args.hdr.type = VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D;
	return call(vmm, &args, sizeof(args));
}

transfer_3d_t gpu_whole(const struct image *i)
{
	return (transfer_3d_t){ .box = { 0, 0, 0, i->width, i->height, 1 }, .resource_id = i->id };
}

void image_check_host(struct vmm *vmm, const struct image *i, const struct image *due)
{
	size_t size = (size_t)i->width * i->height * 4;
	uint32_t type;

	memset(i->bytes, 0x5a, size);
	type = gpu_from_host_3d(vmm, gpu_whole(i));
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("TRANSFER_FROM_HOST_3D of %u: %#x", i->id, type);
	for (size_t k = 0; k < size; k += 4) {
		size_t pixel = k / 4;

		if (memcmp(i->bytes + k, due->bytes + k, 4) == 0)
			continue;
		vmm_fail("resource %u: pixel %zu,%zu is %02x%02x%02x%02x, due is %02x%02x%02x%02x",
			 i->id, pixel % i->width, pixel / i->width, i->bytes[k + 3],
			 i->bytes[k + 2], i->bytes[k + 1], i->bytes[k], due->bytes[k + 3],
			 due->bytes[k + 2], due->bytes[k + 1], due->bytes[k]);
	}
}

/* ---- commands with data after the request ---- */

/* Sends @request followed by a copy of @size bytes; queued, without a kick. */
static struct chain *submit_with(struct vmm *vmm, const void *request, uint32_t request_size,
				 const void *more, uint32_t size)
{
	struct guest_buf data = { 0, size, false };

	if (size > 0) {
		data.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, size, 16);
		memcpy(memory_at(&vmm->memory, data.gpa, size), more, size);
	}
	return gpu_submit(vmm, CONTROL, request, request_size, sizeof(struct virtio_gpu_ctrl_hdr),
			  &data, size > 0);
}

static uint32_t call_with(struct vmm *vmm, const void *request, uint32_t request_size,
			  const void *more, uint32_t size)
{
	struct chain *c = submit_with(vmm, request, request_size, more, size);

	ring_kick(&vmm->rings[CONTROL]);
	return gpu_finish(vmm, c, NULL, 0);
}

uint32_t gpu_create_blob(struct vmm *vmm, create_blob_t args, const void *entries, uint32_t bytes)
{
	args.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB;
	return call_with(vmm, &args, sizeof(args), entries, bytes);
}

uint32_t gpu_create_host_blob(struct vmm *vmm, uint32_t ctx, uint32_t id, uint64_t size)
{
	const create_blob_t args = { .hdr.ctx_id = ctx,
				     .resource_id = id,
				     .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
				     .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
				     .blob_id = vmm_is_gfxstream() ? 0 : id,
				     .size = size };

	return gpu_create_blob(vmm, args, NULL, 0);
}

struct chain *gpu_submit_map(struct vmm *vmm, uint32_t id, uint64_t offset)
{
	const struct virtio_gpu_resource_map_blob c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
		.resource_id = id,
		.offset = offset,
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(struct virtio_gpu_resp_map_info),
			  NULL, 0);
}

struct chain *gpu_submit_unmap(struct vmm *vmm, uint32_t id)
{
	const struct virtio_gpu_resource_unmap_blob c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
		.resource_id = id,
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(struct virtio_gpu_ctrl_hdr), NULL, 0);
}

uint32_t gpu_map_blob(struct vmm *vmm, uint32_t id, uint64_t offset)
{
	struct chain *c = gpu_submit_map(vmm, id, offset);
	struct virtio_gpu_resp_map_info info = { 0 };

	ring_kick(&vmm->rings[CONTROL]);
	uint32_t type = gpu_finish(vmm, c, &info, sizeof(info));

	if (type == VIRTIO_GPU_RESP_OK_MAP_INFO && info.map_info != VIRTIO_GPU_MAP_CACHE_CACHED)
		vmm_fail("map_info is %#x", info.map_info);
	return type;
}

uint32_t gpu_unmap_blob(struct vmm *vmm, uint32_t id)
{
	struct chain *c = gpu_submit_unmap(vmm, id);
	struct virtio_gpu_ctrl_hdr h;

	ring_kick(&vmm->rings[CONTROL]);
	return gpu_finish(vmm, c, &h, sizeof(h));
}

uint32_t gpu_set_scanout_blob(struct vmm *vmm, set_scanout_blob_t args)
{
	args.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB;
	return call(vmm, &args, sizeof(args));
}

uint8_t *blob_new(struct vmm *vmm, uint32_t id, uint32_t size, uint64_t *ret_gpa)
{
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, size, 4096),
					      size, 0 };
	create_blob_t args = { .resource_id = id,
			       .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			       .nr_entries = 1,
			       .size = size };
	uint32_t type = gpu_create_blob(vmm, args, &entry, sizeof(entry));

	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("RESOURCE_CREATE_BLOB of %u bytes: %#x", size, type);
	if (ret_gpa)
		*ret_gpa = entry.addr;
	return memory_at(&vmm->memory, entry.addr, size);
}

/* ---- streams ---- */

static void add(struct stream *s, uint32_t op, uint32_t object, const uint32_t *words,
		uint32_t count)
{
	if (count + 1 > ARRAY_LENGTH(s->words) - s->count)
		vmm_fail("the stream is full");
	s->words[s->count++] = count << 16 | object << 8 | op;
	memcpy(&s->words[s->count], words, count * sizeof(*words));
	s->count += count;
}

#define ADD(s, op, object, ...)                                                                    \
	add(s, op, object, (const uint32_t[]){ __VA_ARGS__ },                                      \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static uint32_t channel(uint32_t rgb, unsigned shift)
{
	float f = (float)(rgb >> shift & 0xff) / 255.0f;
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

void stream_surface(struct stream *s, uint32_t object, uint32_t id)
{
	ADD(s, OP_CREATE_OBJECT, OBJECT_SURFACE, object, id, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0,
	    0);
}

void stream_framebuffer(struct stream *s, uint32_t surface)
{
	ADD(s, OP_SET_FRAMEBUFFER_STATE, 0, 1, 0, surface);
}

void stream_clear(struct stream *s, uint32_t rgb)
{
	ADD(s, OP_CLEAR, 0, CLEAR_COLOR0, channel(rgb, 16), channel(rgb, 8), channel(rgb, 0),
	    channel(0xff, 0), 0, 0, 0);
}

void stream_copy(struct stream *s, uint32_t to, uint32_t x, uint32_t y, uint32_t from,
		 struct virtio_gpu_rect r)
{
	ADD(s, OP_COPY_REGION, 0, to, 0, x, y, 0, from, 0, r.x, r.y, 0, r.width, r.height, 1);
}

void stream_garbage(struct stream *s)
{
	ADD(s, 0xee, 0, 0, 1, 2);
	ADD(s, OP_CLEAR, 0, CLEAR_COLOR0);
}

uint32_t gpu_stream_raw(struct vmm *vmm, uint32_t ctx, const void *words, uint32_t said,
			uint32_t bytes)
{
	struct virtio_gpu_cmd_submit c = { { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = ctx },
					   said,
					   0 };

	return call_with(vmm, &c, sizeof(c), words, bytes);
}

uint32_t gpu_stream(struct vmm *vmm, uint32_t ctx, const struct stream *s)
{
	uint32_t size = s->count * (uint32_t)sizeof(s->words[0]);

	return gpu_stream_raw(vmm, ctx, s->words, size, size);
}

struct chain *gpu_stream_later(struct vmm *vmm, struct virtio_gpu_ctrl_hdr header,
			       const struct stream *s)
{
	uint32_t size = s->count * (uint32_t)sizeof(s->words[0]);
	struct virtio_gpu_cmd_submit c = { header, size, 0 };

	c.hdr.type = VIRTIO_GPU_CMD_SUBMIT_3D;
	return submit_with(vmm, &c, sizeof(c), s->words, size);
}

uint32_t gpu_paint(struct vmm *vmm, uint32_t ctx, uint32_t id, uint32_t rgb)
{
	static uint32_t object = PAINT_OBJECTS;
	struct stream s = { .count = 0 };

	stream_surface(&s, ++object, id);
	stream_framebuffer(&s, object);
	stream_clear(&s, rgb);
	return gpu_stream(vmm, ctx, &s);
}
