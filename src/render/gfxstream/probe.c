// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The library does not report that it cannot start: without a Vulkan driver, or with one that it
 * does not support, it crashes, ends the process or waits for ever. So it is started in a child
 * first (trial.c). The child performs a guest's operations: it makes a context, writes to an image
 * and reads it back, and exports the memory of a ring. Then it makes an image of each format: the
 * library ends the child at a format that the driver lacks, and a new child goes on with the next
 * format.
 */
#include <fcntl.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/gfxstream/gfxstream_private.h"

#define LOG_MODULE "gfxstream"
#include "base/log.h"

#define CONTEXT    1
#define RING       1
#define IMAGE      2 /* the ids above it: one image for each format */
#define SIDE       16
#define RING_BYTES (2 << 20)

unsigned gfxstream_flags(const struct gfxstream_options *options)
{
	const unsigned flags = GFXSTREAM_USE_VULKAN | GFXSTREAM_USE_SURFACELESS |
			       GFXSTREAM_USE_EXTERNAL_BLOB | GFXSTREAM_USE_SYSTEM_BLOB;

	return options->capsets & ~(1u << GFXSTREAM_CAPSET_VULKAN)
		       ? flags | GFXSTREAM_USE_EGL | GFXSTREAM_USE_GLES
		       : flags;
}

/* The library calls this in any of its threads. A guest can cause errors as often as it likes: they
 * go through the log, which limits their rate and never waits for the reader of its output. */
static void on_debug(void *data, const struct gfxstream_debug *debug)
{
	const char *message = debug->message ? debug->message : "";

	(void)data;
	if (debug->type == GFXSTREAM_DEBUG_ERROR)
		log_error("%s", message);
	else
		log_debug("%s", message);
}

int gfxstream_init(const struct gfxstream_library *library, const struct gfxstream_options *options,
		   gfxstream_fence_fn fn, void *data)
{
	const struct gfxstream_param params[] = {
		{ GFXSTREAM_PARAM_USER_DATA, (uintptr_t)data },
		{ GFXSTREAM_PARAM_RENDERER_FLAGS, gfxstream_flags(options) },
		{ GFXSTREAM_PARAM_FENCE_CALLBACK, (uintptr_t)fn },
		{ GFXSTREAM_PARAM_DEBUG_CALLBACK, (uintptr_t)on_debug },
		{ GFXSTREAM_PARAM_RENDERER_FEATURES, (uintptr_t)options->features },
	};

	return library->init(params, G_N_ELEMENTS(params) - (options->features ? 0 : 1));
}

/* ---- the child ---- */

static struct gfxstream_library tried;

static void ignore_fence(void *data, const struct gfxstream_fence *fence)
{
	(void)data;
	(void)fence;
}

static bool can_copy_pixels(void)
{
	static uint8_t written[SIDE * SIDE * 4], copy[sizeof(written)];
	const struct gfxstream_resource_args args = gfxstream_image_example(0, IMAGE, SIDE);
	const struct gfxstream_box box = { 0, 0, 0, SIDE, SIDE, 1 };
	struct iovec iov = { copy, sizeof(copy) };

	for (size_t i = 0; i < sizeof(written); i++)
		written[i] = (uint8_t)(i * 7);
	memcpy(copy, written, sizeof(copy));
	if (tried.resource_create(&args, NULL, 0) != 0 ||
	    tried.resource_attach_iov(IMAGE, &iov, 1) != 0 ||
	    tried.transfer_write_iov(IMAGE, 0, 0, 0, 0, &box, 0, NULL, 0) != 0)
		return false;
	memset(copy, 0, sizeof(copy));
	return tried.transfer_read_iov(IMAGE, 0, 0, 0, 0, &box, 0, NULL, 0) == 0 &&
	       memcmp(copy, written, sizeof(copy)) == 0;
}

static bool can_share_memory(void)
{
	const struct gfxstream_blob_args args = { VIRTIO_GPU_BLOB_MEM_HOST3D,
						  VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE, 0,
						  RING_BYTES };
	struct gfxstream_handle handle = { .os_handle = -1 };
	uint32_t map_info;

	return tried.create_blob(CONTEXT, RING, &args, NULL, 0, NULL) == 0 &&
	       tried.resource_map_info(RING, &map_info) == 0 &&
	       tried.export_blob(RING, &handle) == 0 && handle.type == GFXSTREAM_HANDLE_SHM &&
	       fcntl((int)handle.os_handle, F_GET_SEALS) >= 0;
}

static void try_formats(struct gfxstream_host *host)
{
	while (host->n_tried < GFXSTREAM_N_FORMATS) {
		const unsigned row = host->n_tried++;
		const struct gfxstream_resource_args args =
			gfxstream_image_example(row, IMAGE + 1 + row, SIDE);

		if (tried.resource_create(&args, NULL, 0) == 0)
			host->formats |= 1u << row;
	}
}

struct attempt {
	const struct gfxstream_options *options;
	struct gfxstream_host *host;
};

/* Runs in the child. Returns NULL, or a sentence about the error. */
static const char *try_library(void *data)
{
	const struct attempt *attempt = data;
	const struct gfxstream_options *options = attempt->options;
	const char *problem = gfxstream_library_open(&tried, options->library);

	if (problem)
		return problem; /* freed when the child ends */
	if (gfxstream_init(&tried, options, ignore_fence, NULL) != 0)
		return options->features ? "the library does not start; check --gfxstream-features"
					 : "the library does not start";
	if (tried.context_create(CONTEXT, 0, "", GFXSTREAM_CAPSET_VULKAN) != 0)
		return "the library cannot create a context";
	if (!can_copy_pixels())
		return "an image read back differs from what was written";
	if (!can_share_memory())
		return "the library's memory cannot be shared with another process";
	try_formats(attempt->host);
	return NULL;
}

static const char *find_driver(void *data)
{
	(void)data;
	return vulkan_driver_find_problem();
}

/* ---- the parent ---- */

/* Repeats the trial as long as a child ended in try_formats(). Returns NULL, or one sentence about
 * the error. */
static char *try_in_children(struct attempt *attempt)
{
	unsigned n_tried;
	char *problem = NULL;

	do {
		n_tried = attempt->host->n_tried;
		g_free(problem);
		problem = trial_run(try_library, attempt);
	} while (problem && attempt->host->n_tried > n_tried);
	return problem;
}

char *gfxstream_probe(const struct gfxstream_options *options, struct gfxstream_host *host)
{
	struct attempt attempt = { options, host };
	g_autofree char *problem = try_in_children(&attempt);

	if (!problem || g_str_has_prefix(problem, "gfxstream"))
		return g_steal_pointer(&problem);
	g_autofree char *driver = trial_run(find_driver, NULL);

	return g_strdup_printf("gfxstream cannot start: %s%s%s", problem, driver ? "; " : "",
			       driver ? driver : "");
}
