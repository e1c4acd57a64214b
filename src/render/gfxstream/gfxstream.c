// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Vulkan by gfxstream's library: how it is started and ended. It lives in this process, keeps its
 * state in globals and starts once: after it was freed there is no second one. A reset of the
 * device destroys what the guest had, one by one.
 *
 * It takes what the guest sends for what it should be, and ends the process where it is not. What
 * comes over the queues is looked at before each call, in the files beside this one. What the guest
 * writes into its rings is not seen here: a guest can end the process with it.
 *
 * To be torn down it takes 10 ms for each context that there has been. A process that just ends is
 * fine too.
 */
#include "render/gfxstream.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/needs.h"
#include "render/gfxstream/gfxstream_private.h"

#define LOG_MODULE "gfxstream"
#include "base/log.h"

/* Of the library, the driver and its compiler, once they are in use; and of a guest's programs that
 * were killed, of each of which the library keeps some 10 MB. */
#define LIBRARY_BYTES (UINT64_C(512) << 20)

/* Descriptors that are not resources'. */
#define OTHER_FDS 512

/* More than so many contexts take longer to tear down than a person waits. */
#define MAX_TORN_DOWN 32

static bool has_started;

int gfxstream_response(int result)
{
	switch (abs(result)) {
	case 0:
		return 0;
	case ENOMEM:
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	case EINVAL:
	case ENOENT:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	default:
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
}

/* The tables; nothing of the library's. */
static void free_tables(struct gfxstream *gfxstream)
{
	gfxstream_fence_finish(gfxstream);
	g_hash_table_unref(gfxstream->resources);
	g_hash_table_unref(gfxstream->contexts);
	g_hash_table_unref(gfxstream->burnt);
	g_free(gfxstream);
}

/* Without a teardown the library's threads go on, and use what the tables hold no part of but the
 * fences. */
static void gfxstream_free(struct renderer *renderer)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);

	if (gfxstream->n_contexts_ever > MAX_TORN_DOWN)
		return; /* NOLINT(clang-analyzer-unix.Malloc): its threads may still call us */
	gfxstream->library.teardown();
	free_tables(gfxstream);
}

const struct renderer_ops gfxstream_ops = {
	.name = "gfxstream",
	.free = gfxstream_free,
	.resource_cost = gfxstream_resource_cost,
	.resource_create = gfxstream_resource_create,
	.resource_create_blob = gfxstream_blob_create,
	.blob_export = gfxstream_blob_export,
	.resource_free = gfxstream_resource_free,
	.resource_attach = gfxstream_resource_attach,
	.resource_detach = gfxstream_resource_detach,
	.transfer_to_host = gfxstream_transfer_to_host,
	.transfer_from_host = gfxstream_transfer_from_host,
	.read_pixels = gfxstream_read_pixels,
	.capsets = gfxstream_context_capsets,
	.capset_fill = gfxstream_context_fill_capset,
	.context_create = gfxstream_context_create,
	.context_free = gfxstream_context_free,
	.context_attach = gfxstream_context_attach,
	.context_detach = gfxstream_context_detach,
	.submit = gfxstream_submit,
	.fence_create = gfxstream_fence_create,
	.poll_fd = gfxstream_fence_poll_fd,
	.poll = gfxstream_fence_poll,
	.reset = gfxstream_fence_reset,
};

const struct renderer_kind gfxstream_renderer_kind = {
	.needs = NEEDS_FILES | NEEDS_THREADS | NEEDS_GENERATED_CODE | NEEDS_GPU_DEVICES |
		 NEEDS_VULKAN,
};

/* A library that finds no descriptor ends the process. */
static unsigned count_possible_resources(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * OTHER_FDS)
		return OTHER_FDS / GFXSTREAM_FDS_PER_RESOURCE;
	return (unsigned)MIN((limit.rlim_cur - OTHER_FDS) / GFXSTREAM_FDS_PER_RESOURCE,
			     GFXSTREAM_MAX_RESOURCES);
}

/* NULL if the fences cannot be watched, with errno set. */
static struct gfxstream *make_tables(void)
{
	struct gfxstream *gfxstream = g_new0(struct gfxstream, 1);

	renderer_init(&gfxstream->base, &gfxstream_ops);
	gfxstream->resources = g_hash_table_new(NULL, NULL);
	gfxstream->contexts = g_hash_table_new_full(NULL, NULL, NULL, gfxstream_context_destroy);
	gfxstream->burnt = g_hash_table_new(NULL, NULL);
	gfxstream->max_resources = count_possible_resources();
	gfxstream->passed.event_fd = -1;
	int r = gfxstream_fence_init(gfxstream);

	if (r == 0)
		return gfxstream;
	free_tables(gfxstream);
	errno = -r;
	return NULL;
}

/* NULL, or one sentence. */
static char *start_library(struct gfxstream *gfxstream, const struct gfxstream_options *options)
{
	char *problem = gfxstream_library_open(&gfxstream->library, options->library);

	if (problem)
		return problem;
	has_started = true;
	gfxstream->flags = gfxstream_flags(options);
	if (gfxstream_init(&gfxstream->library, options, gfxstream_fence_on_passed, gfxstream) != 0)
		return g_strdup("gfxstream cannot start, though it did in a trial");
	gfxstream_context_init_capsets(gfxstream, options->capsets);
	return NULL;
}

/* NULL, or one sentence: what stands in the way before the library is opened here. */
static char *find_problem(const struct gfxstream_options *options)
{
	if (has_started)
		return g_strdup("gfxstream starts once in a process");
	/* Its EGL waits for an X server for ever, unless it is told that there is none. */
	if (gfxstream_flags(options) & GFXSTREAM_USE_GLES)
		g_setenv("EGL_PLATFORM", "surfaceless", TRUE);
	return gfxstream_probe(options);
}

/* NULL with one sentence in @ret_message. */
static struct gfxstream *start(const struct gfxstream_options *options, char **ret_message)
{
	*ret_message = find_problem(options);
	if (*ret_message)
		return NULL;
	struct gfxstream *gfxstream = make_tables();

	if (!gfxstream) {
		*ret_message = g_strdup_printf("gfxstream's fences cannot be watched: %s",
					       g_strerror(errno));
		return NULL;
	}
	*ret_message = start_library(gfxstream, options);
	if (!*ret_message)
		return gfxstream;
	free_tables(gfxstream);
	return NULL;
}

struct renderer *gfxstream_new(const struct gfxstream_options *options, char **ret_message)
{
	struct gfxstream_options wanted = *options;

	if (wanted.capsets == 0)
		wanted.capsets = 1u << GFXSTREAM_CAPSET_VULKAN;
	struct gfxstream *gfxstream = start(&wanted, ret_message);

	if (!gfxstream)
		return NULL;
	gfxstream->base.needs = gfxstream_renderer_kind.needs;
	gfxstream->base.can_export_blobs = true;
	gfxstream->base.library_bytes = LIBRARY_BYTES;
	log_warn("gfxstream runs within this process: a guest can end it by what it has Vulkan do "
		 "(SECURITY.md)");
	return &gfxstream->base;
}
