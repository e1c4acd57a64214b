// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Hands a checked stream to the library. Two commands need more than that, and only streams that
 * have one of them are cut into pieces.
 *
 * A long shader comes in parts, in more than one stream. The library would collect the parts, and
 * nobody would have seen the text before it is read; so the parts are collected here, and the
 * library gets the shader in one go, checked, when the last part is there. (It takes the parts of
 * two shaders for one if the guest is clever: here the text that was checked is the text that is
 * sent.)
 *
 * A new sub-context has no constants. The library hands OpenGL as many as a shader declares, from a
 * buffer as large as what the guest has sent: the rest would be whatever lies behind it. The buffer
 * never shrinks, so zeros for the largest shader are sent ahead of the first shader of each type.
 * Which sub-context that is for is known only behind SET_SUB_CTX, and of the first one as long as
 * there is no other: where it is not known, zeros are sent each time.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/virgl/stream_private.h"
#include "render/virgl/tgsi_private.h"
#include "render/virgl/virgl_private.h"

/* Words of a shader; stream_shader.c has them all. */
#define WORD_HANDLE    1
#define WORD_TYPE      2
#define WORD_LENGTH    3
#define WORD_TOKENS    4
#define WORD_N_OUTPUTS 5
#define WORD_TEXT      6
#define IS_MORE        (1u << 31)

#define MAX_TEXT_BYTES (16u << 20)
#define MAX_UNFINISHED 64
#define MAX_ZEROED     4096

/* A shader of which not all parts have come. */
struct virgl_unfinished {
	uint32_t ctx_id, sub_ctx, handle, type;
	GArray *words; /* as in one command, but for the header, which has no room for the length */
	uint32_t text_at, n_words; /* where its text begins; when it is finished */
};

/* What is known of a context's sub-contexts. */
struct virgl_zeroed {
	uint32_t ctx_id, sub_ctx;
	uint32_t types; /* bit n: constants for shaders of type n have been zeroed */
	bool is_alone;  /* sub-context 0, and there has been no other */
};

/* Where a stream is. */
struct cursor {
	uint32_t ctx_id, sub_ctx;
	bool is_known;
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
	virgl->zeroed = g_array_new(FALSE, FALSE, sizeof(struct virgl_zeroed));
}

void virgl_submit_free(struct virgl *virgl)
{
	g_ptr_array_unref(virgl->unfinished);
	g_array_unref(virgl->zeroed);
}

static struct virgl_zeroed *find_zeroed(const struct virgl *virgl, uint32_t ctx_id,
					uint32_t sub_ctx)
{
	for (unsigned i = 0; i < virgl->zeroed->len; i++) {
		struct virgl_zeroed *zeroed = &g_array_index(virgl->zeroed, struct virgl_zeroed, i);

		if (zeroed->ctx_id == ctx_id && zeroed->sub_ctx == sub_ctx)
			return zeroed;
	}
	return NULL;
}

static void forget_zeroed(struct virgl *virgl, uint32_t ctx_id)
{
	for (unsigned i = virgl->zeroed->len; i > 0; i--)
		if (g_array_index(virgl->zeroed, struct virgl_zeroed, i - 1).ctx_id == ctx_id)
			g_array_remove_index_fast(virgl->zeroed, i - 1);
}

void virgl_submit_begin(struct virgl *virgl, uint32_t ctx_id)
{
	const struct virgl_zeroed first = { .ctx_id = ctx_id, .is_alone = true };

	virgl_submit_forget(virgl, ctx_id);
	g_array_append_val(virgl->zeroed, first);
}

void virgl_submit_forget(struct virgl *virgl, uint32_t ctx_id)
{
	forget_zeroed(virgl, ctx_id);
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

/* A sub-context comes or goes: what its number stood for is over. */
static void forget_sub_context(struct virgl *virgl, struct cursor *cursor, uint32_t sub_ctx)
{
	struct virgl_zeroed *zeroed = find_zeroed(virgl, cursor->ctx_id, sub_ctx);
	struct virgl_zeroed *first = find_zeroed(virgl, cursor->ctx_id, 0);

	if (zeroed)
		zeroed->types = 0;
	if (first)
		first->is_alone = false;
	cursor->is_known = false;
}

static struct cursor cursor_of(const struct virgl *virgl, uint32_t ctx_id)
{
	const struct virgl_zeroed *first = find_zeroed(virgl, ctx_id, 0);

	return (struct cursor){ .ctx_id = ctx_id, .is_known = first && first->is_alone };
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

/* As many commands as it takes: the first with all that is not text. */
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

static int submit_part(struct virgl *virgl, const struct cursor *cursor, const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]);

	return command[WORD_LENGTH] & IS_MORE
		       ? continue_shader(virgl, cursor->ctx_id, cursor->sub_ctx, command, n)
		       : start_shader(virgl, cursor->ctx_id, cursor->sub_ctx, command, n);
}

static void follow(struct virgl *virgl, struct cursor *cursor, const uint32_t *command)
{
	if (VIRGL_N_WORDS(command[0]) == 0)
		return;
	switch (VIRGL_COMMAND(command[0])) {
	case VIRGL_SET_SUB_CTX:
		cursor->sub_ctx = command[1];
		cursor->is_known = true;
		return;
	case VIRGL_CREATE_SUB_CTX:
	case VIRGL_DESTROY_SUB_CTX:
		forget_sub_context(virgl, cursor, command[1]);
		return;
	}
}

/* Whether the library gets @command with what is around it. */
static bool is_plain(const uint32_t *command)
{
	uint32_t n = VIRGL_N_WORDS(command[0]);

	if (VIRGL_COMMAND(command[0]) != VIRGL_CREATE_OBJECT ||
	    VIRGL_OBJECT(command[0]) != VIRGL_OBJECT_SHADER || n <= WORD_TYPE ||
	    command[WORD_TYPE] >= VIRGL_N_SHADER_TYPES)
		return true;
	return !virgl_stream_is_part(command, n);
}

/* One piece after the other: what lies in between, and each command that needs more. */
int virgl_submit_in_pieces(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words)
{
	struct cursor cursor = cursor_of(virgl, ctx_id);
	size_t done = 0, at = 0, n;
	int r = 0;

	for (; at < n_words && r == 0; at += n) {
		uint32_t *command = stream + at;

		n = (size_t)VIRGL_N_WORDS(command[0]) + 1;
		if (n > n_words - at)
			break;
		follow(virgl, &cursor, command);
		if (is_plain(command))
			continue;
		r = submit(virgl, ctx_id, stream + done, at - done);
		done = at;
		if (r == 0 && virgl_stream_is_part(command, (uint32_t)n - 1)) {
			r = submit_part(virgl, &cursor, command);
			done = at + n;
		}
	}
	return r ? r : submit(virgl, ctx_id, stream + done, n_words - done);
}
