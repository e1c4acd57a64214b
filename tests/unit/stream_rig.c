// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "stream_rig.h"

#include <glib.h>
#include <string.h>

#define FORMAT_DXT1 105

struct virgl stream_virgl;
static struct virgl_resource resources[UNKNOWN];
static struct iovec backing = { .iov_len = 4096 };

static void add_resource(uint32_t id, struct renderer_resource_args args)
{
	args.height = MAX(args.height, 1);
	args.array_size = MAX(args.array_size, 1);
	resources[id].args = args;
	resources[id].format = args.format;
	g_hash_table_insert(stream_virgl.resources, GUINT_TO_POINTER(id), &resources[id]);
}

int stream_make_resources(void **state)
{
	const struct renderer_resource_args texture = {
		.target = VIRGL_TARGET_2D, .format = 1, .width = 64, .height = 64, .last_level = 6
	};
	struct renderer_resource_args args = texture;

	(void)state;
	virgl_formats_init(&stream_virgl.formats);
	stream_virgl.can_clear_texture = true;
	stream_virgl.resources = g_hash_table_new(NULL, NULL);
	add_resource(BUFFER, (struct renderer_resource_args){ .width = 4096 });
	resources[BUFFER].iov = &backing;
	resources[BUFFER].n_iov = 1;
	add_resource(SHORT, (struct renderer_resource_args){ .width = 8 });
	add_resource(QUERIES, (struct renderer_resource_args){ .width = 4096, .bind = 1 << 17 });
	add_resource(TEXTURE, texture);
	args.nr_samples = 4;
	add_resource(SAMPLES, args);
	args = texture;
	args.target = VIRGL_TARGET_3D;
	args.depth = 8;
	args.last_level = VIRGL_MAX_LEVEL;
	add_resource(VOLUME, args);
	args = texture;
	args.format = FORMAT_DXT1;
	add_resource(BLOCKS, args);
	return 0;
}

int stream_free_resources(void **state)
{
	(void)state;
	g_hash_table_unref(stream_virgl.resources);
	return 0;
}

bool stream_is_accepted(const uint32_t *words, size_t n)
{
	return virgl_check_stream(&stream_virgl, words, n);
}

void stream_check_refusals(const struct refusal *refusals, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct refusal *refusal = &refusals[i];
		uint32_t words[STREAM_MAX_WORDS];

		memcpy(words, refusal->words, sizeof(words));
		words[0] = VIRGL_HEADER(refusal->command, refusal->object, refusal->n);
		if (!stream_is_accepted(words, refusal->n + 1))
			fail_msg("%s: refused as it should be", refusal->what);
		words[refusal->at] = refusal->bad;
		if (stream_is_accepted(words, refusal->n + 1))
			fail_msg("%s: accepted as %x", refusal->what, refusal->bad);
	}
}

void stream_cut_refusals(const struct refusal *refusals, unsigned n_refusals)
{
	for (unsigned i = 0; i < n_refusals; i++) {
		const struct refusal *refusal = &refusals[i];

		for (uint32_t n = 0; n < refusal->n; n++) {
			g_autofree uint32_t *words = g_memdup2(refusal->words, 4 * (n + 1));

			words[0] = VIRGL_HEADER(refusal->command, refusal->object, n);
			(void)stream_is_accepted(words, n + 1);
			words[0] = VIRGL_HEADER(refusal->command, refusal->object, refusal->n);
			assert_true(stream_is_accepted(words, n + 1));
		}
	}
}
