// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * virglrenderer for real, on whatever OpenGL this host has; on the CPU will do. Its state is
 * global, and some of it stays when it is cleaned up: each group of tests has a process and a
 * renderer of its own. Skipped where it cannot start.
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

/* The command stream (virgl's protocol): opcode, object, length in words. */
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

/* The one that the tests of a program use. */
extern struct virgl_rig {
	struct renderer *renderer;
	const struct renderer_ops *ops;
	/* What the renderer said has passed, in its order. */
	struct renderer_fence passed[VIRGL_RIG_MAX_PASSED];
	unsigned n_passed;
} virgl_rig;

/* With these options; 0, or -1 with the reason on standard error. */
int virgl_rig_start(const struct virgl_options *options);
/* Set-ups and a tear-down of cmocka groups. */
int virgl_rig_start_gles(void **state);
/* OpenGL for the host, one capset for the guest. */
int virgl_rig_start_gl(void **state);
int virgl_rig_stop(void **state);

/* Polls as the device would until @n fences have passed in all. */
void virgl_rig_wait_for_fences(unsigned n);

/* NULL if the renderer refuses. */
struct renderer_resource *virgl_rig_new_2d(uint32_t id, uint32_t format, uint32_t width,
					   uint32_t height);
/* A render target; of W x H without a size. */
struct renderer_resource *virgl_rig_new_target_of(uint32_t id, uint32_t width, uint32_t height);
struct renderer_resource *virgl_rig_new_target(uint32_t id);

/* Clears resource @id to a colour, as surface @object of @ctx. As renderer_ops::submit. */
int virgl_rig_clear(uint32_t ctx, uint32_t object, uint32_t id, float red, float green, float blue);

/* Runs each group in a process, after the question whether it works here at all. */
int virgl_rig_run_groups(int (*const groups[])(void), unsigned n);
