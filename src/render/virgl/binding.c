// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Tracks bindings for which the library holds no reference. Some versions hold none to buffers and
 * images that shaders use, to samplers, and to depth and stencil state, and draw with freed
 * objects. So this file records the bindings of each sub-context and unbinds an object before it is
 * freed, with the same commands as Mesa in the guest, which unbinds each object before it frees it.
 */
#include <string.h>

#include "render/virgl/protocol_private.h"
#include "render/virgl/submit_private.h"

#define N_SLOTS     32
#define MAX_ELEMENT 5

/* One kind of binding table. Its command has the type of shader (if the table is per shader), the
 * first slot, then @n_words for each slot. */
struct kind {
	uint8_t command;
	bool has_type;
	uint8_t n_words;
	uint8_t id_at; /* word of the id in a slot */
};

enum { UNIFORM_BUFFERS, SHADER_BUFFERS, IMAGES, ATOMIC_BUFFERS, SAMPLERS, N_KINDS };

static const struct kind kinds[N_KINDS] = {
	[UNIFORM_BUFFERS] = { VIRGL_SET_UNIFORM_BUFFER, true, 3, 2 },
	[SHADER_BUFFERS] = { VIRGL_SET_SHADER_BUFFERS, true, 3, 2 },
	[IMAGES] = { VIRGL_SET_SHADER_IMAGES, true, 5, 4 },
	[ATOMIC_BUFFERS] = { VIRGL_SET_ATOMIC_BUFFERS, false, 3, 2 },
	[SAMPLERS] = { VIRGL_BIND_SAMPLER_STATES, true, 1, 0 },
};

/* Ids by slot; 0: nothing is bound. */
struct virgl_bindings {
	uint32_t ids[N_KINDS][VIRGL_N_SHADER_TYPES][N_SLOTS];
	uint32_t dsa;
};

static const struct kind *find_kind(uint32_t command)
{
	for (unsigned i = 0; i < N_KINDS; i++)
		if (kinds[i].command == command)
			return &kinds[i];
	return NULL;
}

static struct virgl_bindings *get_bindings(struct virgl_sub_context *sub)
{
	if (!sub->bindings)
		sub->bindings = g_new0(struct virgl_bindings, 1);
	return sub->bindings;
}

/* Records the bindings of a command. The library refuses slots that do not fit into the table. */
static void follow_places(struct virgl_sub_context *sub, const struct kind *kind,
			  const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]), head = kind->has_type ? 2 : 1;
	uint32_t type = kind->has_type && n >= 1 ? command[1] : 0, count, first;
	uint32_t *ids;

	if (n < head || type >= VIRGL_N_SHADER_TYPES)
		return;
	first = command[head];
	count = (n - head) / kind->n_words;
	if (first > N_SLOTS || count > N_SLOTS - first)
		return;
	ids = get_bindings(sub)->ids[kind - kinds][type] + first;
	for (uint32_t i = 0; i < count; i++)
		ids[i] = command[head + 1 + i * kind->n_words + kind->id_at];
}

void virgl_binding_follow(struct virgl_sub_context *sub, const uint32_t *command)
{
	const struct kind *kind = find_kind(VIRGL_COMMAND(command[0]));

	if (kind)
		follow_places(sub, kind, command);
	else if (VIRGL_COMMAND(command[0]) == VIRGL_BIND_OBJECT &&
		 VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_DSA && VIRGL_N_WORDS(command[0]) >= 1)
		get_bindings(sub)->dsa = command[1];
}

/* An object is also destroyed when a new object, of any kind, gets its number. */
static bool destroys_object(const uint32_t *command)
{
	return (VIRGL_COMMAND(command[0]) == VIRGL_CREATE_OBJECT ||
		VIRGL_COMMAND(command[0]) == VIRGL_DESTROY_OBJECT) &&
	       VIRGL_N_WORDS(command[0]) >= 1 && command[1] != 0;
}

bool virgl_binding_is_lost(const struct virgl_sub_context *sub, const uint32_t *command)
{
	const uint32_t *ids;

	if (!sub->bindings || !destroys_object(command))
		return false;
	ids = &sub->bindings->ids[SAMPLERS][0][0];
	for (unsigned i = 0; i < VIRGL_N_SHADER_TYPES * N_SLOTS; i++)
		if (ids[i] == command[1])
			return true;
	return sub->bindings->dsa == command[1];
}

static void append(GArray *stream, uint32_t header, const uint32_t *words)
{
	g_array_append_val(stream, header);
	g_array_append_vals(stream, words, VIRGL_N_WORDS(header));
}

static void release_place(const struct kind *kind, uint32_t type, uint32_t place, GArray *stream)
{
	uint32_t words[2 + MAX_ELEMENT] = { type, place }, head = kind->has_type ? 2 : 1;

	if (!kind->has_type)
		words[0] = place;
	words[1] = kind->has_type ? place : 0;
	append(stream, VIRGL_HEADER(kind->command, 0, head + kind->n_words), words);
}

static void release_kind(struct virgl_bindings *bindings, unsigned kind, uint32_t id,
			 GArray *stream)
{
	for (uint32_t type = 0; type < VIRGL_N_SHADER_TYPES; type++) {
		uint32_t *ids = bindings->ids[kind][type];

		for (uint32_t place = 0; place < N_SLOTS; place++) {
			if (ids[place] != id)
				continue;
			ids[place] = 0;
			release_place(&kinds[kind], type, place, stream);
		}
	}
}

void virgl_binding_release(struct virgl_sub_context *sub, const uint32_t *command, GArray *stream)
{
	static const uint32_t none[] = { 0 };

	release_kind(sub->bindings, SAMPLERS, command[1], stream);
	if (sub->bindings->dsa != command[1])
		return;
	sub->bindings->dsa = 0;
	append(stream, VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 1), none);
}

void virgl_binding_release_resource(struct virgl_sub_context *sub, uint32_t id, GArray *stream)
{
	if (!sub->bindings || id == 0)
		return;
	for (unsigned kind = 0; kind < SAMPLERS; kind++)
		release_kind(sub->bindings, kind, id, stream);
}
