// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Vulkan for the guest, through gfxstream's library, in this process. */

#include <stdint.h>

struct renderer;

extern const struct renderer_kind gfxstream_renderer_kind;

/* Capset ids of linux/virtio_gpu.h; its older versions lack them. */
enum gfxstream_capset {
	GFXSTREAM_CAPSET_VULKAN = 3,
	GFXSTREAM_CAPSET_GLES = 8,
	GFXSTREAM_CAPSET_COMPOSER = 9,
};

struct gfxstream_options {
	const char *library; /* a path; NULL: libgfxstream_backend in the loader's directories */
	const char
		*gpu_device;  /* the render node of the GPU that draws; NULL: the library chooses */
	const char *features; /* "NAME:enabled,NAME:disabled"; NULL: the library's defaults */
	/* 1 << id of each capset that the guest may see; 0: only Vulkan's. The others need EGL and
	 * OpenGL ES on the host. */
	uint32_t capsets;
};

/* File descriptors of the process that each resource may take. */
#define GFXSTREAM_FDS_PER_RESOURCE 4
/* The upper limit on the number of resources; the process's limit of descriptors may allow
 * fewer. */
#define GFXSTREAM_MAX_RESOURCES 8192

/*
 * Tries the library in a child process, then starts it in the calling thread, from which all later
 * calls must come. It can be started only once in a process, not again after the renderer was
 * freed. On failure returns NULL, with one sentence about the error in *@ret_message (freed with
 * g_free()).
 */
struct renderer *gfxstream_new(const struct gfxstream_options *options, char **ret_message);
