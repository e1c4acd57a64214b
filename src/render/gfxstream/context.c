// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts and capsets. The library reports a size for each capset that it was built with, even if
 * it was started without the features for it. So only the capsets for which it was started are
 * offered.
 *
 * A context has one capset all its life, which tells the library how to decode its rings. If the
 * guest names none, the context gets the first one that is offered: the library would choose OpenGL
 * ES, which may not have been started.
 *
 * The library frees a context later, in a thread, and finds it by its id: if the id were in use
 * again by then, the library would end the threads of the new context. So we give the library ids
 * of our own instead of the guest's, and an id that was freed is used again only after all other
 * free ids. Each of these cleanups takes at least 10 ms, so the number of pending ones is limited.
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

/* The least time that one cleanup takes, and the most that all pending ones may take together, in
 * microseconds. */
#define CLEANUP_US      10000
#define MAX_CLEANUPS_US 5000000

static const uint32_t capset_ids[] = { GFXSTREAM_CAPSET_VULKAN, GFXSTREAM_CAPSET_GLES,
				       GFXSTREAM_CAPSET_COMPOSER };

static const struct renderer_capset *find_capset(const struct gfxstream *gfxstream, uint32_t id)
{
	for (unsigned i = 0; i < gfxstream->n_capsets; i++)
		if (gfxstream->capsets[i].id == id)
			return &gfxstream->capsets[i];
	return NULL;
}

/* Raises gfxstream->ring_bytes to the size of a ring that the capset gives: the library ends the
 * process if the guest makes a smaller ring. */
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

void gfxstream_context_init_ids(struct gfxstream *gfxstream)
{
	g_queue_init(&gfxstream->free_ids);
	for (unsigned id = 1; id <= GFXSTREAM_MAX_CONTEXTS; id++)
		g_queue_push_tail(&gfxstream->free_ids, GUINT_TO_POINTER(id));
}

struct gfxstream_context *gfxstream_context_find(const struct gfxstream *gfxstream, uint32_t ctx_id)
{
	return g_hash_table_lookup(gfxstream->contexts, GUINT_TO_POINTER(ctx_id));
}

static struct gfxstream_context *context_new(uint32_t library_id)
{
	struct gfxstream_context *context = g_new(struct gfxstream_context, 1);

	context->library_id = library_id;
	context->announced = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return context;
}

void gfxstream_context_destroy(void *data)
{
	struct gfxstream_context *context = data;

	g_hash_table_unref(context->announced);
	g_free(context);
}

/* Returns a free id for a context of the library, or 0 if none is free or too many cleanups are
 * pending. */
static uint32_t take_id(struct gfxstream *gfxstream)
{
	if (gfxstream->cleaned_at - g_get_monotonic_time() > MAX_CLEANUPS_US)
		return 0;
	return GPOINTER_TO_UINT(g_queue_pop_head(&gfxstream->free_ids));
}

static void give_id_back(struct gfxstream *gfxstream, uint32_t library_id)
{
	gfxstream->cleaned_at = MAX(gfxstream->cleaned_at, g_get_monotonic_time()) + CLEANUP_US;
	gfxstream->guest_ids[library_id] = 0;
	g_queue_push_tail(&gfxstream->free_ids, GUINT_TO_POINTER(library_id));
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
	uint32_t library_id = take_id(gfxstream);

	if (library_id == 0)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	gfxstream->has_had_context = true;
	int r = gfxstream->library.context_create(library_id, name_size, name, capset);

	if (r != 0) {
		give_id_back(gfxstream, library_id);
		return renderer_response(r);
	}
	gfxstream->guest_ids[library_id] = ctx_id;
	g_hash_table_insert(gfxstream->contexts, key, context_new(library_id));
	return 0;
}

/* The library has a thread for each ring. The guest can make that thread wait for as long as it
 * likes, and context_destroy() waits for the thread, so it could block us. If the ring is detached
 * first, another thread of the library waits instead. */
static void detach_rings(struct gfxstream *gfxstream, uint32_t library_id)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, gfxstream->resources);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct gfxstream_resource *resource = value;

		if (resource->ring_context != library_id)
			continue;
		gfxstream->library.ctx_detach_resource((int)library_id, (int)resource->id);
		resource->ring_context = 0;
	}
}

void gfxstream_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	const uint32_t library_id = gfxstream_context_find(gfxstream, ctx_id)->library_id;

	detach_rings(gfxstream, library_id);
	gfxstream->library.context_destroy(library_id);
	give_id_back(gfxstream, library_id);
	g_hash_table_remove(gfxstream->contexts, GUINT_TO_POINTER(ctx_id));
}

int gfxstream_context_attach(struct renderer *renderer, uint32_t ctx_id,
			     struct renderer_resource *resource)
{
	const struct gfxstream_resource *attached = gfxstream_resource_of(resource);
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	const struct gfxstream_context *context = gfxstream_context_find(gfxstream, ctx_id);

	if (attached->kind != GFXSTREAM_BLOB_GUEST)
		gfxstream->library.ctx_attach_resource((int)context->library_id, (int)attached->id);
	return 0;
}

void gfxstream_context_detach(struct renderer *renderer, uint32_t ctx_id,
			      struct renderer_resource *resource)
{
	struct gfxstream_resource *detached = gfxstream_resource_of(resource);
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	const struct gfxstream_context *context = gfxstream_context_find(gfxstream, ctx_id);

	if (detached->kind == GFXSTREAM_BLOB_GUEST)
		return;
	gfxstream->library.ctx_detach_resource((int)context->library_id, (int)detached->id);
	if (detached->ring_context == context->library_id)
		detached->ring_context = 0;
}
