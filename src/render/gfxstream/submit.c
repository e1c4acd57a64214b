// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Command streams, which are one short command each: Vulkan itself goes through rings, which only
 * the library reads. Known commands are passed on after a check of their arguments; others are
 * refused. The library reads a whole command even if the stream is shorter, so it gets a copy that
 * is padded with zeros.
 *
 * A ring must have whole pages, be at least as large as the library expects, and fit into one of
 * the 16 MiB blocks from which the library allocates rings, or the process ends. It must also be
 * attached to its context: otherwise the library's thread would go on reading after the memory was
 * freed.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/gfxstream/gfxstream_private.h"

/* The longest command is 56 bytes. */
#define COMMAND_BYTES 64

/* A ring must fit into one block of the library, which allocates from a block in whole pages. */
#define MAX_RING_BYTES (UINT64_C(16) << 20)
#define RING_PAGE      4096

/* A stream that was copied. */
union command {
	uint32_t words[COMMAND_BYTES / sizeof(uint32_t)];
	struct gfxstream_create_3d create_3d;
};

static bool is_ring_size(const struct gfxstream *gfxstream, uint64_t size)
{
	return size >= gfxstream->ring_bytes && size <= MAX_RING_BYTES && size % RING_PAGE == 0;
}

/* Returns 0 or RESP_ERR_*; so do the next two functions. */
static int begin_ring(struct gfxstream *gfxstream, const struct gfxstream_context *context,
		      const union command *command)
{
	struct gfxstream_resource *resource =
		g_hash_table_lookup(gfxstream->resources, GUINT_TO_POINTER(command->words[1]));

	if (!resource || !resource->may_be_ring || resource->is_ring ||
	    !is_ring_size(gfxstream, resource->blob_size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (gfxstream->n_rings >= GFXSTREAM_MAX_RINGS)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	gfxstream->library.ctx_attach_resource((int)context->library_id, (int)resource->id);
	resource->is_ring = true;
	resource->ring_context = context->library_id;
	gfxstream->n_rings++;
	return 0;
}

static int announce_image(const struct gfxstream *gfxstream, struct gfxstream_context *context,
			  const union command *command)
{
	const struct gfxstream_create_3d *c = &command->create_3d;
	const struct renderer_resource_args args = {
		.target = c->target,
		.format = c->format,
		.bind = c->bind,
		.width = c->width,
		.height = c->height,
		.depth = c->depth,
		.array_size = c->array_size,
		.last_level = c->last_level,
		.nr_samples = c->nr_samples,
	};
	gpointer key = GUINT_TO_POINTER((uint32_t)c->blob_id);

	if (c->blob_id == 0 || c->blob_id > UINT32_MAX ||
	    !gfxstream_image_check(gfxstream, &args) ||
	    g_hash_table_contains(context->announced, key))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (g_hash_table_size(context->announced) >= GFXSTREAM_MAX_ANNOUNCED)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	uint64_t *bytes = g_new(uint64_t, 1);

	*bytes = (uint64_t)c->width * c->height * gfxstream_image_check(gfxstream, &args);
	g_hash_table_insert(context->announced, key, bytes);
	return 0;
}

static int check_command(struct gfxstream *gfxstream, struct gfxstream_context *context,
			 const union command *command)
{
	switch (command->words[0]) {
	case GFXSTREAM_CONTEXT_CREATE:
		return begin_ring(gfxstream, context, command);
	case GFXSTREAM_RESOURCE_CREATE_3D:
		return announce_image(gfxstream, context, command);
	case GFXSTREAM_CREATE_EXPORT_SYNC: /* without OpenGL ES it would wait for ever */
		return gfxstream->flags & GFXSTREAM_USE_GLES
			       ? 0
			       : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	case GFXSTREAM_CONTEXT_PING:
	case GFXSTREAM_CONTEXT_PING_WITH_RESPONSE:
	case GFXSTREAM_CREATE_EXPORT_SYNC_VK:
	case GFXSTREAM_CREATE_IMPORT_SYNC_VK:
	case GFXSTREAM_CREATE_QSRI_EXPORT_VK:
	case GFXSTREAM_ACQUIRE_SYNC:
	case GFXSTREAM_PLACEHOLDER_VK:
		return 0;
	default:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
}

int gfxstream_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	struct gfxstream_context *context = gfxstream_context_find(gfxstream, ctx_id);
	union command copy = { 0 };

	if (!context)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	const struct gfxstream_command command = {
		.ctx_id = context->library_id,
		.size = (uint32_t)MIN(size, sizeof(copy)),
		.data = (uint8_t *)&copy,
	};

	memcpy(&copy, stream, command.size);
	int r = check_command(gfxstream, context, &copy);

	return r != 0 ? r : renderer_response(gfxstream->library.submit_cmd(&command));
}
