// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A daemon whose malloc() paints its blocks (paint_malloc.c), and guest memory in which the tests
 * look for paint, which is memory that was never written.
 */
#pragma once

#include "gpu3d.h"

#define ROOM      (1u << 20) /* bytes */
#define ROOM_BYTE 0x11       /* the initial contents of guest memory */
#define PAINT     0xaa

#define SIDE 36 /* side of a texture: a multiple of 4, and not of 8 */

#define TARGET_CUBE       4
#define TARGET_1D_ARRAY   6
#define TARGET_2D_ARRAY   7
#define TARGET_CUBE_ARRAY 8

#define FORMAT_Z32F  18
#define FORMAT_DXT1  105
#define FORMAT_X24S8 136

#define BIND_DEPTH   (1u << 0)
#define BIND_STAGING (1u << 19)

/* Guest memory that is large enough for any resource here. */
struct room {
	uint64_t gpa;
	uint8_t *bytes;
};

/* Like fixture_boot(), with OpenGL. */
struct vmm *painted_boot(void **state);

struct room room_new(struct vmm *vmm);
/* Attaches it to resource @id, in one piece or in two with a gap between them. */
void room_attach(struct vmm *vmm, uint32_t id, const struct room *room, unsigned pieces);
/* Whether bytes [@from, @to) are all @byte. */
bool room_holds(const struct room *room, uint32_t from, uint32_t to, uint8_t byte);
/* Counts two-byte words of paint. */
unsigned room_count_paint(const struct room *room);

/* The arguments of gpu_create_3d() that make resource 1 a buffer of @size bytes, and a texture of
 * width SIDE. */
create_3d_t painted_buffer(uint32_t format, uint32_t size);
create_3d_t painted_texture(uint32_t target, uint32_t format, uint32_t samples);
