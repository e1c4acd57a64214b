// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts, their capsets and their command streams.
 *
 * The user selects the capsets to offer; they are listed in the order of the table. The guest
 * cannot query others, because the library reports a size even for capsets that it cannot serve. A
 * stream that the library refuses breaks its context, which refuses all streams from then on; other
 * contexts are not affected.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

static const uint32_t capset_ids[] = { VIRTIO_GPU_CAPSET_VIRGL, VIRTIO_GPU_CAPSET_VIRGL2,
				       VIRGL_CAPSET_VENUS, VIRGL_CAPSET_DRM };

static const struct renderer_capset *find_capset(const struct virgl *virgl, uint32_t id)
{
	for (unsigned i = 0; i < virgl->n_capsets; i++)
		if (virgl->capsets[i].id == id)
			return &virgl->capsets[i];
	return NULL;
}

static bool is_empty(const struct renderer_capset *capset)
{
	g_autofree uint8_t *data = g_malloc0(capset->max_size);

	virgl_renderer_fill_caps(capset->id, capset->max_version, data);
	for (uint32_t i = 0; i < capset->max_size; i++)
		if (data[i])
			return false;
	return true;
}

/* For capsets that it was not started with, the library reports a size all the same, but fills in
 * nothing. */
static bool has_capset(const struct virgl *virgl, const struct renderer_capset *capset)
{
	if (virgl_rings_is_capset(capset->id))
		return virgl_venus_offers(virgl, capset->id) && !is_empty(capset);
	return capset->max_size > 0;
}

void virgl_context_init_capsets(struct virgl *virgl, uint32_t wanted)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(capset_ids); i++) {
		struct renderer_capset capset = { .id = capset_ids[i] };

		virgl_renderer_get_cap_set(capset.id, &capset.max_version, &capset.max_size);
		if ((wanted == 0 || (wanted >> capset.id & 1)) && has_capset(virgl, &capset))
			virgl->capsets[virgl->n_capsets++] = capset;
	}
}

/* A capset begins with its version and four masks of formats: for textures, render targets, depth
 * and stencil, and vertices. */
#define N_FORMAT_MASKS    4
#define WORD_CAPABILITIES 98
#define CAN_CLEAR_TEXTURE (1u << 30)

void virgl_context_init_formats(struct virgl *virgl)
{
	uint32_t version, size;

	virgl_formats_init(&virgl->formats);
	virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_VIRGL2, &version, &size);
	if (size < 4 * (1 + WORD_CAPABILITIES))
		return;
	g_autofree uint32_t *capset = g_malloc0(size);

	virgl_renderer_fill_caps(VIRTIO_GPU_CAPSET_VIRGL2, version, capset);
	virgl->can_clear_texture = capset[WORD_CAPABILITIES] & CAN_CLEAR_TEXTURE;
	for (unsigned i = 0; i < N_FORMAT_MASKS; i++)
		virgl_formats_add(&virgl->formats, capset + 1 + i * VIRGL_FORMAT_WORDS);
}

unsigned virgl_context_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	struct virgl *virgl = virgl_of(renderer);

	memcpy(ret, virgl->capsets, virgl->n_capsets * sizeof(*ret));
	return virgl->n_capsets;
}

int virgl_context_fill_capset(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
			      uint32_t size)
{
	const struct renderer_capset *capset = find_capset(virgl_of(renderer), id);

	if (!capset || version > capset->max_version || size < capset->max_size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	memset(buf, 0, size);
	virgl_renderer_fill_caps(id, version, buf);
	return 0;
}

int virgl_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			 const char *name, uint32_t name_size)
{
	uint32_t capset = context_init & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;
	struct virgl *virgl = virgl_of(renderer);
	int r;

	if (capset != 0 && !find_capset(virgl, capset))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (virgl_rings_is_capset(capset)) {
		virgl_fresh_leave_context(virgl, ctx_id);
		return virgl_rings_create(virgl, ctx_id, capset, name, name_size);
	}
	r = virgl_account_begin(virgl, ctx_id);
	if (r != 0)
		return r;
	virgl_fresh_leave_context(virgl, ctx_id);
	if (capset != 0)
		r = virgl_renderer_context_create_with_flags(ctx_id, capset, name_size, name);
	else
		r = virgl_renderer_context_create(ctx_id, name_size, name);
	if (r != 0)
		virgl_account_end(virgl, ctx_id);
	return renderer_response(r);
}

void virgl_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	struct virgl *virgl = virgl_of(renderer);
	struct virgl_ring_context *context = virgl_rings_find(virgl, ctx_id);

	if (context) {
		virgl_rings_destroy(virgl, context);
		return;
	}
	virgl_submit_forget(virgl, ctx_id);
	virgl_renderer_context_destroy(ctx_id);
	virgl_account_end(virgl, ctx_id);
	if (virgl->n_passed != virgl->n_created)
		virgl_fence_repeat(virgl);
}

int virgl_context_attach(struct renderer *renderer, uint32_t ctx_id,
			 struct renderer_resource *resource)
{
	(void)renderer;
	virgl_renderer_ctx_attach_resource((int)ctx_id, (int)virgl_resource_of(resource)->args.id);
	return 0;
}

void virgl_context_detach(struct renderer *renderer, uint32_t ctx_id,
			  struct renderer_resource *resource)
{
	(void)renderer;
	virgl_renderer_ctx_detach_resource((int)ctx_id, (int)virgl_resource_of(resource)->args.id);
}

int virgl_context_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	struct virgl *virgl = virgl_of(renderer);
	const struct virgl_ring_context *context = virgl_rings_find(virgl, ctx_id);
	size_t n_words = size / 4;
	int r;

	if (context)
		return virgl_rings_submit(context, stream, size);
	if (!virgl_check_stream(virgl, stream, n_words))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	r = virgl_account_check(virgl, ctx_id, stream, n_words);
	return r ? r : virgl_submit(virgl, ctx_id, stream, n_words);
}
