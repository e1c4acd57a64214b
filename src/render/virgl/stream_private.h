// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The checks that decide whether a stream is passed to the library. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "render/virgl/protocol_private.h"

#define VIRGL_FORMAT_WORDS 16

struct virgl;
struct virgl_resource;

/* The formats that the running library supports: bit n for format n. */
struct virgl_formats {
	uint32_t bits[VIRGL_FORMAT_WORDS];
};

/* Starts with the formats that every version supports. */
void virgl_formats_init(struct virgl_formats *formats);
/* Adds the formats in @mask: VIRGL_FORMAT_WORDS words, as in a capset. */
void virgl_formats_add(struct virgl_formats *formats, const uint32_t *mask);
bool virgl_formats_has(const struct virgl_formats *formats, uint32_t format);

/* stream.c: returns false for a stream that may crash the library. */
bool virgl_check_stream(const struct virgl *virgl, const uint32_t *stream, size_t n_words);

/* stream_object.c: CREATE_OBJECT with @n words behind the header. */
bool virgl_stream_check_object(const struct virgl *virgl, const uint32_t *command, uint32_t n);

/* stream_shader.c: a shader of @n words after the header; @n may be larger than the header's length
 * field can hold. */
bool virgl_stream_check_shader(const struct virgl *virgl, const uint32_t *command, uint32_t n);
/* Whether the command holds a part of a longer shader, and if so, at which word the text begins. */
bool virgl_stream_is_part(const uint32_t *command, uint32_t n);
uint32_t virgl_stream_text_at(const uint32_t *command);

/* stream_resource.c: commands that refer to the guest's resources, with @n words after the
 * header. */
bool virgl_stream_check_transfer(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_blit(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_copy(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_clear(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_memory_info(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_layout(const struct virgl *virgl, const uint32_t *command, uint32_t n);
/* Whether @id is a texture; true if its kind is not known. */
bool virgl_stream_is_texture(const struct virgl *virgl, uint32_t id);
/* Whether the library can draw to texture @id as @format without a crash, as far as is known. */
bool virgl_stream_can_draw_as(const struct virgl *virgl, uint32_t id, uint32_t format);
/* Whether each of the words @first, @first + @step and so on, up to @n, is the id of an OpenGL
 * buffer, or of no resource. */
bool virgl_stream_check_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t first,
				uint32_t step, uint32_t n);
/* Whether @command, which is complete, copies from outside of its source texture. */
bool virgl_stream_is_outside(const struct virgl *virgl, const uint32_t *command);
/* Returns the resource @id, or NULL if there is none or its properties are not known, because it is
 * a blob. */
const struct virgl_resource *virgl_stream_find(const struct virgl *virgl, uint32_t id);
