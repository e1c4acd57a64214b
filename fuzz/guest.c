// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A table builds commands: for each type the size of its request and the function that fills it in,
 * with numbers that mostly make sense, so that commands refer to each other. A chain has two
 * descriptors, unless the input wants it otherwise: cut at an odd place, in an indirect table, with
 * too little room for the response, or none. A slot of descriptors is reused when the guest comes
 * round, even if the device is not done with it: the device must handle a held command whose chain
 * has become another one.
 */
#include "guest.h"

#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "fuzz.h"
#include "harness.h"
#include "vhost/ring_layout.h"
#include "vhost/session.h"
#include "vhost/vring.h"

/* Descriptors of one command. */
#define SLOT 4

struct draft {
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_unref unref;
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_resource_flush flush;
		struct virtio_gpu_transfer_to_host_2d transfer_2d;
		struct virtio_gpu_resource_attach_backing attach_backing;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_update_cursor cursor;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_resource_map_blob map_blob;
		struct virtio_gpu_get_capset_info get_capset_info;
		struct virtio_gpu_get_capset get_capset;
		struct virtio_gpu_ctx_create ctx_create;
		struct virtio_gpu_ctx_resource ctx_resource;
		struct virtio_gpu_resource_create_3d create_3d;
		struct virtio_gpu_transfer_host_3d transfer_3d;
		struct virtio_gpu_cmd_submit submit;
		uint8_t bytes[HARNESS_REQUEST_MAX];
	};
	uint32_t size;
};

static uint32_t take_id(struct input *in)
{
	uint8_t first = input_u8(in);

	return first < 0xf8 ? first & 7 : input_number(in);
}

static struct virtio_gpu_rect take_rect(struct input *in)
{
	struct virtio_gpu_rect r;

	r.x = input_number(in);
	r.y = input_number(in);
	r.width = input_number(in);
	r.height = input_number(in);
	return r;
}

/* A square of up to 61 x 61 pixels near the origin, from one byte; or any rectangle. */
static struct virtio_gpu_rect take_small_rect(struct input *in)
{
	uint8_t shape = input_u8(in);

	if (shape & 0x80)
		return take_rect(in);
	return (struct virtio_gpu_rect){
		.x = shape >> 4 & 3,
		.y = shape >> 4 & 3,
		.width = 1 + (shape & 15) * 4u,
		.height = 1 + (shape & 15) * 4u,
	};
}

static uint32_t take_size(struct input *in)
{
	uint8_t shape = input_u8(in);

	return shape < 0x80 ? 1u + (shape & 63u) : input_number(in);
}

static uint32_t take_format(struct input *in)
{
	static const uint32_t formats[8] = { 1, 2, 3, 4, 67, 68, 121, 134 };
	uint8_t shape = input_u8(in);

	return shape < 0xf0 ? formats[shape & 7] : input_number(in);
}

/* Backing entries after the request; returns how many, or any number. */
static uint32_t put_entries(struct draft *draft, struct input *in)
{
	static const uint64_t bases[4] = { HARNESS_DATA_AT, 0x10000, 0xff00, HARNESS_HIGH };
	uint8_t shape = input_u8(in);
	uint32_t n = 1 + (shape & 3);

	for (uint32_t i = 0; i < n; i++) {
		uint8_t what = input_u8(in);
		struct virtio_gpu_mem_entry entry = {
			.addr = bases[what & 3] + (what >> 2 & 7) * 0x100u,
			.length = what & 0x20 ? 0x4000u : 0x400u,
		};

		if (what & 0x40)
			entry.length = input_number(in);
		if (what & 0x80)
			entry.addr = input_number64(in);
		memcpy(draft->bytes + draft->size, &entry, sizeof(entry));
		draft->size += sizeof(entry);
	}
	return shape & 0x80 ? input_number(in) : n;
}

static void fill_header(struct draft *draft, struct input *in)
{
	(void)draft, (void)in;
}

static void fill_create_2d(struct draft *draft, struct input *in)
{
	draft->create_2d.resource_id = take_id(in);
	draft->create_2d.format = take_format(in);
	draft->create_2d.width = take_size(in);
	draft->create_2d.height = take_size(in);
}

/* Commands that begin with a resource's id and need no more. */
static void fill_id(struct draft *draft, struct input *in)
{
	draft->unref.resource_id = take_id(in);
}

static void fill_set_scanout(struct draft *draft, struct input *in)
{
	draft->set_scanout.resource_id = take_id(in);
	draft->set_scanout.scanout_id = take_id(in);
	draft->set_scanout.r = take_small_rect(in);
}

static void fill_flush(struct draft *draft, struct input *in)
{
	draft->flush.resource_id = take_id(in);
	draft->flush.r = take_small_rect(in);
}

static void fill_transfer_2d(struct draft *draft, struct input *in)
{
	draft->transfer_2d.resource_id = take_id(in);
	draft->transfer_2d.r = take_small_rect(in);
	draft->transfer_2d.offset = input_number64(in);
}

static void fill_attach(struct draft *draft, struct input *in)
{
	draft->attach_backing.resource_id = take_id(in);
	draft->attach_backing.nr_entries = put_entries(draft, in);
}

static void fill_get_edid(struct draft *draft, struct input *in)
{
	draft->get_edid.scanout = take_id(in);
}

static void fill_cursor(struct draft *draft, struct input *in)
{
	draft->cursor.resource_id = take_id(in);
	draft->cursor.pos.scanout_id = take_id(in);
	draft->cursor.pos.x = input_number(in);
	draft->cursor.pos.y = input_number(in);
	draft->cursor.hot_x = input_number(in);
	draft->cursor.hot_y = draft->cursor.hot_x;
}

static void fill_create_blob(struct draft *draft, struct input *in)
{
	uint8_t shape;

	draft->create_blob.resource_id = take_id(in);
	shape = input_u8(in);
	draft->create_blob.blob_mem = shape & 0x80 ? shape & 7 : VIRTIO_GPU_BLOB_MEM_GUEST;
	draft->create_blob.blob_flags = shape >> 3 & 15;
	draft->create_blob.size = input_number64(in);
	if (shape & 1)
		draft->create_blob.size *= 0x100;
	draft->create_blob.nr_entries = put_entries(draft, in);
}

static void fill_set_scanout_blob(struct draft *draft, struct input *in)
{
	struct virtio_gpu_set_scanout_blob *request = &draft->set_scanout_blob;

	request->resource_id = take_id(in);
	request->scanout_id = take_id(in);
	request->r = take_small_rect(in);
	request->format = take_format(in);
	request->width = take_size(in);
	request->height = take_size(in);
	request->strides[0] = input_number(in) * 4;
	request->offsets[0] = input_number(in);
}

static void fill_capset_info(struct draft *draft, struct input *in)
{
	draft->get_capset_info.capset_index = input_number(in);
}

static void fill_capset(struct draft *draft, struct input *in)
{
	draft->get_capset.capset_id = input_number(in);
	draft->get_capset.capset_version = input_number(in);
}

static void fill_ctx_create(struct draft *draft, struct input *in)
{
	draft->ctx_create.nlen = input_number(in);
	draft->ctx_create.context_init = input_number(in);
}

static void fill_ctx_resource(struct draft *draft, struct input *in)
{
	draft->ctx_resource.resource_id = take_id(in);
}

static void fill_create_3d(struct draft *draft, struct input *in)
{
	struct virtio_gpu_resource_create_3d *request = &draft->create_3d;

	request->resource_id = take_id(in);
	request->target = input_u8(in) & 15;
	request->format = take_format(in);
	request->width = take_size(in);
	request->height = take_size(in);
	request->depth = request->array_size = 1;
	uint8_t shape = input_u8(in);
	if (shape & 1)
		request->depth = input_number(in);
	if (shape & 2)
		request->array_size = input_number(in);
	if (shape & 4)
		request->last_level = input_number(in);
	if (shape & 8)
		request->nr_samples = input_number(in);
	if (shape & 0x10)
		request->bind = input_number(in);
	if (shape & 0x20)
		request->flags = input_number(in);
}

static void fill_transfer_3d(struct draft *draft, struct input *in)
{
	struct virtio_gpu_transfer_host_3d *request = &draft->transfer_3d;
	uint8_t shape;

	request->resource_id = take_id(in);
	request->box.w = take_size(in);
	request->box.h = take_size(in);
	request->box.d = 1;
	shape = input_u8(in);
	if (shape & 1)
		request->box.x = input_number(in);
	if (shape & 2)
		request->box.y = input_number(in);
	if (shape & 4)
		request->box.z = input_number(in);
	if (shape & 8)
		request->box.d = input_number(in);
	if (shape & 16)
		request->level = input_number(in);
	if (shape & 32)
		request->offset = input_number64(in);
	if (shape & 64)
		request->stride = request->layer_stride = input_number(in);
}

static void fill_submit(struct draft *draft, struct input *in)
{
	uint8_t shape = input_u8(in);
	uint32_t words = shape & 31;

	draft->submit.size = shape & 0x80 ? input_number(in) : words * 4;
	draft->size += words * 4;
}

/* Words of a virgl command stream: opcode, object and length, then that many words. */
static const struct stream_command {
	uint8_t op, object, n_words;
	uint32_t first; /* a plausible value for the first word after the header */
} stream_commands[8] = {
	{ 1, 8, 5, 1 },   /* CREATE_OBJECT: a surface */
	{ 5, 0, 3, 1 },   /* SET_FRAMEBUFFER_STATE: of one buffer */
	{ 7, 0, 8, 4 },   /* CLEAR: that buffer */
	{ 3, 8, 1, 1 },   /* DESTROY_OBJECT */
	{ 17, 0, 13, 1 }, /* RESOURCE_COPY_REGION */
	{ 9, 0, 11, 1 },  /* RESOURCE_INLINE_WRITE */
	{ 28, 0, 1, 1 },  /* SET_SUB_CTX */
	{ 29, 0, 1, 1 },  /* CREATE_SUB_CTX */
};

static void fill_stream(struct draft *draft, struct input *in)
{
	uint8_t shape = input_u8(in);
	uint32_t words[1 + 13];

	for (unsigned i = 0; i < 1 + (shape & 3u); i++) {
		const struct stream_command *command = &stream_commands[input_below(in, 8)];
		uint32_t n = command->n_words;

		words[0] = (uint32_t)n << 16 | (uint32_t)command->object << 8 | command->op;
		words[1] = command->first;
		for (uint32_t k = 2; k <= n; k++)
			words[k] = input_number(in);
		if (shape & 0x40)
			words[0] = input_u32(in);
		memcpy(draft->bytes + draft->size, words, (1 + n) * sizeof(words[0]));
		draft->size += (1 + n) * (uint32_t)sizeof(words[0]);
	}
	draft->submit.size = draft->size - (uint32_t)sizeof(draft->submit);
}

/* The offset of a page in the window, or any number. */
static void fill_map_blob(struct draft *draft, struct input *in)
{
	uint8_t page;

	draft->map_blob.resource_id = take_id(in);
	page = input_u8(in);
	draft->map_blob.offset = page < 0xc0 ? (page & 63) * 0x1000u : input_number64(in);
}

/* A host blob that can be mapped in the window. */
static void fill_create_host_blob(struct draft *draft, struct input *in)
{
	uint8_t shape;

	draft->create_blob.resource_id = take_id(in);
	shape = input_u8(in);
	draft->create_blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D;
	draft->create_blob.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE;
	draft->create_blob.size = 1 + (shape & 7) * 0x1000u;
	if (shape & 0x80)
		draft->create_blob.size = input_number64(in);
	if (shape & 0x40) {
		draft->create_blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
		draft->create_blob.nr_entries = put_entries(draft, in);
	}
}

/* A stream, or a part of one, as it was recorded. */
static void fill_words(struct draft *draft, struct input *in)
{
	uint32_t room =
		HARNESS_REQUEST_MAX - SLOT * (uint32_t)sizeof(struct vring_desc) - draft->size;
	uint32_t words = input_number(in);

	draft->submit.size = MIN(words, room / 4) * 4;
	input_copy(in, draft->bytes + draft->size, draft->submit.size);
	draft->size += draft->submit.size;
}

/* One of gfxstream's commands: its first word, and how many there are. */
static const struct gfxstream_command {
	uint16_t op;
	uint8_t n_words;
} gfxstream_commands[8] = {
	{ 0x1001, 2 },                 /* begin a ring */
	{ 0x1002, 2 },                 /* ping */
	{ 0xa003, 14 },                /* announce an image */
	{ 0xa003, 14 }, { 0x9000, 3 }, /* 0x9000, 0xa000, 0xa004: fences */
	{ 0xa000, 5 },  { 0xa004, 4 }, { 0xf002, 1 },
};

static void fill_gfxstream(struct draft *draft, struct input *in)
{
	const struct gfxstream_command *command = &gfxstream_commands[input_below(in, 8)];
	uint32_t words[14] = { command->op };
	uint8_t shape = input_u8(in);

	if (command->op == 0xa003) { /* a render target, for a later blob */
		const uint32_t image[12] = { 2, take_format(in), 2, take_size(in), take_size(in), 1,
					     1 };

		memcpy(words + 1, image, sizeof(image));
		words[12] = 1 + input_below(in, 4);
	} else {
		words[1] = take_id(in);
	}
	if (shape & 0x80)
		words[shape & 0x40 ? 0 : 1 + input_below(in, 13)] = input_number(in);
	draft->submit.size = (command->n_words - (shape & 1u)) * 4u;
	memcpy(draft->bytes + draft->size, words, draft->submit.size);
	draft->size += draft->submit.size;
}

/* A ring, or an image that was announced. */
static void fill_gfxstream_blob(struct draft *draft, struct input *in)
{
	static const uint64_t sizes[8] = { 0x103000, 0x103000,  0x103001, 0x102fff,
					   0x1000,   0x1001000, 0x10000,  64 * 64 * 4 };
	uint8_t shape;

	draft->create_blob.resource_id = take_id(in);
	shape = input_u8(in);
	draft->create_blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D;
	draft->create_blob.blob_flags = shape >> 3 & 7;
	draft->create_blob.size = sizes[shape & 7];
	if (shape & 0x40)
		draft->create_blob.blob_id = 1 + input_below(in, 4);
	if (shape & 0x80)
		draft->create_blob.size = input_number64(in);
}

/* Any bytes, of any type. */
static void fill_raw(struct draft *draft, struct input *in)
{
	draft->hdr.type = 0x100u * (1 + input_below(in, 3)) + input_below(in, 16);
	draft->size = input_u8(in);
	if (draft->size > sizeof(draft->hdr))
		input_copy(in, draft->bytes + sizeof(draft->hdr), draft->size - sizeof(draft->hdr));
}

static const struct kind {
	uint32_t type, size;
	void (*fill)(struct draft *draft, struct input *in);
} kinds[32] = {
#define KIND(name, request, fill)                                                                  \
	{                                                                                          \
		VIRTIO_GPU_CMD_##name, sizeof(struct request), fill                                \
	}
	KIND(RESOURCE_CREATE_2D, virtio_gpu_resource_create_2d, fill_create_2d),
	KIND(RESOURCE_UNREF, virtio_gpu_resource_unref, fill_id),
	KIND(SET_SCANOUT, virtio_gpu_set_scanout, fill_set_scanout),
	KIND(RESOURCE_FLUSH, virtio_gpu_resource_flush, fill_flush),
	KIND(TRANSFER_TO_HOST_2D, virtio_gpu_transfer_to_host_2d, fill_transfer_2d),
	KIND(RESOURCE_ATTACH_BACKING, virtio_gpu_resource_attach_backing, fill_attach),
	KIND(RESOURCE_DETACH_BACKING, virtio_gpu_resource_detach_backing, fill_id),
	KIND(GET_DISPLAY_INFO, virtio_gpu_ctrl_hdr, fill_header),
	KIND(GET_EDID, virtio_gpu_cmd_get_edid, fill_get_edid),
	KIND(RESOURCE_ASSIGN_UUID, virtio_gpu_resource_assign_uuid, fill_id),
	KIND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob, fill_create_blob),
	KIND(SET_SCANOUT_BLOB, virtio_gpu_set_scanout_blob, fill_set_scanout_blob),
	KIND(GET_CAPSET_INFO, virtio_gpu_get_capset_info, fill_capset_info),
	KIND(GET_CAPSET, virtio_gpu_get_capset, fill_capset),
	KIND(CTX_CREATE, virtio_gpu_ctx_create, fill_ctx_create),
	KIND(CTX_DESTROY, virtio_gpu_ctrl_hdr, fill_header),
	KIND(CTX_ATTACH_RESOURCE, virtio_gpu_ctx_resource, fill_ctx_resource),
	KIND(CTX_DETACH_RESOURCE, virtio_gpu_ctx_resource, fill_ctx_resource),
	KIND(RESOURCE_CREATE_3D, virtio_gpu_resource_create_3d, fill_create_3d),
	KIND(TRANSFER_TO_HOST_3D, virtio_gpu_transfer_host_3d, fill_transfer_3d),
	KIND(TRANSFER_FROM_HOST_3D, virtio_gpu_transfer_host_3d, fill_transfer_3d),
	KIND(SUBMIT_3D, virtio_gpu_cmd_submit, fill_submit),
	KIND(UPDATE_CURSOR, virtio_gpu_update_cursor, fill_cursor),
	KIND(MOVE_CURSOR, virtio_gpu_update_cursor, fill_cursor),
	KIND(SUBMIT_3D, virtio_gpu_cmd_submit, fill_raw),
	KIND(SUBMIT_3D, virtio_gpu_cmd_submit, fill_stream),
	KIND(SUBMIT_3D, virtio_gpu_cmd_submit, fill_words),
	KIND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob, fill_create_host_blob),
	KIND(RESOURCE_MAP_BLOB, virtio_gpu_resource_map_blob, fill_map_blob),
	KIND(RESOURCE_UNMAP_BLOB, virtio_gpu_resource_unmap_blob, fill_id),
	KIND(SUBMIT_3D, virtio_gpu_cmd_submit, fill_gfxstream),
	KIND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob, fill_gfxstream_blob),
#undef KIND
};

/* The chain that the input asks for. */
enum {
	SHAPE_KICK = 1,
	SHAPE_FENCE = 2,
	SHAPE_RING = 4, /* the fence is of a ring; its number follows */
	SHAPE_INDIRECT = 8,
	SHAPE_CUT = 0x10,        /* the request is in two pieces; the place of the cut follows */
	SHAPE_REPLY = 0x20,      /* another size of response follows */
	SHAPE_CONTEXT = 0x40,    /* which context follows */
	SHAPE_OTHER_QUEUE = 0x80 /* on the queue to which it does not belong */
};

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Writes the descriptors of the chain, and publishes it. */
static void put_chain(struct harness *harness, unsigned queue, const struct draft *draft,
		      uint8_t shape, uint32_t cut, uint32_t reply_size)
{
	uint8_t *ring = harness->memory + queue * HARNESS_QUEUE_SIZE;
	uint16_t size = harness_ring_size(queue);
	uint16_t index = get16(ring + HARNESS_AVAIL_AT + 2);
	uint16_t head = (uint16_t)(index * SLOT) % size;
	uint32_t slot = queue * 64u / SLOT + head / SLOT;
	uint32_t request = HARNESS_REQUESTS_AT + slot % HARNESS_N_REQUESTS * HARNESS_REQUEST_MAX;
	uint32_t reply = HARNESS_REPLIES_AT + slot % HARNESS_N_REPLIES * HARNESS_REPLY_MAX;
	struct vring_desc d[SLOT];
	unsigned n = 0;

	cut = shape & SHAPE_CUT && cut < draft->size ? cut : 0;
	if (cut)
		d[n++] = (struct vring_desc){ request, cut, 0, 0 };
	d[n++] = (struct vring_desc){ request + cut, draft->size - cut, 0, 0 };
	if (reply_size)
		d[n++] = (struct vring_desc){ reply, reply_size, VRING_DESC_F_WRITE, 0 };
	uint16_t first = shape & SHAPE_INDIRECT ? 0 : head;
	for (unsigned i = 0; i + 1 < n; i++) {
		d[i].flags |= VRING_DESC_F_NEXT;
		d[i].next = (uint16_t)(first + i + 1);
	}
	memcpy(harness->memory + request, draft->bytes, draft->size);
	if (shape & SHAPE_INDIRECT) {
		uint32_t table = request + HARNESS_REQUEST_MAX - SLOT * (uint32_t)sizeof(d[0]);
		struct vring_desc to = { table, (uint32_t)(n * sizeof(d[0])), VRING_DESC_F_INDIRECT,
					 0 };

		memcpy(harness->memory + table, d, n * sizeof(d[0]));
		memcpy(ring + head * sizeof(d[0]), &to, sizeof(to));
	} else {
		memcpy(ring + head * sizeof(d[0]), d, n * sizeof(d[0]));
	}
	put16(ring + HARNESS_AVAIL_AT + 4 + index % size * 2, head);
	put16(ring + HARNESS_AVAIL_AT + 2, (uint16_t)(index + 1));
}

static bool has_room(const struct harness *harness, unsigned queue)
{
	const uint8_t *ring = harness->memory + queue * HARNESS_QUEUE_SIZE;

	return (uint16_t)(get16(ring + HARNESS_AVAIL_AT + 2) - get16(ring + HARNESS_USED_AT + 2)) <
	       harness_ring_size(queue) / SLOT;
}

void guest_command(struct harness *harness, struct input *in)
{
	const struct kind *kind = &kinds[input_u8(in) & 31];
	uint8_t shape = input_u8(in);
	struct draft draft = { .size = kind->size };
	uint32_t cut = 0, reply_size = HARNESS_REPLY_MAX;
	bool is_cursor = kind->type >= VIRTIO_GPU_CMD_UPDATE_CURSOR;
	unsigned queue = is_cursor ? 1 : 0;

	if (!kind->fill)
		return;
	if (shape & SHAPE_OTHER_QUEUE)
		queue = !queue;
	draft.hdr.type = kind->type;
	draft.hdr.ctx_id = 1;
	if (shape & SHAPE_CONTEXT)
		draft.hdr.ctx_id = take_id(in);
	if (shape & SHAPE_FENCE) {
		draft.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
		draft.hdr.fence_id = UINT64_C(0x100000000) + harness->memory[0];
	}
	if (shape & SHAPE_RING) {
		draft.hdr.flags |= VIRTIO_GPU_FLAG_INFO_RING_IDX;
		draft.hdr.ring_idx = input_u8(in);
	}
	if (shape & SHAPE_CUT)
		cut = input_u8(in);
	if (shape & SHAPE_REPLY)
		reply_size = input_number(in);
	kind->fill(&draft, in);
	if (has_room(harness, queue))
		put_chain(harness, queue, &draft, shape, cut, reply_size);
	if (shape & SHAPE_KICK)
		harness_kick(harness, queue);
}

void guest_scribble(struct harness *harness, struct input *in)
{
	const uint8_t *bytes;
	uint32_t at = input_u16(in) % HARNESS_DATA_AT;
	size_t n = input_take(in, input_u8(in) & 31, &bytes);

	if (n > 0)
		memcpy(harness->memory + at, bytes, n);
}
