// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Real virglrenderer, on any OpenGL of this host, also on the CPU. Its state is global, and cleanup
 * leaves some of it, so each group of tests has its own process and renderer. Skipped where it
 * cannot start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/virtio_gpu.h>

#include "render/renderer.h"
#include "render/virgl.h"

#define CTX 1
#define W   64
#define H   48

/* A command's header (virgl's protocol): opcode, object, length in words. */
#define COMMAND(op, object, n)   ((uint32_t)(n) << 16 | (uint32_t)(object) << 8 | (uint32_t)(op))
#define OP_CREATE_OBJECT         1
#define OP_SET_FRAMEBUFFER_STATE 5
#define OP_CLEAR                 7
#define OBJECT_SURFACE           8
#define CLEAR_COLOR0             (1 << 2)
#define BIND_RENDER_TARGET       (1 << 1)
#define BIND_SAMPLER_VIEW        (1 << 3)
#define TARGET_TEXTURE_2D        2

#define VIRGL_RIG_MAX_PASSED 8192

/* The rig of the running test. */
extern struct virgl_rig {
	struct renderer *renderer;
	const struct renderer_ops *ops;
	/* The fences that the renderer reported, in order. */
	struct renderer_fence passed[VIRGL_RIG_MAX_PASSED];
	unsigned n_passed;
} virgl_rig;

/* Starts the renderer with these options; 0, or -1 with the reason on standard error. */
int virgl_rig_start(const struct virgl_options *options);
/* Setup and tear-down of cmocka groups. */
int virgl_rig_start_gles(void **state);
/* OpenGL on the host, one capset for the guest. */
int virgl_rig_start_gl(void **state);
int virgl_rig_stop(void **state);

/* Polls, as the device does, until @n fences have completed in all. */
void virgl_rig_wait_for_fences(unsigned n);

/* NULL if the renderer refuses. */
struct renderer_resource *virgl_rig_new_2d(uint32_t id, uint32_t format, uint32_t width,
					   uint32_t height);
/* Creates a render target; of W x H unless a size is given. */
struct renderer_resource *virgl_rig_new_target_of(uint32_t id, uint32_t width, uint32_t height);
struct renderer_resource *virgl_rig_new_target(uint32_t id);

/* Reads the pixels of @r, and converts them to the display's format. Returns as
 * renderer_ops::read_pixels. */
int virgl_rig_read_shown(struct renderer_resource *resource, const struct rect *r, void *data,
			 uint32_t stride);

/* Clears resource @id to a colour, as surface @object of @ctx. Returns as renderer_ops::submit. */
int virgl_rig_clear(uint32_t ctx, uint32_t object, uint32_t id, float red, float green, float blue);

/* Runs each group in its own process, after a check that OpenGL works here. */
int virgl_rig_run_groups(int (*const groups[])(void), unsigned n);
