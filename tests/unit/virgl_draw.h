// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Command streams that draw a triangle over the whole target; the tests check its colour.
 */
#include "render/virgl/protocol_private.h"
#include "virgl_rig.h"

#define DRAW_MAX_WORDS 2048
#define DRAW_SIZE      8 /* size of the target in pixels */

enum { DRAW_TARGET = 1, DRAW_VERTICES, DRAW_FREE_ID };
enum {
	DRAW_BLEND = 1,
	DRAW_DSA,
	DRAW_RASTERIZER,
	DRAW_ELEMENTS,
	DRAW_SURFACE,
	DRAW_VERTEX_SHADER,
	DRAW_FRAGMENT_SHADER,
	DRAW_OTHER
};

#define ONE   0x3f800000
#define THREE 0x40400000
#define MINUS 0xbf800000
#define HALF  0x40800000 /* of the target */

#define RED   0xff0000u
#define BLUE  0x0000ffu
#define BLACK 0u

struct draw_stream {
	uint32_t words[DRAW_MAX_WORDS];
	unsigned n;
};

void draw_add(struct draw_stream *s, unsigned command, unsigned object, const uint32_t *words,
	      unsigned n);

#define ADD(s, command, object, ...)                                                               \
	draw_add(s, command, object, (const uint32_t[]){ __VA_ARGS__ },                            \
		 sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* Submits the stream and empties it. Returns as renderer_ops::submit. */
int draw_submit(struct draw_stream *s);

/* Adds @n words of @text from word @from, as part of a shader of @length bytes (bit 31: a
 * continuation at that offset). */
void draw_add_text(struct draw_stream *s, uint32_t handle, uint32_t type, uint32_t length,
		   const char *text, unsigned from, unsigned n);
unsigned draw_count_words(const char *text);
void draw_add_shader(struct draw_stream *s, uint32_t handle, uint32_t type, const char *text);

/* Creates a context with a target and vertices. */
void draw_set_up(struct draw_stream *s);
void draw_tear_down(void);
/* Creates a buffer of the guest in the context. */
struct renderer_resource *draw_new_buffer(uint32_t id, uint32_t bytes, uint32_t bind);

/* Adds everything that a draw needs except the fragment shader. draw_add_draw() binds the shaders
 * and adds the draw. */
void draw_add_state(struct draw_stream *s);
void draw_add_draw(struct draw_stream *s, uint32_t fragment_shader);

#define DRAW_POSITIONS "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\n  0: MOV OUT[0], IN[0]\n  1: END\n"
#define DRAW_RED                                                                                   \
	"FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {1.0, 0.0, 0.0, 1.0}\n  0: MOV OUT[0], IMM[0]\n"    \
	"  1: END\n"
#define DRAW_BLUE                                                                                  \
	"FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {0.0, 0.0, 1.0, 1.0}\n  0: MOV OUT[0], IMM[0]\n"    \
	"  1: END\n"

void draw_assert_color(uint32_t due);
