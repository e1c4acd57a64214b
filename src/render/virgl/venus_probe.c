// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A capset is offered only if it works. Venus needs a driver, a render server that runs in the
 * sandbox, and a worker that makes a context and exports memory, so all of these are tried in a
 * child (trial.c).
 */
#include <linux/virtio_gpu.h>

#include "render/trial_private.h"
#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

#define CONTEXT   1
#define RESOURCE  1
#define BLOB_SIZE 4096

/* ---- the child ---- */

static struct virgl *tried;

static void ignore_fence(void *cookie, uint32_t id)
{
	(void)cookie;
	(void)id;
}

static void ignore_context_fence(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t id)
{
	(void)cookie;
	(void)ctx_id;
	(void)ring_idx;
	(void)id;
}

/* The worker answers this request, so an answer shows that it has started. */
static bool can_share_memory(void)
{
	const struct virgl_renderer_resource_create_blob_args args = {
		.res_handle = RESOURCE,
		.ctx_id = CONTEXT,
		.blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
		.blob_flags = VIRGL_RENDERER_BLOB_FLAG_USE_MAPPABLE,
		.size = BLOB_SIZE,
	};
	uint32_t type;
	int fd = -1;

	return virgl_renderer_resource_create_blob(&args) == 0 &&
	       virgl_renderer_resource_export_blob(RESOURCE, &type, &fd) == 0 &&
	       type == VIRGL_RENDERER_BLOB_FD_TYPE_SHM;
}

/* Runs in the child. Returns NULL, or a sentence about the error. */
static const char *try_library(struct virgl *virgl)
{
	const int flags = VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_USE_EXTERNAL_BLOB |
			  VIRGL_RENDERER_NO_VIRGL | VIRGL_RENDERER_VENUS |
			  VIRGL_RENDERER_RENDER_SERVER;

	virgl->callbacks = (struct virgl_renderer_callbacks){
		.version = 3,
		.write_fence = ignore_fence,
		.write_context_fence = ignore_context_fence,
		.get_server_fd = virgl_venus_get_server_fd,
	};
	if (virgl_renderer_init(virgl, flags, &virgl->callbacks) != 0)
		return virgl->venus.problem ? virgl->venus.problem
					    : "virglrenderer was built without Venus";
	if (virgl_renderer_context_create_with_flags(CONTEXT, VIRGL_CAPSET_VENUS, 0, "") != 0)
		return "the render server cannot create a context";
	if (!can_share_memory())
		return "the render server's context does not work; the sandbox or a limit may deny "
		       "what it needs";
	return NULL;
}

static const char *try_venus(void *data)
{
	const struct virgl_options *options = data;
	const char *problem = vulkan_driver_find_problem();

	tried = g_new0(struct virgl, 1);
	tried->venus.start_server = options->start_server;
	tried->venus.start_server_data = options->start_server_data;
	return problem ? problem : try_library(tried);
}

/* ---- the parent ---- */

char *virgl_venus_probe(const struct virgl_options *options)
{
	return trial_run(try_venus, (void *)options);
}
