// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Charges the memory of objects that streams make. The library does not report when it frees an
 * object, so this file tracks sub-contexts, and the objects of each by their number. Before the
 * library gets a stream, the memory of all objects that the stream makes must fit into the rest of
 * the device's account. The memory of objects that it destroys is given back when the library has
 * run the whole stream. If a stream fails, it is not known how many commands the library ran: the
 * context accepts no more streams (submit.c), and its memory is given back when it is destroyed.
 *
 * The rules are exactly the library's: a new sub-context becomes the current one at once, an
 * existing one is not made again, and a missing one cannot become the current one.
 *
 * If a stream makes an object with a number in use, the library frees the old object. The number 0
 * is refused: some versions of the library leak objects with that number.
 *
 * The memory of code that a draw makes a driver compile can only be measured: llvmpipe keeps a
 * megabyte for a small shader in a new combination of state. So a stream is split after a number of
 * draws, and the memory of the process is measured. If too little is left, the remaining draws are
 * skipped, but all other commands run, so that the context has the state that the guest expects.
 */
#include <linux/virtio_gpu.h>

#include "render/virgl/submit_private.h"
#include "render/virgl/virgl_private.h"

#define MAX_DRAWS_PER_LOOK 256
/* Bytes of code that one draw may make a driver compile, if its shaders are not large. The less
 * memory is left, the fewer draws are run between two measurements. */
#define BYTES_PER_DRAW (UINT64_C(4) << 20)

#define WORD_HANDLE 1
#define WORD_TYPE   2
#define WORD_LENGTH 3
#define IS_MORE     (1u << 31)

static struct virgl_sub_context *find_sub(const struct virgl_context *context, uint32_t id)
{
	for (unsigned i = 0; i < context->subs->len; i++) {
		struct virgl_sub_context *sub = context->subs->pdata[i];

		if (sub->id == id)
			return sub;
	}
	return NULL;
}

static void free_sub(void *data)
{
	struct virgl_sub_context *sub = data;

	id_table_finish(&sub->objects);
	g_free(sub->bindings);
	virgl_vertices_free(sub->vertices);
	g_free(sub);
}

static void charge(struct virgl_context *context, uint64_t bytes)
{
	context->cost += bytes;
	hostmem_charge_anyway(context->virgl->base.hostmem, bytes);
}

static void add_sub(struct virgl_context *context, uint32_t id)
{
	struct virgl_sub_context *sub = g_new0(struct virgl_sub_context, 1);

	sub->id = id;
	g_ptr_array_add(context->subs, sub);
	context->current = sub;
	charge(context, VIRGL_COST_OF_CONTEXT);
}

int virgl_account_begin(struct virgl *virgl, uint32_t ctx_id)
{
	if (!hostmem_has(virgl->base.hostmem, VIRGL_COST_OF_CONTEXT) ||
	    !id_table_reserve(&virgl->contexts))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	struct virgl_context *context = g_new0(struct virgl_context, 1);

	context->virgl = virgl;
	context->id = ctx_id;
	context->subs = g_ptr_array_new_with_free_func(free_sub);
	add_sub(context, 0);
	id_table_add(&virgl->contexts, ctx_id, context);
	return 0;
}

void virgl_account_end(struct virgl *virgl, uint32_t ctx_id)
{
	struct virgl_context *context = id_table_remove(&virgl->contexts, ctx_id);

	if (!context)
		return;
	hostmem_release(virgl->base.hostmem, context->cost);
	g_ptr_array_unref(context->subs);
	g_free(context);
}

/* ---- the memory that a stream needs ---- */

static bool is_continuation(const uint32_t *command)
{
	return VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_SHADER &&
	       VIRGL_N_WORDS(command[0]) >= WORD_LENGTH && command[WORD_LENGTH] & IS_MORE;
}

static uint32_t text_bytes(const uint32_t *command)
{
	return VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_SHADER &&
			       VIRGL_N_WORDS(command[0]) >= WORD_LENGTH
		       ? command[WORD_LENGTH] & ~IS_MORE
		       : 0;
}

static uint64_t cost_of(const uint32_t *command)
{
	return is_continuation(command)
		       ? 0
		       : virgl_cost_of_object(VIRGL_OBJECT(command[0]), text_bytes(command));
}

static bool is_draw(uint32_t command)
{
	return command == VIRGL_DRAW_VBO || command == VIRGL_LAUNCH_GRID || command == VIRGL_BLIT ||
	       command == VIRGL_LINK_SHADER || command == VIRGL_CLEAR_TEXTURE;
}

struct need {
	uint64_t bytes, code_bytes; /* of all new objects; of the largest shader's code */
	bool grows;
};

static int add_need(const struct virgl_context *context, const uint32_t *command, struct need *need)
{
	uint32_t n = VIRGL_N_WORDS(command[0]), op = VIRGL_COMMAND(command[0]);

	need->grows |= is_draw(op);
	if (n < WORD_HANDLE)
		return 0;
	if (op == VIRGL_CREATE_SUB_CTX && !find_sub(context, command[1])) {
		need->bytes += VIRGL_COST_OF_CONTEXT;
		need->grows = true;
	} else if (op == VIRGL_CREATE_OBJECT) {
		if (command[WORD_HANDLE] == 0)
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
		need->bytes += cost_of(command);
		need->code_bytes = MAX(need->code_bytes, virgl_cost_of_code(text_bytes(command)));
		need->grows = true;
	}
	return 0;
}

static int add_needs(const struct virgl_context *context, const uint32_t *stream, size_t n_words,
		     struct need *need)
{
	size_t n;
	int r = 0;

	for (; n_words > 0 && r == 0; stream += n, n_words -= n) {
		n = (size_t)VIRGL_N_WORDS(stream[0]) + 1;
		if (n > n_words)
			break;
		r = add_need(context, stream, need);
	}
	return r;
}

int virgl_account_check(const struct virgl *virgl, uint32_t ctx_id, const uint32_t *stream,
			size_t n_words)
{
	const struct virgl_context *context = id_table_find(&virgl->contexts, ctx_id);
	struct hostmem *hostmem = virgl->base.hostmem;
	struct need need = { 0 };
	int r;

	if (!context)
		return 0;
	r = add_needs(context, stream, n_words, &need);
	if (r != 0)
		return r;
	if (!hostmem_has(hostmem, need.bytes + need.code_bytes))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	if (need.grows && hostmem_headroom(hostmem) <= need.code_bytes) {
		(void)hostmem_look(hostmem);
		if (hostmem_headroom(hostmem) <= need.code_bytes)
			return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return 0;
}

/* ---- objects that a stream makes and destroys ---- */

/* Forgets an object. Returns its cost. */
static uint64_t take_object(struct virgl_sub_context *sub, uint32_t handle)
{
	uint64_t cost = (uintptr_t)id_table_remove(&sub->objects, handle);

	sub->objects_cost -= cost;
	return cost;
}

/* Adds an object. One that does not fit into the table is charged until its context is
 * destroyed. */
static uint64_t put_object(struct virgl_context *context, const uint32_t *command)
{
	struct virgl_sub_context *sub = context->current;
	uint64_t cost = cost_of(command), old;

	if (cost == 0)
		return 0;
	old = take_object(sub, command[WORD_HANDLE]);
	charge(context, cost);
	if (id_table_reserve(&sub->objects)) {
		id_table_add(&sub->objects, command[WORD_HANDLE], (void *)(uintptr_t)cost);
		sub->objects_cost += cost;
	}
	return old;
}

/* Forgets a sub-context. Returns its cost. */
static uint64_t take_sub(struct virgl_context *context, uint32_t id)
{
	struct virgl_sub_context *sub = id == 0 ? NULL : find_sub(context, id);
	uint64_t cost;

	if (!sub)
		return 0;
	cost = VIRGL_COST_OF_CONTEXT + sub->objects_cost;
	if (context->current == sub)
		context->current = context->subs->pdata[0];
	g_ptr_array_remove(context->subs, sub);
	return cost;
}

uint64_t virgl_account_follow(struct virgl_context *context, const uint32_t *command)
{
	struct virgl_sub_context *sub;

	if (VIRGL_N_WORDS(command[0]) == 0)
		return 0;
	switch (VIRGL_COMMAND(command[0])) {
	case VIRGL_CREATE_SUB_CTX:
		if (!find_sub(context, command[1]))
			add_sub(context, command[1]);
		return 0;
	case VIRGL_SET_SUB_CTX:
		sub = find_sub(context, command[1]);
		if (sub)
			context->current = sub;
		return 0;
	case VIRGL_DESTROY_SUB_CTX:
		return take_sub(context, command[1]);
	case VIRGL_CREATE_OBJECT:
		return put_object(context, command);
	case VIRGL_DESTROY_OBJECT:
		return take_object(context->current, command[WORD_HANDLE]);
	}
	return 0;
}

void virgl_account_settle(struct virgl_context *context, uint64_t freed)
{
	if (context->is_broken)
		return;
	context->cost -= freed;
	hostmem_release(context->virgl->base.hostmem, freed);
}

/* ---- code that draws make a driver compile ---- */

static unsigned draws_per_look(const struct virgl *virgl)
{
	uint64_t n = hostmem_headroom(virgl->base.hostmem) / BYTES_PER_DRAW;

	return (unsigned)CLAMP(n, 1, MAX_DRAWS_PER_LOOK);
}

/* Returns how many words precede the draw before which memory is measured next; @n_words if the
 * stream has no such draw. */
static size_t find_look(struct virgl *virgl, const uint32_t *stream, size_t n_words)
{
	unsigned n_draws = draws_per_look(virgl);
	size_t at = 0;

	while (at < n_words) {
		if (is_draw(VIRGL_COMMAND(stream[at])) && virgl->n_draws++ >= n_draws)
			return at;
		at += (size_t)VIRGL_N_WORDS(stream[at]) + 1;
	}
	return n_words;
}

static void leave_out_draws(uint32_t *stream, size_t n_words)
{
	for (size_t at = 0; at < n_words; at += (size_t)VIRGL_N_WORDS(stream[at]) + 1)
		if (is_draw(VIRGL_COMMAND(stream[at])))
			stream[at] = VIRGL_HEADER(VIRGL_NOP, 0, VIRGL_N_WORDS(stream[at]));
}

int virgl_account_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words)
{
	size_t n = find_look(virgl, stream, n_words);
	int r = 0;

	if (n > 0 || n_words == 0)
		r = renderer_response(virgl_renderer_submit_cmd(stream, (int)ctx_id, (int)n));
	while (n < n_words && r == 0) {
		stream += n;
		n_words -= n;
		virgl->n_draws = 0;
		if (!hostmem_look(virgl->base.hostmem)) {
			virgl->lacks_memory = true;
			leave_out_draws(stream, n_words);
		}
		n = find_look(virgl, stream, n_words);
		r = renderer_response(virgl_renderer_submit_cmd(stream, (int)ctx_id, (int)n));
	}
	return r;
}
