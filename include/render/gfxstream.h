// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Vulkan for the guest, by gfxstream's library, within this process. */

#include <stdint.h>

struct renderer;

extern const struct renderer_kind gfxstream_renderer_kind;

/* Of linux/virtio_gpu.h, whose older versions do not have them. */
enum gfxstream_capset {
	GFXSTREAM_CAPSET_VULKAN = 3,
	GFXSTREAM_CAPSET_GLES = 8,
	GFXSTREAM_CAPSET_COMPOSER = 9,
};

struct gfxstream_options {
	const char *library;  /* a path; NULL: libgfxstream_backend where the system looks */
	const char *features; /* "NAME:enabled,NAME:disabled", for the library; NULL: its own */
	/* 1 << id of each that the guest may see; 0: Vulkan's alone. Others than Vulkan's need EGL
	 * and OpenGL ES on the host. */
	uint32_t capsets;
};

/* File descriptors of the process that each resource may take. */
#define GFXSTREAM_FDS_PER_RESOURCE 3
/* How many resources there can be: as many as fit into the process's limit of descriptors, and no
 * more than this. */
#define GFXSTREAM_MAX_RESOURCES 8192

/*
 * Tries the library in a child, then starts it, here and now, in this thread; all calls must come
 * from it. Once in a process, also if the renderer was freed. NULL with one sentence in
 * *@ret_message (freed with g_free()) if it cannot be.
 */
struct renderer *gfxstream_new(const struct gfxstream_options *options, char **ret_message);
