// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "virgl_draw.h"

#include <glib.h>
#include <string.h>

static struct renderer_resource *target, *vertices;

void draw_add(struct draw_stream *s, unsigned command, unsigned object, const uint32_t *words,
	      unsigned n)
{
	s->words[s->n] = VIRGL_HEADER(command, object, n);
	memcpy(s->words + s->n + 1, words, n * 4);
	s->n += n + 1;
}

int draw_submit(struct draw_stream *s)
{
	int r = virgl_rig.ops->submit(virgl_rig.renderer, CTX, s->words, s->n * 4);

	s->n = 0;
	return r;
}

void draw_add_text(struct draw_stream *s, uint32_t handle, uint32_t type, uint32_t length,
		   const char *text, unsigned from, unsigned n)
{
	char padded[DRAW_MAX_WORDS * 2] = "";
	uint32_t words[DRAW_MAX_WORDS] = { handle, type, length, 300, 0 };

	g_strlcpy(padded, text, sizeof(padded));
	memcpy(words + 5, padded + from * 4, n * 4);
	draw_add(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, words, 5 + n);
}

unsigned draw_count_words(const char *text)
{
	return (unsigned)strlen(text) / 4 + 1;
}

void draw_add_shader(struct draw_stream *s, uint32_t handle, uint32_t type, const char *text)
{
	draw_add_text(s, handle, type, (uint32_t)strlen(text) + 1, text, 0, draw_count_words(text));
}

struct renderer_resource *draw_new_buffer(uint32_t id, uint32_t bytes, uint32_t bind)
{
	const struct renderer_resource_args args = {
		.id = id,
		.format = VIRGL_FORMAT_R8_UNORM,
		.bind = bind,
		.width = bytes,
		.height = 1,
		.depth = 1,
		.array_size = 1,
	};
	struct renderer_resource *buffer;

	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &buffer), 0);
	virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, buffer);
	return buffer;
}

void draw_add_state(struct draw_stream *s)
{
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, DRAW_BLEND, 0, 0, 15u << 27, 0, 0, 0, 0, 0,
	    0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, DRAW_DSA, 0, 0, 0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_RASTERIZER, DRAW_RASTERIZER, 1 << 1 | 1 << 29, ONE,
	    0, 0, ONE, 0, 0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, DRAW_ELEMENTS, 0, 0, 0, 31);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SURFACE, DRAW_SURFACE, DRAW_TARGET, 1, 0, 0);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_BLEND, DRAW_BLEND);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, DRAW_DSA);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_RASTERIZER, DRAW_RASTERIZER);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, DRAW_ELEMENTS);
	ADD(s, VIRGL_SET_FRAMEBUFFER_STATE, 0, 1, 0, DRAW_SURFACE);
	ADD(s, VIRGL_SET_VIEWPORT_STATE, 0, 0, HALF, HALF, ONE, HALF, HALF, 0);
	ADD(s, VIRGL_RESOURCE_INLINE_WRITE, 0, DRAW_VERTICES, 0, 0, 0, 0, 0, 0, 0, 48, 1, 1, MINUS,
	    MINUS, 0, ONE, THREE, MINUS, 0, ONE, MINUS, THREE, 0, ONE);
	ADD(s, VIRGL_SET_VERTEX_BUFFERS, 0, 16, 0, DRAW_VERTICES);
	ADD(s, VIRGL_SET_SAMPLE_MASK, 0, UINT32_MAX);
	draw_add_shader(s, DRAW_VERTEX_SHADER, VIRGL_SHADER_VERTEX, DRAW_POSITIONS);
}

void draw_add_draw(struct draw_stream *s, uint32_t fragment_shader)
{
	ADD(s, VIRGL_BIND_SHADER, 0, DRAW_VERTEX_SHADER, VIRGL_SHADER_VERTEX);
	ADD(s, VIRGL_BIND_SHADER, 0, fragment_shader, VIRGL_SHADER_FRAGMENT);
	ADD(s, VIRGL_DRAW_VBO, 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, UINT32_MAX, 0);
}

void draw_set_up(struct draw_stream *s)
{
	target = virgl_rig_new_target_of(DRAW_TARGET, DRAW_SIZE, DRAW_SIZE);
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "test", 4), 0);
	virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, target);
	vertices = draw_new_buffer(DRAW_VERTICES, 64, 1 << 4);
	s->n = 0;
}

void draw_tear_down(void)
{
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, target);
	virgl_rig.ops->resource_free(virgl_rig.renderer, vertices);
}

void draw_assert_color(uint32_t due)
{
	const struct rect all = { 0, 0, DRAW_SIZE, DRAW_SIZE };
	uint32_t pixels[DRAW_SIZE * DRAW_SIZE];

	assert_int_equal(virgl_rig_read_shown(target, &all, pixels, DRAW_SIZE * 4), 0);
	assert_int_equal(pixels[DRAW_SIZE * DRAW_SIZE / 2] & 0xffffff, due);
}
