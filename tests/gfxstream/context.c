// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts of the stand-in: capability sets, and the commands that a guest submits. The streams in
 * their rings are not decoded. A command is read as a whole struct, however few bytes were given,
 * so AddressSanitizer notices a caller that did not add zeros.
 */
#include "standin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RINGS   64
#define MAX_PENDING 64

/* Contexts that were destroyed and not cleaned up yet. */
#define MAX_CLEANUPS 64

struct context {
	struct context *next;
	uint32_t id;
	unsigned n_rings, n_pending;
	uint32_t rings[MAX_RINGS]; /* resources */
	struct {
		uint32_t blob_id;
		struct stream_args args;
	} pending[MAX_PENDING];
};

/* STREAM_OP_RESOURCE_CREATE_3D */
struct create_3d {
	uint32_t op, target, format, bind, width, height, depth, array_size, last_level, nr_samples,
		flags, pad;
	uint64_t blob_id;
};
_Static_assert(sizeof(struct create_3d) == 56, "gfxstreamResourceCreate3d");

static struct context *contexts;
static uint32_t cleanups[MAX_CLEANUPS];
static unsigned n_cleanups;

static struct context *find_context(uint32_t id)
{
	struct context *c = contexts;

	while (c && c->id != id)
		c = c->next;
	return c;
}

bool standin_context_exists(uint32_t id)
{
	return find_context(id) != NULL;
}

static void remove_context(uint32_t id)
{
	struct context **at = &contexts;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	if (*at) {
		struct context *c = *at;

		*at = c->next;
		free(c);
	}
}

void standin_context_free_all(void)
{
	while (contexts)
		remove_context(contexts->id);
}

/* An existing context is replaced. */
int stream_renderer_context_create(uint32_t ctx, uint32_t length, const char *name,
				   uint32_t context_init)
{
	STANDIN_CALL();
	struct context *c = calloc(1, sizeof(*c));

	for (unsigned i = 0; i < MAX_CLEANUPS; i++) {
		if (ctx != 0 && cleanups[i] == ctx)
			standin_crash("context %u comes again before it was cleaned up", ctx);
	}
	if (!c || (length > 0 && !name))
		standin_crash("a context without a name");
	remove_context(ctx);
	c->id = ctx;
	c->next = contexts;
	contexts = c;
	return 0;
}

/* The library waits here for the thread of each attached ring, and so for the guest; the stand-in
 * aborts instead. The clean-up of the context is done later. */
void stream_renderer_context_destroy(uint32_t ctx)
{
	STANDIN_CALL();
	const struct context *c = find_context(ctx);

	if (c && c->n_rings > 0)
		standin_crash("context %u is destroyed with %u rings attached", ctx, c->n_rings);
	remove_context(ctx);
	cleanups[n_cleanups++ % MAX_CLEANUPS] = ctx;
}

void stream_renderer_ctx_attach_resource(int ctx, int res)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find((uint32_t)res);

	if (r && find_context((uint32_t)ctx))
		r->is_attached = true;
}

static int ping(const struct context *c, uint32_t res)
{
	for (unsigned i = 0; i < c->n_rings; i++) {
		if (c->rings[i] == res)
			return 0;
	}
	return -EINVAL;
}

static void forget_ring(struct context *c, uint32_t res)
{
	for (unsigned i = 0; i < c->n_rings; i++) {
		if (c->rings[i] == res)
			c->rings[i--] = c->rings[--c->n_rings];
	}
}

bool standin_context_forget_ring(uint32_t res)
{
	bool was_ring = false;

	for (struct context *c = contexts; c; c = c->next) {
		was_ring |= ping(c, res) == 0;
		forget_ring(c, res);
	}
	return was_ring;
}

void stream_renderer_ctx_detach_resource(int ctx, int res)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find((uint32_t)res);
	struct context *c = find_context((uint32_t)ctx);

	if (!r || !c)
		return;
	r->is_attached = false;
	forget_ring(c, (uint32_t)res);
}

/* The blob becomes the ring through which a thread of the library reads the context's stream. */
static int make_ring(struct context *c, uint32_t res)
{
	const struct standin_resource *r = standin_resource_find(res);

	if (!r || !r->has_blob || !r->is_ring)
		return -EINVAL;
	if (r->blob_size < STREAM_RING_BYTES || r->blob_size > STREAM_BLOCK_BYTES ||
	    r->blob_size % STREAM_PAGE_BYTES != 0)
		standin_crash("blob %u of %llu bytes becomes a ring", res,
			      (unsigned long long)r->blob_size);
	forget_ring(c, res);
	if (c->n_rings < MAX_RINGS)
		c->rings[c->n_rings++] = res;
	return 0;
}

/* The upper half of the blob id is ignored. */
static int announce_blob(struct context *c, const uint8_t *cmd)
{
	struct create_3d create;
	unsigned n = c->n_pending;

	memcpy(&create, cmd, sizeof(create));
	for (unsigned i = 0; i < n; i++) {
		if (c->pending[i].blob_id == (uint32_t)create.blob_id)
			return -EINVAL;
	}
	if (n == MAX_PENDING)
		return -EINVAL;
	c->pending[n].blob_id = (uint32_t)create.blob_id;
	c->pending[n].args = (struct stream_args){
		.target = create.target,
		.format = create.format,
		.bind = create.bind,
		.width = create.width,
		.height = create.height,
		.depth = create.depth,
		.array_size = create.array_size,
		.last_level = create.last_level,
		.nr_samples = create.nr_samples,
		.flags = create.flags,
	};
	c->n_pending++;
	return 0;
}

bool standin_context_take_pending(uint32_t ctx, uint32_t blob_id, struct stream_args *ret)
{
	struct context *c = find_context(ctx);

	for (unsigned i = 0; c && i < c->n_pending; i++) {
		if (c->pending[i].blob_id == blob_id) {
			*ret = c->pending[i].args;
			c->pending[i] = c->pending[--c->n_pending];
			return true;
		}
	}
	return false;
}

static int run_on_context(struct context *c, uint32_t op, const uint8_t *cmd)
{
	uint32_t words[2];

	memcpy(words, cmd, sizeof(words));
	if (!c)
		return -EINVAL;
	switch (op) {
	case STREAM_OP_CONTEXT_CREATE:
		return make_ring(c, words[1]);
	case STREAM_OP_PING:
		return ping(c, words[1]);
	case STREAM_OP_RESOURCE_CREATE_3D:
		return announce_blob(c, cmd);
	case STREAM_OP_ACQUIRE_SYNC: /* no stream creates one here */
		return -EINVAL;
	default:
		return 0;
	}
}

/* The work for which the guest's fence waits. */
static int add_work(uint32_t ctx, const uint8_t *cmd, size_t size)
{
	uint8_t whole[20];

	memcpy(whole, cmd, size);
	standin_fence_add_work((struct standin_ring){ .ctx_id = ctx });
	return 0;
}

int stream_renderer_submit_cmd(struct stream_command *command)
{
	STANDIN_CALL();
	uint32_t op;

	if (!command || !command->cmd || command->cmd_size < 4)
		return -EINVAL;
	memcpy(&op, command->cmd, sizeof(op));
	switch (op) {
	case STREAM_OP_EXPORT_SYNC:
	case STREAM_OP_QSRI_EXPORT_VK:
		return add_work(command->ctx_id, command->cmd, 12);
	case STREAM_OP_EXPORT_SYNC_VK:
	case STREAM_OP_IMPORT_SYNC_VK:
		return add_work(command->ctx_id, command->cmd, 20);
	case STREAM_OP_CONTEXT_CREATE:
	case STREAM_OP_PING:
	case STREAM_OP_PING_WITH_RESPONSE:
	case STREAM_OP_RESOURCE_CREATE_3D:
	case STREAM_OP_ACQUIRE_SYNC:
		return run_on_context(find_context(command->ctx_id), op, command->cmd);
	case STREAM_OP_PLACEHOLDER_VK:
		return 0;
	default:
		return -EINVAL;
	}
}

/* The version is not written, nor is the size of an unknown capset. It works without init. */
void stream_renderer_get_cap_set(uint32_t set, uint32_t *max_ver, uint32_t *max_size)
{
	if (set == STREAM_CAPSET_VULKAN)
		*max_size = 26 * sizeof(uint32_t);
	else if (set == STREAM_CAPSET_GLES || set == STREAM_CAPSET_COMPOSER)
		*max_size = 4 * sizeof(uint32_t);
	else
		standin_say(1, "Incorrect capability set specified (%u)", set);
}

void stream_renderer_fill_caps(uint32_t set, uint32_t version, void *caps)
{
	static const uint32_t vulkan[26] = {
		1,         12288,   1048576,    0,          1,    4096, 1, 1, 1,
		0x2d0186,  0x10000, 0x4000000f, 0x40000000, 0x40, 0x48, 0, 0, 0,
		0x4000000, 0,       0,          0,          0,    0,    0, 1
	};
	static const uint32_t other[4] = { 1, 12288, 1048576, 4096 };
	STANDIN_CALL();

	if (set == STREAM_CAPSET_VULKAN)
		memcpy(caps, vulkan, sizeof(vulkan));
	else if (set == STREAM_CAPSET_GLES || set == STREAM_CAPSET_COMPOSER)
		memcpy(caps, other, sizeof(other));
}
