// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts and ends gfxstream's library. It runs in this process, keeps its state in globals and can
 * be started only once, even if it was torn down. A reset of the device destroys the guest's
 * objects one by one.
 *
 * The library trusts the guest's input, and ends the process if it is invalid. The files beside
 * this one check commands from the queues before each call. The data that the guest writes into its
 * rings is not visible to us: with it a guest can end the process.
 *
 * The library's teardown takes 10 ms for each context that was ever made, and is not required. So
 * it is called only if no context was made; otherwise the process ends without it.
 */
#include "render/gfxstream.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/needs.h"
#include "render/gfxstream/gfxstream_private.h"

#define LOG_MODULE "gfxstream"
#include "base/log.h"

/* Memory that the library, the driver and its compiler take when in use. It includes some 10 MB
 * that the library keeps for each program of the guest that was killed. */
#define LIBRARY_BYTES (UINT64_C(512) << 20)

static bool has_started;

/* What the library's threads still use after gfxstream_free(). */
static struct gfxstream *left_running;

/* Frees our tables, and no object of the library. */
static void free_tables(struct gfxstream *gfxstream)
{
	gfxstream_fence_finish(gfxstream);
	g_hash_table_unref(gfxstream->resources);
	g_hash_table_unref(gfxstream->contexts);
	g_hash_table_unref(gfxstream->burnt);
	g_queue_clear(&gfxstream->free_ids);
	g_free(gfxstream);
}

/* A teardown waits for the threads of all rings, which may wait for the guest, and threads that it
 * leaves may still report fences. So if a context was ever made, nothing is torn down here and our
 * tables stay, until the process ends. */
static void gfxstream_free(struct renderer *renderer)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);

	if (gfxstream->has_had_context) {
		left_running = gfxstream;
		return;
	}
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
	.moves_whole_images = true,
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

/* Returns NULL, with errno set, if the fences cannot be watched. */
static struct gfxstream *make_tables(void)
{
	struct gfxstream *gfxstream = g_new0(struct gfxstream, 1);

	renderer_init(&gfxstream->base, &gfxstream_ops);
	gfxstream->resources = g_hash_table_new(NULL, NULL);
	gfxstream->contexts = g_hash_table_new_full(NULL, NULL, NULL, gfxstream_context_destroy);
	gfxstream->burnt = g_hash_table_new(NULL, NULL);
	gfxstream_context_init_ids(gfxstream);
	gfxstream->passed.event_fd = -1;
	int r = gfxstream_fence_init(gfxstream);

	if (r == 0)
		return gfxstream;
	free_tables(gfxstream);
	errno = -r;
	return NULL;
}

/* Returns NULL, or one sentence about the error. */
static char *start_library(struct gfxstream *gfxstream, const struct gfxstream_options *options)
{
	char *problem = gfxstream_library_open(&gfxstream->library, options->library);

	if (problem)
		return problem;
	has_started = true;
	gfxstream->flags = gfxstream_flags(options);
	if (gfxstream_init(&gfxstream->library, options, gfxstream_fence_on_passed, gfxstream) != 0)
		return g_strdup(
			"gfxstream's library started in a child process but not in this one");
	gfxstream_context_init_capsets(gfxstream, options->capsets);
	return NULL;
}

/* Chooses the GPU and tries the library in children, before it is opened in this process. Returns
 * NULL, or one sentence about the error. */
static char *find_problem(const struct gfxstream_options *options, struct gfxstream_host *host)
{
	if (has_started)
		return g_strdup("gfxstream's library cannot be initialised twice in a process");
	/* EGL waits for an X server for ever, unless its platform is set to "surfaceless". */
	if (gfxstream_flags(options) & GFXSTREAM_USE_GLES)
		g_setenv("EGL_PLATFORM", "surfaceless", TRUE);
	char *problem = gfxstream_gpu_choose(options, &host->gpus);

	return problem ? problem : gfxstream_probe(options, host);
}

/* Finds out in children what the host supports. Returns NULL, or one sentence about the error. */
static char *look_at_host(const struct gfxstream_options *options, struct gfxstream_host *ret)
{
	struct gfxstream_host *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return g_strdup_printf("cannot share memory with a child process: %s",
				       g_strerror(errno));
	char *problem = find_problem(options, shared);

	*ret = *shared;
	munmap(shared, sizeof(*shared));
	return problem;
}

/* NULL with one sentence in @ret_message. */
static struct gfxstream *start(const struct gfxstream_options *options, char **ret_message)
{
	struct gfxstream_host host;

	*ret_message = look_at_host(options, &host);
	if (*ret_message)
		return NULL;
	struct gfxstream *gfxstream = make_tables();

	if (!gfxstream) {
		*ret_message = g_strdup_printf(
			"cannot create an event descriptor for gfxstream's fences: %s",
			g_strerror(errno));
		return NULL;
	}
	gfxstream->host = host;
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
	log_warn("gfxstream's library runs in this process: a guest can end the daemon with Vulkan "
		 "commands (SECURITY.md)");
	return &gfxstream->base;
}
