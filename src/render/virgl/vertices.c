// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Tracks the buffers of vertices and indices. If a draw lacks a buffer, OpenGL uses the offset as
 * an address in this process and reads there; the library does not check. So this file tracks the
 * buffers that vertex elements refer to, and skips a draw that lacks one; Mesa sends no such draw.
 * It also skips a draw with more indices than its buffer holds, as newer versions of the library
 * do.
 *
 * A buffer that OpenGL refuses leaves its slot empty. Some drivers refuse a stride above 2048, so
 * such a buffer counts as missing. Some refuse a command with more than 16 buffers, so then all of
 * its buffers count as missing.
 */
#include "render/virgl/protocol_private.h"
#include "render/virgl/submit_private.h"
#include "render/virgl/virgl_private.h"

#define MAX_BUFFERS 16
#define MAX_STRIDE  2048
/* Bytes that the library may read of an attribute with stride 0, which it reads by mapping the
 * buffer. */
#define MAX_ATTRIBUTE_BYTES 16

struct virgl_vertices {
	GHashTable *elements; /* mask of buffers by the object's number */
	uint32_t object;      /* the bound vertex elements; 0: none */
	uint32_t wanted;      /* its mask */
	uint32_t bound;       /* bit n: buffer n is bound */
	uint32_t index_id;    /* 0: none */
	uint32_t index_size, index_offset;
	uint64_t index_bytes; /* size of the whole index buffer */
};

void virgl_vertices_free(struct virgl_vertices *vertices)
{
	if (vertices)
		g_hash_table_unref(vertices->elements);
	g_free(vertices);
}

static struct virgl_vertices *get(struct virgl_sub_context *sub)
{
	if (!sub->vertices) {
		sub->vertices = g_new0(struct virgl_vertices, 1);
		sub->vertices->elements = g_hash_table_new(NULL, NULL);
	}
	return sub->vertices;
}

/* Each vertex element has four words, after the number of the object. */
#define WORD_ELEMENT_BUFFER 4
#define ELEMENT_WORDS       4

static uint32_t mask_of_elements(const uint32_t *command)
{
	uint32_t mask = 0, n = VIRGL_N_WORDS(command[0]);

	for (uint32_t at = WORD_ELEMENT_BUFFER; at <= n; at += ELEMENT_WORDS)
		mask |= 1u << command[at] % VIRGL_MAX_ATTRIBUTES;
	return mask;
}

/* Forgets the object @id, because it is destroyed or its number is reused. */
static void forget_object(struct virgl_sub_context *sub, uint32_t id)
{
	struct virgl_vertices *vertices = sub->vertices;

	if (!vertices || !g_hash_table_remove(vertices->elements, GUINT_TO_POINTER(id)) ||
	    vertices->object != id)
		return;
	vertices->object = 0;
	vertices->wanted = 0;
}

static void bind_object(struct virgl_sub_context *sub, uint32_t id)
{
	struct virgl_vertices *vertices = get(sub);

	vertices->object = id;
	vertices->wanted =
		GPOINTER_TO_UINT(g_hash_table_lookup(vertices->elements, GUINT_TO_POINTER(id)));
}

static void follow_object(struct virgl_sub_context *sub, const uint32_t *command)
{
	bool is_elements = VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_VERTEX_ELEMENTS;

	if (VIRGL_N_WORDS(command[0]) == 0)
		return;
	if (VIRGL_COMMAND(command[0]) == VIRGL_BIND_OBJECT) {
		if (is_elements)
			bind_object(sub, command[1]);
		return;
	}
	forget_object(sub, command[1]);
	if (VIRGL_COMMAND(command[0]) == VIRGL_CREATE_OBJECT && is_elements)
		g_hash_table_insert(get(sub)->elements, GUINT_TO_POINTER(command[1]),
				    GUINT_TO_POINTER(mask_of_elements(command)));
}

/* @buffer: stride, offset, resource. */
static bool is_there(const struct virgl *virgl, const uint32_t *buffer)
{
	const struct virgl_resource *resource = virgl_stream_find(virgl, buffer[2]);

	if (buffer[2] == 0 || buffer[0] > MAX_STRIDE)
		return false;
	return !virgl->maps_attributes || buffer[0] > 0 || !resource ||
	       (uint64_t)buffer[1] + MAX_ATTRIBUTE_BYTES <= resource->args.width;
}

static void follow_buffers(const struct virgl *virgl, struct virgl_sub_context *sub,
			   const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]) / 3;

	get(sub)->bound = 0;
	for (uint32_t i = 0; n <= MAX_BUFFERS && i < n; i++)
		if (is_there(virgl, command + 1 + 3 * i))
			sub->vertices->bound |= 1u << i;
}

/* Words: resource, size of an index, offset. The library keeps the old buffer as long as the id
 * does not change, even if the id belongs to another resource by now. */
static void follow_indices(const struct virgl *virgl, struct virgl_sub_context *sub,
			   const uint32_t *command)
{
	struct virgl_vertices *vertices = get(sub);
	const struct virgl_resource *resource;
	uint32_t n = VIRGL_N_WORDS(command[0]), id = n > 0 ? command[1] : 0;

	if (id != vertices->index_id) {
		resource = virgl_stream_find(virgl, id);
		vertices->index_bytes = resource ? resource->args.width : 0;
		vertices->index_id = id;
	}
	if (n < 3)
		return;
	vertices->index_size = command[2] == 1 || command[2] == 2 ? command[2] : 4;
	vertices->index_offset = command[3];
}

void virgl_vertices_follow(const struct virgl *virgl, struct virgl_sub_context *sub,
			   const uint32_t *command)
{
	switch (VIRGL_COMMAND(command[0])) {
	case VIRGL_CREATE_OBJECT:
	case VIRGL_BIND_OBJECT:
	case VIRGL_DESTROY_OBJECT:
		follow_object(sub, command);
		return;
	case VIRGL_SET_VERTEX_BUFFERS:
		follow_buffers(virgl, sub, command);
		return;
	case VIRGL_SET_INDEX_BUFFER:
		follow_indices(virgl, sub, command);
		return;
	}
}

#define WORD_DRAW_COUNT    2
#define WORD_DRAW_INDEXED  4
#define WORD_DRAW_INDIRECT 15
#define DRAW_WORDS         12

static bool is_indirect(const uint32_t *command)
{
	return VIRGL_N_WORDS(command[0]) >= WORD_DRAW_INDIRECT && command[WORD_DRAW_INDIRECT] != 0;
}

static bool lacks_indices(const struct virgl_vertices *vertices, const uint32_t *command)
{
	uint64_t bytes = (uint64_t)command[WORD_DRAW_COUNT] * vertices->index_size;

	if (command[WORD_DRAW_INDEXED] == 0 || is_indirect(command))
		return false;
	return bytes + vertices->index_offset > vertices->index_bytes;
}

bool virgl_vertices_are_missing(const struct virgl_sub_context *sub, const uint32_t *command)
{
	const struct virgl_vertices *vertices = sub->vertices;

	if (!vertices || VIRGL_COMMAND(command[0]) != VIRGL_DRAW_VBO ||
	    VIRGL_N_WORDS(command[0]) < DRAW_WORDS)
		return false;
	return (vertices->wanted & ~vertices->bound) != 0 || lacks_indices(vertices, command);
}
