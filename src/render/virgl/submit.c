// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Passes a checked stream to the library. Some commands need additional work, and a stream with one
 * of them is split there.
 *
 * A long shader comes in parts, in several streams. The library would join the parts and read the
 * text before we could check it. So the parts are joined here, and after the last one the checked
 * shader is passed to the library as a whole. (If the library got the guest's parts, a guest could
 * make it join those of two different shaders. This way the text that it gets is always the text
 * that was checked.) If a shader's handle is destroyed, or gets another object, before the last
 * part has come, the parts are dropped.
 *
 * A new sub-context has no constants. The library passes OpenGL as many constants as a shader
 * declares, from a buffer that is only as large as the constants that the guest has sent, and so
 * reads past its end. The buffer never shrinks. So before the first shader of each type, or the
 * first constants for it, zeros for the largest shader are sent; Mesa may send constants before it
 * makes the shader.
 *
 * Bound objects are unbound before they are destroyed (binding.c). A draw without its vertex
 * buffers is skipped (vertices.c). So is a copy from outside of a texture, which OpenGL would skip
 * too: Mesa before 20.0 sends one now and then, and the library may copy on the CPU, without a
 * bounds check.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/virgl/stream_private.h"
#include "render/virgl/submit_private.h"
#include "render/virgl/tgsi_private.h"
#include "render/virgl/virgl_private.h"

/* Words of a shader that are used here; stream_shader.c has all of them. */
#define WORD_HANDLE    1
#define WORD_TYPE      2
#define WORD_LENGTH    3
#define WORD_TOKENS    4
#define WORD_N_OUTPUTS 5
#define WORD_TEXT      6
#define IS_MORE        (1u << 31)

#define MAX_TEXT_BYTES (16u << 20)
#define MAX_UNFINISHED 64

/* A shader with parts still missing. */
struct virgl_unfinished {
	uint32_t ctx_id, sub_ctx, handle, type;
	GArray *words;             /* one command; its header has the first part's length */
	uint32_t text_at, n_words; /* where its text begins; its final length */
};

static void free_unfinished(void *data)
{
	struct virgl_unfinished *shader = data;

	g_array_unref(shader->words);
	g_free(shader);
}

void virgl_submit_init(struct virgl *virgl)
{
	virgl->unfinished = g_ptr_array_new_with_free_func(free_unfinished);
}

void virgl_submit_free(struct virgl *virgl)
{
	g_ptr_array_unref(virgl->unfinished);
}

void virgl_submit_forget(struct virgl *virgl, uint32_t ctx_id)
{
	for (unsigned i = virgl->unfinished->len; i > 0; i--) {
		const struct virgl_unfinished *shader = virgl->unfinished->pdata[i - 1];

		if (shader->ctx_id == ctx_id)
			g_ptr_array_remove_index_fast(virgl->unfinished, i - 1);
	}
}

static int submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *words, size_t n_words)
{
	return n_words > 0 ? virgl_readback_submit(virgl, ctx_id, words, n_words) : 0;
}

static int submit_zeros(struct virgl *virgl, uint32_t ctx_id, uint32_t type)
{
	/* Words: type, an unused number, then the constants. */
	static uint32_t words[3 + 4 * VIRGL_TGSI_MAX_CONST];

	words[0] = VIRGL_HEADER(VIRGL_SET_CONSTANT_BUFFER, 0, G_N_ELEMENTS(words) - 1);
	words[1] = type;
	return submit(virgl, ctx_id, words, G_N_ELEMENTS(words));
}

static unsigned find_unfinished(const struct virgl *virgl, uint32_t ctx_id, uint32_t sub_ctx,
				const uint32_t *command)
{
	unsigned i;

	for (i = 0; i < virgl->unfinished->len; i++) {
		const struct virgl_unfinished *shader = virgl->unfinished->pdata[i];

		if (shader->ctx_id == ctx_id && shader->sub_ctx == sub_ctx &&
		    shader->handle == command[WORD_HANDLE] && shader->type == command[WORD_TYPE])
			break;
	}
	return i;
}

static int start_shader(struct virgl *virgl, uint32_t ctx_id, uint32_t sub_ctx,
			const uint32_t *command, uint32_t n)
{
	struct virgl_unfinished *shader;

	if (find_unfinished(virgl, ctx_id, sub_ctx, command) < virgl->unfinished->len)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (command[WORD_LENGTH] > MAX_TEXT_BYTES || virgl->unfinished->len >= MAX_UNFINISHED)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	shader = g_new0(struct virgl_unfinished, 1);
	shader->ctx_id = ctx_id;
	shader->sub_ctx = sub_ctx;
	shader->handle = command[WORD_HANDLE];
	shader->type = command[WORD_TYPE];
	shader->words = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	shader->text_at = virgl_stream_text_at(command);
	shader->n_words = shader->text_at + (command[WORD_LENGTH] + 3) / 4;
	g_array_append_vals(shader->words, command, n + 1);
	g_ptr_array_add(virgl->unfinished, shader);
	return 0;
}

/* Sends a shader in as many commands as it needs; the first one has all words that are not text. */
static int submit_shader(struct virgl *virgl, uint32_t ctx_id,
			 const struct virgl_unfinished *shader)
{
	uint32_t *words = &g_array_index(shader->words, uint32_t, 0);
	uint32_t at = 0, n = MIN(shader->n_words, VIRGL_MAX_WORDS);
	int r;

	words[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, n - 1);
	r = submit(virgl, ctx_id, words, n);
	for (at = n; at < shader->n_words && r == 0; at += n) {
		uint32_t head[WORD_TEXT];

		n = MIN(shader->n_words - at, VIRGL_MAX_WORDS - WORD_TEXT);
		memcpy(head, words, sizeof(head));
		head[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, n + WORD_TEXT - 1);
		head[WORD_LENGTH] = (at - shader->text_at) * 4 | IS_MORE;
		head[WORD_N_OUTPUTS] = 0;
		memcpy(words + at - WORD_TEXT, head, sizeof(head));
		r = submit(virgl, ctx_id, words + at - WORD_TEXT, n + WORD_TEXT);
	}
	return r;
}

static int finish_shader(struct virgl *virgl, unsigned i)
{
	const struct virgl_unfinished *shader = virgl->unfinished->pdata[i];
	int r = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	if (virgl_stream_check_shader(virgl, &g_array_index(shader->words, uint32_t, 0),
				      shader->words->len - 1))
		r = submit_shader(virgl, shader->ctx_id, shader);
	g_ptr_array_remove_index_fast(virgl->unfinished, i);
	return r;
}

static int continue_shader(struct virgl *virgl, uint32_t ctx_id, uint32_t sub_ctx,
			   const uint32_t *command, uint32_t n)
{
	unsigned i = find_unfinished(virgl, ctx_id, sub_ctx, command);
	uint32_t text_at = virgl_stream_text_at(command);
	struct virgl_unfinished *shader;

	if (i >= virgl->unfinished->len)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	shader = virgl->unfinished->pdata[i];
	if ((command[WORD_LENGTH] & ~IS_MORE) != (shader->words->len - shader->text_at) * 4 ||
	    n + 1 - text_at > shader->n_words - shader->words->len) {
		g_ptr_array_remove_index_fast(virgl->unfinished, i);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	g_array_append_vals(shader->words, command + text_at, n + 1 - text_at);
	g_array_index(shader->words, uint32_t, WORD_TOKENS) = command[WORD_TOKENS];
	return shader->words->len == shader->n_words ? finish_shader(virgl, i) : 0;
}

static int submit_part(struct virgl *virgl, const struct virgl_context *context,
		       const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]);

	return command[WORD_LENGTH] & IS_MORE
		       ? continue_shader(virgl, context->id, context->current->id, command, n)
		       : start_shader(virgl, context->id, context->current->id, command, n);
}

static int submit_words(struct virgl *virgl, uint32_t ctx_id, GArray *stream)
{
	return submit(virgl, ctx_id, &g_array_index(stream, uint32_t, 0), stream->len);
}

static int release(struct virgl *virgl, uint32_t ctx_id, struct virgl_sub_context *sub,
		   const uint32_t *command)
{
	g_autoptr(GArray) stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	virgl_binding_release(sub, command, stream);
	return submit_words(virgl, ctx_id, stream);
}

/* Returns the type of the shader that @command makes or sets constants for; VIRGL_N_SHADER_TYPES if
 * it does neither. */
static uint32_t type_of_constants(const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]), at = 0;

	if (VIRGL_COMMAND(command[0]) == VIRGL_SET_CONSTANT_BUFFER)
		at = 1;
	else if (VIRGL_COMMAND(command[0]) == VIRGL_CREATE_OBJECT &&
		 VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_SHADER)
		at = WORD_TYPE;
	return at > 0 && n >= at ? MIN(command[at], VIRGL_N_SHADER_TYPES) : VIRGL_N_SHADER_TYPES;
}

static bool wants_zeros(const struct virgl_sub_context *sub, const uint32_t *command)
{
	uint32_t type = type_of_constants(command);

	return type < VIRGL_N_SHADER_TYPES && !(sub->zeroed >> type & 1);
}

static bool is_part(const uint32_t *command)
{
	return VIRGL_COMMAND(command[0]) == VIRGL_CREATE_OBJECT &&
	       VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_SHADER &&
	       virgl_stream_is_part(command, VIRGL_N_WORDS(command[0]));
}

/* Whether @command, of sub-context @sub_ctx, ends the life of an object of the guest that is still
 * incomplete here. Its charge is given back then (account.c), so it must never be completed. */
static bool is_lost(const struct virgl_unfinished *shader, uint32_t sub_ctx,
		    const uint32_t *command)
{
	const uint32_t op = VIRGL_COMMAND(command[0]);

	if (VIRGL_N_WORDS(command[0]) < WORD_HANDLE)
		return false;
	if (op == VIRGL_DESTROY_SUB_CTX)
		return command[1] != 0 && command[1] == shader->sub_ctx;
	return (op == VIRGL_DESTROY_OBJECT || op == VIRGL_CREATE_OBJECT) &&
	       sub_ctx == shader->sub_ctx && command[WORD_HANDLE] == shader->handle &&
	       !(is_part(command) && command[WORD_TYPE] == shader->type);
}

static void forget_lost(struct virgl *virgl, const struct virgl_context *context,
			const uint32_t *command)
{
	for (unsigned i = virgl->unfinished->len; i > 0; i--) {
		const struct virgl_unfinished *shader = virgl->unfinished->pdata[i - 1];

		if (shader->ctx_id == context->id && is_lost(shader, context->current->id, command))
			g_ptr_array_remove_index_fast(virgl->unfinished, i - 1);
	}
}

/* Sends the commands that must precede @command. */
static int prepare(struct virgl *virgl, uint32_t ctx_id, struct virgl_sub_context *sub,
		   const uint32_t *command)
{
	int r = 0;

	if (virgl_binding_is_lost(sub, command))
		r = release(virgl, ctx_id, sub, command);
	if (r == 0 && wants_zeros(sub, command)) {
		sub->zeroed |= 1u << type_of_constants(command);
		r = submit_zeros(virgl, ctx_id, type_of_constants(command));
	}
	return r;
}

static bool is_plain(const struct virgl_sub_context *sub, const uint32_t *command)
{
	return !virgl_binding_is_lost(sub, command) && !wants_zeros(sub, command) &&
	       !is_part(command);
}

static void leave_out(uint32_t *command)
{
	command[0] = VIRGL_HEADER(VIRGL_NOP, 0, VIRGL_N_WORDS(command[0]));
}

/* Records the effects of @command. Returns the cost of the objects that it frees. */
static uint64_t follow(struct virgl_context *context, const uint32_t *command)
{
	virgl_binding_follow(context->current, command);
	virgl_vertices_follow(context->virgl, context->current, command);
	return virgl_account_follow(context, command);
}

static int submit_special(struct virgl *virgl, struct virgl_context *context,
			  const uint32_t *command)
{
	int r = prepare(virgl, context->id, context->current, command);

	return r == 0 && is_part(command) ? submit_part(virgl, context, command) : r;
}

/* Passes the stream to the library in pieces: split at each command that needs additional work. */
static int submit_pieces(struct virgl *virgl, struct virgl_context *context, uint32_t *stream,
			 size_t n_words, uint64_t *freed)
{
	size_t done = 0, at = 0, n;
	int r = 0;

	for (; at < n_words && r == 0; at += n) {
		uint32_t *command = stream + at;

		n = (size_t)VIRGL_N_WORDS(command[0]) + 1;
		if (n > n_words - at)
			break;
		forget_lost(virgl, context, command);
		if (virgl_stream_is_outside(virgl, command) ||
		    virgl_vertices_are_missing(context->current, command))
			leave_out(command);
		if (is_plain(context->current, command)) {
			*freed += follow(context, command);
			continue;
		}
		r = submit(virgl, context->id, stream + done, at - done);
		if (r == 0)
			r = submit_special(virgl, context, command);
		*freed += follow(context, command);
		done = is_part(command) ? at + n : at;
	}
	/* An empty stream is passed on too: the library decides about it. */
	return r ? r : virgl_readback_submit(virgl, context->id, stream + done, n_words - done);
}

/* The library refuses further streams of a context after most errors. Here a context is broken
 * after every error, so that our record of the context always matches the library's state. */
int virgl_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words)
{
	struct virgl_context *context = id_table_find(&virgl->contexts, ctx_id);
	uint64_t freed = 0;
	int r;

	if (!context)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (context->is_broken)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	virgl->lacks_memory = false;
	r = submit_pieces(virgl, context, stream, n_words, &freed);
	context->is_broken = r != 0;
	virgl_account_settle(context, freed);
	return r == 0 && virgl->lacks_memory ? VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : r;
}

static void add_command(GArray *stream, uint32_t command, uint32_t word)
{
	const uint32_t words[] = { VIRGL_HEADER(command, 0, 1), word };

	g_array_append_vals(stream, words, G_N_ELEMENTS(words));
}

static void release_resource(struct virgl *virgl, struct virgl_context *context, uint32_t id)
{
	g_autoptr(GArray) stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (unsigned i = 0; i < context->subs->len; i++) {
		struct virgl_sub_context *sub = context->subs->pdata[i];
		unsigned before = stream->len;

		add_command(stream, VIRGL_SET_SUB_CTX, sub->id);
		virgl_binding_release_resource(sub, id, stream);
		if (stream->len == before + 2)
			g_array_set_size(stream, before);
	}
	if (stream->len == 0)
		return;
	add_command(stream, VIRGL_SET_SUB_CTX, context->current->id);
	context->is_broken |= submit_words(virgl, context->id, stream) != 0;
}

void virgl_submit_release(struct virgl *virgl, uint32_t id)
{
	struct virgl_context *context;
	uint32_t i = 0;

	while ((context = id_table_next(&virgl->contexts, &i)))
		release_resource(virgl, context, id);
}
