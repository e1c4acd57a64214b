// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The scripts. An empty stream is one word that tells the library to do nothing: with no word at
 * all the daemon would not call it, and what is to be measured is the way to it and back.
 */
#include "gl.h"

#include <stdlib.h>
#include <string.h>

#define SURFACE 100
#define COLOUR  0x204060

static struct gl_script *script_new(void)
{
	struct gl_script *s = calloc(1, sizeof(*s));

	if (!s)
		vmm_fail("out of memory");
	return s;
}

static struct gl_step *add_setup(struct gl_script *s, uint32_t type)
{
	struct gl_step *step = &s->setup[s->n_setup++];

	if (s->n_setup > GL_MAX_SETUP)
		vmm_fail("the script is too long");
	step->hdr = (struct virtio_gpu_ctrl_hdr){ .type = type, .ctx_id = GL_CONTEXT };
	return step;
}

static void add_context(struct gl_script *s)
{
	struct gl_step *step = add_setup(s, VIRTIO_GPU_CMD_CTX_CREATE);

	step->ctx_create.nlen = 5;
	memcpy(step->ctx_create.debug_name, "bench", 5);
}

struct gl_script *gl_script_empty(void)
{
	static const uint32_t nothing[] = { 0 };
	struct gl_script *s = script_new();

	add_context(s);
	s->frame[s->n_frame++] = (struct gl_step){
		.submit = { { .type = VIRTIO_GPU_CMD_SUBMIT_3D,
			      .flags = VIRTIO_GPU_FLAG_FENCE,
			      .ctx_id = GL_CONTEXT },
			    sizeof(nothing),
			    0 },
		.data = nothing,
		.data_size = sizeof(nothing),
	};
	return s;
}

struct gl_script *gl_script_texture(uint32_t width, uint32_t height)
{
	struct gl_script *s = script_new();
	struct stream *stream = calloc(1, sizeof(*stream));
	struct gl_step *step;

	if (!stream)
		vmm_fail("out of memory");
	add_context(s);
	step = add_setup(s, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D);
	step->create_3d = gpu_texture(GL_TEXTURE, width, height);
	step->hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D;
	step = add_setup(s, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE);
	step->ctx_resource.resource_id = GL_TEXTURE;
	stream_surface(stream, SURFACE, GL_TEXTURE);
	stream_framebuffer(stream, SURFACE);
	stream_clear(stream, COLOUR);
	step = add_setup(s, VIRTIO_GPU_CMD_SUBMIT_3D);
	step->data = stream->words;
	step->data_size = step->submit.size = stream->count * 4;
	return s;
}
