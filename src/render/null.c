// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The renderer that does nothing. It says yes to every command a guest can send, 3D and blobs
 * included, and keeps no state at all: every resource is the same handle, work has passed as soon
 * as it was handed in (no fence hooks), and there are no pixels to show. What remains when it runs
 * is the device itself: queues, decoding, limits, lifetimes. No capsets are offered, since their
 * contents would promise something.
 */
#include "render/null.h"

#include <assert.h>
#include <glib.h>

#include "base/container.h"
#include "render/renderer.h"

struct null_renderer {
	struct renderer base;
	struct renderer_resource any; /* what every handle points to */
};

const struct renderer_kind null_renderer_kind = { .needs = 0 };

static const struct renderer_ops null_ops;

static struct null_renderer *null_renderer(struct renderer *renderer)
{
	assert(renderer->ops == &null_ops);
	return container_of(renderer, struct null_renderer, base);
}

static void null_free(struct renderer *renderer)
{
	g_free(null_renderer(renderer));
}

static int null_resource_create(struct renderer *renderer,
				const struct renderer_resource_args *args,
				struct renderer_resource **ret)
{
	(void)args;
	*ret = &null_renderer(renderer)->any;
	return 0;
}

static int null_resource_create_blob(struct renderer *renderer,
				     const struct renderer_blob_args *args,
				     struct renderer_resource **ret)
{
	(void)args;
	*ret = &null_renderer(renderer)->any;
	return 0;
}

static void null_resource_free(struct renderer *renderer, struct renderer_resource *resource)
{
	(void)renderer;
	(void)resource;
}

static int null_transfer(struct renderer *renderer, struct renderer_resource *resource,
			 const struct renderer_transfer *transfer)
{
	(void)renderer;
	(void)resource;
	(void)transfer;
	return 0;
}

static int null_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			       const char *name, uint32_t name_size)
{
	(void)renderer;
	(void)ctx_id;
	(void)context_init;
	(void)name;
	(void)name_size;
	return 0;
}

static void null_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	(void)renderer;
	(void)ctx_id;
}

static int null_context_attach(struct renderer *renderer, uint32_t ctx_id,
			       struct renderer_resource *resource)
{
	(void)renderer;
	(void)ctx_id;
	(void)resource;
	return 0;
}

static void null_context_detach(struct renderer *renderer, uint32_t ctx_id,
				struct renderer_resource *resource)
{
	(void)renderer;
	(void)ctx_id;
	(void)resource;
}

static int null_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	(void)renderer;
	(void)ctx_id;
	(void)stream;
	(void)size;
	return 0;
}

static const struct renderer_ops null_ops = {
	.name = "null",
	.free = null_free,
	.resource_create = null_resource_create,
	.resource_create_blob = null_resource_create_blob,
	.resource_free = null_resource_free,
	.transfer_to_host = null_transfer,
	.transfer_from_host = null_transfer,
	.context_create = null_context_create,
	.context_free = null_context_free,
	.context_attach = null_context_attach,
	.context_detach = null_context_detach,
	.submit = null_submit,
};

struct renderer *null_renderer_new(void)
{
	struct null_renderer *null = g_new0(struct null_renderer, 1);

	renderer_init(&null->base, &null_ops);
	null->any.renderer = &null->base;
	return &null->base;
}
