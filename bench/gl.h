// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The work for the GPU in a 3D case, written once as virtio-gpu commands, so that the daemon
 * (through the fake front-end) and the bare limit (through the library's own calls) do the same.
 */
#pragma once

#include "bench.h"
#include "gpu3d.h"

#define GL_MAX_SETUP   128
#define GL_MAX_STREAMS 2
#define GL_DEPTH       32 /* streams under way at once, at most */

struct gl_step {
	union {
		struct virtio_gpu_ctrl_hdr hdr; /* with FENCE in it: ends when the GPU is done */
		struct virtio_gpu_ctx_create ctx_create;
		struct virtio_gpu_ctx_resource ctx_resource;
		struct virtio_gpu_resource_create_3d create_3d;
		struct virtio_gpu_resource_attach_backing attach; /* one piece, of data_size */
		struct virtio_gpu_transfer_host_3d transfer;
		struct virtio_gpu_cmd_submit submit;
	};
	uint32_t data_size;
	const void *data; /* of a stream; of a backing: its contents, NULL for zeros */
};

struct gl_script {
	unsigned n_setup, n_streams;
	struct gl_step setup[GL_MAX_SETUP];     /* once, without a fence */
	struct gl_step streams[GL_MAX_STREAMS]; /* run in turn: one is an operation */
};

/* gl_script.c. Nothing of a script is freed. */
struct gl_script *gl_script_empty(void);
/* A turning cube, as recorded in gl_kmscube_path; NULL if that is missing. */
struct gl_script *gl_script_kmscube(void);
/* A texture with the number GL_TEXTURE, all of one colour, and two streams that copy two other
 * colours to @damage of it. */
#define GL_CONTEXT 1
#define GL_TEXTURE 1
struct gl_script *gl_script_texture(uint32_t width, uint32_t height, struct virtio_gpu_rect damage);

/* limit_3d.c: the bare limits. */
void limit_submit(struct run *r, const struct gl_script *script, unsigned depth, unsigned warm_up,
		  unsigned n);
void limit_flush(struct run *r, const struct gl_script *script, uint32_t width, uint32_t height,
		 struct virtio_gpu_rect damage, unsigned n);
/* The number of pixels received since display_forget(). */
uint64_t gl_pixels_shown(const struct display *d);
