// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The part of virgl's protocol that is needed to check streams. A stream is a sequence of commands:
 * a header (command in bits 0-7, kind of object in bits 8-15, number of words that follow in bits
 * 16-31) and words. WORD_* count from the header, which is word 0; numbers are those of
 * virglrenderer's virgl_protocol.h, limits those of OpenGL 4.6 and of the Gallium state that virgl
 * passes on.
 */

#include <stdint.h>

#define VIRGL_COMMAND(header) ((header)&0xff)
#define VIRGL_OBJECT(header)  ((header) >> 8 & 0xff)
#define VIRGL_N_WORDS(header) ((header) >> 16)
#define VIRGL_HEADER(command, object, n_words)                                                     \
	((uint32_t)(command) | (uint32_t)(object) << 8 | (uint32_t)(n_words) << 16)
#define VIRGL_MAX_WORDS 0xffff

enum virgl_command {
	VIRGL_NOP = 0,
	VIRGL_CREATE_OBJECT = 1,
	VIRGL_BIND_OBJECT = 2,
	VIRGL_DESTROY_OBJECT = 3,
	VIRGL_SET_VIEWPORT_STATE = 4,
	VIRGL_SET_FRAMEBUFFER_STATE = 5,
	VIRGL_SET_VERTEX_BUFFERS = 6,
	VIRGL_CLEAR = 7,
	VIRGL_DRAW_VBO = 8,
	VIRGL_RESOURCE_INLINE_WRITE = 9,
	VIRGL_SET_SAMPLER_VIEWS = 10,
	VIRGL_SET_INDEX_BUFFER = 11,
	VIRGL_SET_CONSTANT_BUFFER = 12,
	VIRGL_SET_STENCIL_REF = 13,
	VIRGL_SET_BLEND_COLOR = 14,
	VIRGL_SET_SCISSOR_STATE = 15,
	VIRGL_BLIT = 16,
	VIRGL_RESOURCE_COPY_REGION = 17,
	VIRGL_BIND_SAMPLER_STATES = 18,
	VIRGL_BEGIN_QUERY = 19,
	VIRGL_END_QUERY = 20,
	VIRGL_GET_QUERY_RESULT = 21,
	VIRGL_SET_POLYGON_STIPPLE = 22,
	VIRGL_SET_CLIP_STATE = 23,
	VIRGL_SET_SAMPLE_MASK = 24,
	VIRGL_SET_STREAMOUT_TARGETS = 25,
	VIRGL_SET_RENDER_CONDITION = 26,
	VIRGL_SET_UNIFORM_BUFFER = 27,
	VIRGL_SET_SUB_CTX = 28,
	VIRGL_CREATE_SUB_CTX = 29,
	VIRGL_DESTROY_SUB_CTX = 30,
	VIRGL_BIND_SHADER = 31,
	VIRGL_SET_TESS_STATE = 32,
	VIRGL_SET_MIN_SAMPLES = 33,
	VIRGL_SET_SHADER_BUFFERS = 34,
	VIRGL_SET_SHADER_IMAGES = 35,
	VIRGL_MEMORY_BARRIER = 36,
	VIRGL_LAUNCH_GRID = 37,
	VIRGL_SET_FRAMEBUFFER_STATE_NO_ATTACH = 38,
	VIRGL_TEXTURE_BARRIER = 39,
	VIRGL_SET_ATOMIC_BUFFERS = 40,
	VIRGL_SET_DEBUG_FLAGS = 41,
	VIRGL_GET_QUERY_RESULT_QBO = 42,
	VIRGL_TRANSFER3D = 43,
	VIRGL_END_TRANSFERS = 44,
	VIRGL_COPY_TRANSFER3D = 45,
	VIRGL_SET_TWEAKS = 46,
	VIRGL_CLEAR_TEXTURE = 47,
	VIRGL_PIPE_RESOURCE_CREATE = 48,
	VIRGL_PIPE_RESOURCE_SET_TYPE = 49,
	VIRGL_GET_MEMORY_INFO = 50,
	VIRGL_SEND_STRING_MARKER = 51,
	VIRGL_LINK_SHADER = 52,
	VIRGL_CREATE_VIDEO_CODEC = 53, /* 53 to 61: video, in libraries that were built with it */
	VIRGL_END_FRAME = 61,
	VIRGL_CLEAR_SURFACE = 62,
	VIRGL_GET_RESOURCE_LAYOUT = 63, /* from 1.3 on */
	VIRGL_N_COMMANDS,               /* virglrenderer up to 1.3 refuses all later numbers */
};

enum virgl_object {
	VIRGL_OBJECT_BLEND = 1,
	VIRGL_OBJECT_RASTERIZER = 2,
	VIRGL_OBJECT_DSA = 3,
	VIRGL_OBJECT_SHADER = 4,
	VIRGL_OBJECT_VERTEX_ELEMENTS = 5,
	VIRGL_OBJECT_SAMPLER_VIEW = 6,
	VIRGL_OBJECT_SAMPLER_STATE = 7,
	VIRGL_OBJECT_SURFACE = 8,
	VIRGL_OBJECT_QUERY = 9,
	VIRGL_OBJECT_STREAMOUT_TARGET = 10,
	VIRGL_OBJECT_MSAA_SURFACE = 11,
	VIRGL_N_OBJECTS,
};

/* Shaders, in the order of the protocol. */
enum virgl_shader_type {
	VIRGL_SHADER_VERTEX,
	VIRGL_SHADER_FRAGMENT,
	VIRGL_SHADER_GEOMETRY,
	VIRGL_SHADER_TESS_CTRL,
	VIRGL_SHADER_TESS_EVAL,
	VIRGL_SHADER_COMPUTE,
	VIRGL_N_SHADER_TYPES,
};

enum virgl_target {
	VIRGL_TARGET_BUFFER,
	VIRGL_TARGET_1D,
	VIRGL_TARGET_2D,
	VIRGL_TARGET_3D,
	VIRGL_TARGET_CUBE,
	VIRGL_TARGET_RECT,
	VIRGL_TARGET_1D_ARRAY,
	VIRGL_TARGET_2D_ARRAY,
	VIRGL_TARGET_CUBE_ARRAY,
	VIRGL_N_TARGETS,
};

#define VIRGL_FORMAT_R8_UNORM 64
#define VIRGL_FORMAT_R9G9B9E5 125

/* Limits that no OpenGL implementation exceeds: the largest texture has 2^15 pixels a side, 16
 * levels and 2^14 layers. A draw or a grid above the limits on vertices, instances and groups would
 * run for too long, because each of them takes at least one cycle of the GPU. */
#define VIRGL_MAX_LEVEL      16
#define VIRGL_MAX_LAYER      (1 << 14)
#define VIRGL_MAX_SIZE       (1 << 15)
#define VIRGL_MAX_SAMPLES    32
#define VIRGL_MAX_VERTICES   (1u << 28)
#define VIRGL_MAX_INSTANCES  (1u << 24)
#define VIRGL_MAX_DRAWN      (UINT64_C(1) << 36)
#define VIRGL_MAX_GROUPS     (UINT64_C(1) << 32)
#define VIRGL_MAX_PRIMITIVE  14
#define VIRGL_MAX_PATCH      32
#define VIRGL_MAX_ATTRIBUTES 32
