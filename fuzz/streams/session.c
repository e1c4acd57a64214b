// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Runs sessions through the renderer's hooks, as the device does: resources have ids and backings
 * before a context sees them. But boxes of transfers are not checked here, only by the renderer and
 * the library. A stream that the library refuses
 * disables its context, as a guest's. Here the context is then created again, so that the rest of
 * the session still runs.
 */
#include "session.h"

#include <string.h>

#include "render/renderer.h"
#include "render/virgl/virgl_private.h"

#define CTX           1
#define MAX_BYTES     (UINT64_C(8) << 20)
#define BACKING_BYTES (1u << 18)

#define RESOURCE_WORDS 11
#define TRANSFER_WORDS 12

struct player {
	struct renderer *renderer;
	const struct renderer_ops *ops;
	struct renderer_resource *resources[SESSION_MAX_RESOURCES + 1];
	struct iovec iovs[SESSION_MAX_RESOURCES + 1][2];
	const uint32_t *setup;
	size_t n_setup;
	struct session_counts *counts;
};

/* One backing for all: the tests never look at what is read into it. */
static uint8_t backing[BACKING_BYTES];

static struct renderer_resource *find_resource(const struct player *player, uint32_t id)
{
	return id <= SESSION_MAX_RESOURCES ? player->resources[id] : NULL;
}

static void free_resource(struct player *player, uint32_t id)
{
	if (!find_resource(player, id))
		return;
	player->ops->context_detach(player->renderer, CTX, player->resources[id]);
	player->ops->resource_detach(player->renderer, player->resources[id]);
	player->ops->resource_free(player->renderer, player->resources[id]);
	player->resources[id] = NULL;
}

/* As the device has them, and small. */
static bool is_small(const struct renderer_resource_args *args)
{
	uint64_t bytes = 16 * (uint64_t)args->width * args->height;

	return args->width > 0 && args->height > 0 && args->depth > 0 && args->array_size > 0 &&
	       args->width <= 16384 && args->height <= 16384 && args->depth <= 2048 &&
	       args->array_size <= 2048 && args->nr_samples <= 32 && args->last_level <= 14 &&
	       bytes * args->depth * args->array_size * MAX(args->nr_samples, 1) <= MAX_BYTES;
}

static void create_resource(struct player *player, const uint32_t *words)
{
	const struct renderer_resource_args args = {
		.id = words[0],
		.target = words[1],
		.format = words[2],
		.bind = words[3],
		.width = words[4],
		.height = words[5],
		.depth = words[6],
		.array_size = words[7],
		.last_level = words[8],
		.nr_samples = words[9],
		.flags = words[10],
	};
	struct iovec *iov;

	if (args.id == 0 || args.id > SESSION_MAX_RESOURCES || player->resources[args.id] ||
	    !is_small(&args))
		return;
	if (player->ops->resource_create(player->renderer, &args, &player->resources[args.id])) {
		player->resources[args.id] = NULL;
		return;
	}
	iov = player->iovs[args.id];
	iov[0] = (struct iovec){ backing, BACKING_BYTES / 4 };
	iov[1] = (struct iovec){ backing + BACKING_BYTES / 2, BACKING_BYTES / 2 };
	player->ops->resource_attach(player->renderer, player->resources[args.id], iov, 2);
	player->ops->context_attach(player->renderer, CTX, player->resources[args.id]);
}

/* A copy, because the stream may be overwritten; its end is the end of a heap block. */
static int submit_copy(struct player *player, const uint32_t *words, size_t n_words)
{
	g_autofree uint32_t *stream = g_memdup2(words, n_words * sizeof(*words));

	return player->ops->submit(player->renderer, CTX, stream, n_words * sizeof(*words));
}

static void create_context(struct player *player)
{
	player->ops->context_create(player->renderer, CTX, 0, "fuzz", 4);
	for (unsigned id = 1; id <= SESSION_MAX_RESOURCES; id++)
		if (player->resources[id])
			player->ops->context_attach(player->renderer, CTX, player->resources[id]);
	if (player->n_setup > 0)
		(void)submit_copy(player, player->setup, player->n_setup);
}

static void recreate_context(struct player *player)
{
	player->ops->context_free(player->renderer, CTX);
	create_context(player);
}

/* A disabled context refuses even an empty stream. */
static bool is_broken(struct player *player)
{
	uint32_t nop[] = { 0 };

	return player->ops->submit(player->renderer, CTX, nop, sizeof(nop)) != 0;
}

static void submit(struct player *player, const uint32_t *words, size_t n_words)
{
	if (n_words == 0)
		return;
	player->counts->streams++;
	if (!virgl_check_stream(virgl_of(player->renderer), words, n_words)) {
		player->counts->refused++;
		return;
	}
	if (submit_copy(player, words, n_words) == 0)
		return;
	player->counts->failed++;
	if (is_broken(player))
		recreate_context(player);
}

static void transfer(struct player *player, const uint32_t *words)
{
	struct renderer_resource *resource = find_resource(player, words[0]);
	const struct renderer_transfer transfer = {
		.ctx_id = words[1] & 2 ? CTX : 0,
		.level = words[2],
		.stride = words[3],
		.layer_stride = words[4],
		.offset = words[5],
		.box = { words[6], words[7], words[8], words[9], words[10], words[11] },
	};

	if (!resource)
		return;
	if (words[1] & 1)
		player->ops->transfer_from_host(player->renderer, resource, &transfer);
	else
		player->ops->transfer_to_host(player->renderer, resource, &transfer);
}

static void setup(struct player *player, const uint32_t *words, size_t n_words)
{
	player->setup = words;
	player->n_setup = n_words;
	if (n_words > 0 && submit_copy(player, words, n_words) != 0)
		recreate_context(player);
}

static void play_record(struct player *player, uint32_t kind, const uint32_t *words, size_t n_words)
{
	switch (kind) {
	case SESSION_RESOURCE:
		if (n_words >= RESOURCE_WORDS)
			create_resource(player, words);
		return;
	case SESSION_SETUP:
		setup(player, words, n_words);
		return;
	case SESSION_SUBMIT:
		submit(player, words, n_words);
		return;
	case SESSION_TRANSFER:
		if (n_words >= TRANSFER_WORDS)
			transfer(player, words);
		return;
	case SESSION_FREE:
		if (n_words > 0)
			free_resource(player, words[0]);
		return;
	case SESSION_DETACH:
		if (n_words > 0 && find_resource(player, words[0]))
			player->ops->resource_detach(player->renderer,
						     find_resource(player, words[0]));
		return;
	case SESSION_RECREATE:
		recreate_context(player);
		return;
	}
}

void session_play(struct renderer *renderer, const uint32_t *words, size_t n_words,
		  struct session_counts *counts)
{
	struct player player = { .renderer = renderer, .ops = renderer->ops, .counts = counts };

	create_context(&player);
	for (size_t n; n_words > 0; words += n, n_words -= n) {
		n = SESSION_N_WORDS(words[0]) + 1;
		if (n > n_words)
			break;
		play_record(&player, SESSION_KIND(words[0]), words + 1, n - 1);
	}
	player.ops->context_free(renderer, CTX);
	for (uint32_t id = 1; id <= SESSION_MAX_RESOURCES; id++)
		free_resource(&player, id);
	player.ops->reset(renderer);
}
