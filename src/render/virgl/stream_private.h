// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Which streams the library is given. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "render/virgl/protocol_private.h"

#define VIRGL_FORMAT_WORDS 16

struct virgl;
struct virgl_resource;

/* The formats that the running library can be asked for: bit n for format n. */
struct virgl_formats {
	uint32_t bits[VIRGL_FORMAT_WORDS];
};

/* Those that each version has. */
void virgl_formats_init(struct virgl_formats *formats);
/* Those in @mask too: VIRGL_FORMAT_WORDS words, as in a capset. */
void virgl_formats_add(struct virgl_formats *formats, const uint32_t *mask);
bool virgl_formats_has(const struct virgl_formats *formats, uint32_t format);

/* stream.c: false for a stream that the library may not survive. */
bool virgl_check_stream(const struct virgl *virgl, const uint32_t *stream, size_t n_words);

/* stream_object.c: CREATE_OBJECT with @n words behind the header. */
bool virgl_stream_check_object(const struct virgl *virgl, const uint32_t *command, uint32_t n);

/* stream_shader.c: a shader of @n words behind the header, of which there may be more than a header
 * can tell. */
bool virgl_stream_check_shader(const struct virgl *virgl, const uint32_t *command, uint32_t n);
/* Whether it is a part of a longer one; where in it the text begins, if so. */
bool virgl_stream_is_part(const uint32_t *command, uint32_t n);
uint32_t virgl_stream_text_at(const uint32_t *command);

/* stream_resource.c: a command that names resources of the guest's, of @n words behind the header.
 */
bool virgl_stream_check_transfer(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_blit(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_copy(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_clear(const struct virgl *virgl, const uint32_t *command, uint32_t n);
bool virgl_stream_check_memory_info(const struct virgl *virgl, const uint32_t *command, uint32_t n);
/* Whether @id is a texture, for all that is known. */
bool virgl_stream_is_texture(const struct virgl *virgl, uint32_t id);
/* Whether texture @id survives what is drawn to it as @format, for all that is known. */
bool virgl_stream_can_draw_as(const struct virgl *virgl, uint32_t id, uint32_t format);
/* Whether words @first, @first + @step and so on, up to @n, name buffers of OpenGL's, or none. */
bool virgl_stream_check_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t first,
				uint32_t step, uint32_t n);
/* Whether @command, which is whole, copies from outside of a picture. */
bool virgl_stream_is_outside(const struct virgl *virgl, const uint32_t *command);
/* The resource that the library knows as @id, if it is known here what it is: not a blob. */
const struct virgl_resource *virgl_stream_find(const struct virgl *virgl, uint32_t id);
