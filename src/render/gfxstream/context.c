// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts and capsets. The library reports a size for each capset that it was built with, even if
 * it was started without the features for it. So only the capsets for which it was started are
 * offered.
 *
 * A context has one capset all its life, which tells the library how to decode its rings. If the
 * guest names none, the context gets the first one that is offered: the library would choose OpenGL
 * ES, which may not have been started.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/gfxstream/gfxstream_private.h"

/* No struct of a capset is larger than this. */
#define MAX_CAPSET_BYTES 4096

/* The first words of each capset: the version, the bytes of a ring, and those of the buffer after
 * it. */
#define WORD_RING_BYTES   1
#define WORD_BUFFER_BYTES 2
#define LEAST_RING_BYTES  (12288 + 1048576)

static const uint32_t capset_ids[] = { GFXSTREAM_CAPSET_VULKAN, GFXSTREAM_CAPSET_GLES,
				       GFXSTREAM_CAPSET_COMPOSER };

static const struct renderer_capset *find_capset(const struct gfxstream *gfxstream, uint32_t id)
{
	for (unsigned i = 0; i < gfxstream->n_capsets; i++)
		if (gfxstream->capsets[i].id == id)
			return &gfxstream->capsets[i];
	return NULL;
}

/* Notes the size of a ring that a capset gives: the library ends the process if a ring is
 * smaller. */
static void note_ring_bytes(struct gfxstream *gfxstream, const struct renderer_capset *capset)
{
	gfxstream->ring_bytes = MAX(gfxstream->ring_bytes, LEAST_RING_BYTES);
	if (capset->max_size < sizeof(uint32_t) * (WORD_BUFFER_BYTES + 1))
		return;
	uint32_t *words = g_malloc0(capset->max_size);

	gfxstream->library.fill_caps(capset->id, capset->max_version, words);
	gfxstream->ring_bytes = MAX(gfxstream->ring_bytes,
				    (uint64_t)words[WORD_RING_BYTES] + words[WORD_BUFFER_BYTES]);
	g_free(words);
}

void gfxstream_context_init_capsets(struct gfxstream *gfxstream, uint32_t wanted)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(capset_ids); i++) {
		/* The library writes no version, and nothing at all for a capset that it does not
		 * know. */
		struct renderer_capset capset = { .id = capset_ids[i] };

		if (!(wanted >> capset.id & 1))
			continue;
		gfxstream->library.get_cap_set(capset.id, &capset.max_version, &capset.max_size);
		if (capset.max_size == 0 || capset.max_size > MAX_CAPSET_BYTES)
			continue;
		gfxstream->capsets[gfxstream->n_capsets++] = capset;
		note_ring_bytes(gfxstream, &capset);
	}
}

unsigned gfxstream_context_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	const struct gfxstream *gfxstream = gfxstream_of(renderer);

	memcpy(ret, gfxstream->capsets, gfxstream->n_capsets * sizeof(*ret));
	return gfxstream->n_capsets;
}

int gfxstream_context_fill_capset(struct renderer *renderer, uint32_t id, uint32_t version,
				  void *buf, uint32_t size)
{
	const struct gfxstream *gfxstream = gfxstream_of(renderer);
	const struct renderer_capset *capset = find_capset(gfxstream, id);

	if (!capset || version > capset->max_version || size < capset->max_size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	memset(buf, 0, size);
	gfxstream->library.fill_caps(id, version, buf);
	return 0;
}

static struct gfxstream_context *context_new(uint32_t id)
{
	struct gfxstream_context *context = g_new(struct gfxstream_context, 1);

	context->id = id;
	context->announced = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return context;
}

void gfxstream_context_destroy(void *data)
{
	struct gfxstream_context *context = data;

	g_hash_table_unref(context->announced);
	g_free(context);
}

int gfxstream_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			     const char *name, uint32_t name_size)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	uint32_t capset = context_init & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;
	gpointer key = GUINT_TO_POINTER(ctx_id);

	if (capset == 0 && gfxstream->n_capsets > 0)
		capset = gfxstream->capsets[0].id;
	if (!find_capset(gfxstream, capset) || g_hash_table_contains(gfxstream->contexts, key))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = gfxstream->library.context_create(ctx_id, name_size, name, capset);

	if (r != 0)
		return gfxstream_response(r);
	g_hash_table_insert(gfxstream->contexts, key, context_new(ctx_id));
	gfxstream->n_contexts_ever++;
	return 0;
}

void gfxstream_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);

	gfxstream->library.context_destroy(ctx_id);
	g_hash_table_remove(gfxstream->contexts, GUINT_TO_POINTER(ctx_id));
}

int gfxstream_context_attach(struct renderer *renderer, uint32_t ctx_id,
			     struct renderer_resource *resource)
{
	const struct gfxstream_resource *attached = gfxstream_resource_of(resource);

	if (attached->kind != GFXSTREAM_BLOB_GUEST)
		gfxstream_of(renderer)->library.ctx_attach_resource((int)ctx_id, (int)attached->id);
	return 0;
}

void gfxstream_context_detach(struct renderer *renderer, uint32_t ctx_id,
			      struct renderer_resource *resource)
{
	const struct gfxstream_resource *detached = gfxstream_resource_of(resource);

	if (detached->kind != GFXSTREAM_BLOB_GUEST)
		gfxstream_of(renderer)->library.ctx_detach_resource((int)ctx_id, (int)detached->id);
}
