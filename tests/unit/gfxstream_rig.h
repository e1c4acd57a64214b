// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The gfxstream renderer on the stand-in for its library. The stand-in aborts where the library
 * would crash or hang, so a test that ends proves that no such call was made. Included first, for
 * cmocka. */

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <linux/virtio_gpu.h>

#include "render/gfxstream.h"
#include "render/renderer.h"

#define GFX_CTX 7

#define GFX_BIND_RENDER_TARGET (1u << 1)
#define GFX_BIND_CUSTOM        (1u << 17)
#define GFX_BIND_LINEAR        (1u << 22)
#define GFX_FORMAT_R8          64

#define GFX_RING_BYTES ((uint64_t)12288 + 1048576)

struct gfxstream_rig {
	struct renderer *renderer;
	const struct renderer_ops *ops;
	struct renderer_fence passed[16];
	unsigned n_passed;
};

extern struct gfxstream_rig gfxstream_rig;

/* Setup for cmocka, once in a process: starts the renderer, with one context GFX_CTX. */
int gfxstream_rig_start(void **state);
int gfxstream_rig_stop(void **state);
/* NULL, with the reason in *@ret_message (freed with g_free()), if it does not start. */
struct renderer *gfxstream_rig_new(const struct gfxstream_options *options, char **ret_message);

/* Arguments of a texture that the guest creates. */
struct renderer_resource_args gfxstream_rig_args(uint32_t id, uint32_t width, uint32_t height);
/* Creates a 2D resource without backing. */
struct renderer_resource *gfxstream_rig_new_2d(uint32_t id, uint32_t format, uint32_t width,
					       uint32_t height);
/* Creates a host blob; NULL if it is refused. */
struct renderer_resource *gfxstream_rig_new_blob(uint32_t id, uint64_t blob_id, uint64_t size);
void gfxstream_rig_free(struct renderer_resource *resource);

int gfxstream_rig_submit(const uint32_t *words, unsigned n);
