// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Generates a session: resources of each target, a setup with which a draw works, and streams that
 * continue from there, half of them with an error.
 */
#include "make.h"

#include "session.h"

#define MAX_STREAMS 24

/* The id of the resource for query results: a buffer in the library's own memory. */
#define QUERY_MEMORY 21

/* target, format, bind, width, height, depth, layers, last level, samples */
static const uint32_t resources[][9] = {
	{ 0, 64, 0x10, 1024, 1, 1, 1, 0, 0 },   { 0, 64, 0x20, 256, 1, 1, 1, 0, 0 },
	{ 0, 64, 0x40, 4096, 1, 1, 1, 0, 0 },   { 0, 64, 0x800, 1024, 1, 1, 1, 0, 0 },
	{ 2, 1, 0xa, 32, 32, 1, 1, 2, 0 },      { 2, 67, 0xa, 16, 16, 1, 1, 0, 0 },
	{ 2, 20, 0x9, 32, 32, 1, 1, 0, 0 },     { 3, 67, 0xa, 8, 8, 4, 1, 1, 0 },
	{ 4, 67, 0xa, 8, 8, 1, 6, 1, 0 },       { 7, 67, 0xa, 8, 8, 1, 4, 1, 0 },
	{ 2, 67, 0xa, 16, 16, 1, 1, 0, 4 },     { 1, 67, 0xa, 16, 1, 1, 1, 0, 0 },
	{ 5, 1, 0xa, 16, 16, 1, 1, 0, 0 },      { 2, 121, 0xa, 16, 16, 1, 1, 0, 0 },
	{ 2, 105, 0x8, 16, 16, 1, 1, 0, 0 },    { 8, 67, 0xa, 8, 8, 1, 12, 0, 0 },
	{ 6, 67, 0xa, 8, 1, 1, 4, 0, 0 },       { 2, 28, 0xa, 16, 16, 1, 1, 0, 0 },
	{ 2, 16, 0x9, 16, 16, 1, 1, 0, 4 },     { 2, 31, 0xa, 16, 16, 1, 1, 0, 0 },
	{ 0, 64, 0x20000, 256, 1, 1, 1, 0, 0 }, { 0, 64, 0x8000, 256, 1, 1, 1, 0, 0 },
	{ 0, 64, 0x4000, 1024, 1, 1, 1, 0, 0 }, { 0, 64, 0x100, 256, 1, 1, 1, 0, 0 },
};

static void append_record(GArray *session, enum session_kind kind, const uint32_t *words,
			  unsigned n_words)
{
	uint32_t head = SESSION_HEAD(kind, n_words);

	g_array_append_val(session, head);
	g_array_append_vals(session, words, n_words);
}

static bool is_as_listed(const uint32_t *words, unsigned i)
{
	for (unsigned j = 0; j < G_N_ELEMENTS(resources[i]); j++)
		if (words[j + 1] != resources[i][j])
			return false;
	return true;
}

/* Returns the resources that are as in the table: bit n for resource n. */
static uint32_t add_resources(struct random *random, GArray *session)
{
	uint32_t intact = 0;

	for (uint32_t i = 0; i < G_N_ELEMENTS(resources); i++) {
		uint32_t words[11] = { i + 1 };

		if (random_one_in(random, 4) && i > 6 && i < QUERY_MEMORY - 1)
			continue;
		for (unsigned j = 0; j < G_N_ELEMENTS(resources[i]); j++)
			words[j + 1] = resources[i][j];
		if (random_one_in(random, 12))
			words[2] = make_format(random);
		if (random_one_in(random, 12))
			words[3] = random_u32(random) & 0xfffff;
		if (random_one_in(random, 12))
			words[1] = random_below(random, 9);
		if (random_one_in(random, 20))
			words[4 + random_below(random, 7)] = random_below(random, 20);
		append_record(session, SESSION_RESOURCE, words, G_N_ELEMENTS(words));
		if (is_as_listed(words, i))
			intact |= 1u << words[0];
	}
	return intact;
}

static void append(GArray *stream, const uint32_t *words, unsigned n)
{
	g_array_append_vals(stream, words, n);
}

#define APPEND(stream, ...)                                                                        \
	append(stream, (const uint32_t[]){ __VA_ARGS__ },                                          \
	       sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

#define FLOAT_ONE  0x3f800000
#define FLOAT_HALF 0x41800000 /* of the target's 32 pixels */
#define ALL_COLORS (15u << 27)
#define OBJECT(n)  ((n)*HANDLES_OF_A_KIND + 1)

/* A failing command would end the setup, so commands whose resource is not as listed are left out.
 */
#define HAS(n) (intact >> (n)&1)

static void add_objects(uint32_t intact, GArray *stream)
{
	APPEND(stream, HEADER(1, 1, 11), OBJECT(1), 0, 0, ALL_COLORS, 0, 0, 0, 0, 0, 0, 0);
	APPEND(stream, HEADER(1, 2, 9), OBJECT(2), 1 << 1 | 1 << 29, FLOAT_ONE, 0, 0, FLOAT_ONE, 0,
	       0, 0);
	APPEND(stream, HEADER(1, 3, 5), OBJECT(3), 0, 0, 0, 0);
	APPEND(stream, HEADER(1, 5, 9), OBJECT(5), 0, 0, 0, 31, 16, 0, 0, 31);
	if (HAS(5))
		APPEND(stream, HEADER(1, 8, 5), OBJECT(8), 5, 1, 0, 0);
	if (HAS(7))
		APPEND(stream, HEADER(1, 8, 5), OBJECT(8) + 1, 7, 20, 0, 0);
	if (HAS(6))
		APPEND(stream, HEADER(1, 6, 6), OBJECT(6), 6, 67, 0, 0,
		       0 | 1 << 3 | 2 << 6 | 3 << 9);
	APPEND(stream, HEADER(1, 7, 9), OBJECT(7), 0, 0, 0, 0, 0, 0, 0, 0);
	if (HAS(QUERY_MEMORY))
		APPEND(stream, HEADER(1, 9, 4), OBJECT(9), 0, 0, QUERY_MEMORY);
	if (HAS(4))
		APPEND(stream, HEADER(1, 10, 4), OBJECT(10), 4, 0, 256);
}

static void add_bindings(uint32_t intact, GArray *stream)
{
	APPEND(stream, HEADER(2, 1, 1), OBJECT(1), HEADER(2, 2, 1), OBJECT(2), HEADER(2, 3, 1),
	       OBJECT(3), HEADER(2, 5, 1), OBJECT(5));
	if (HAS(5))
		APPEND(stream, HEADER(5, 0, 3), 1, HAS(7) ? OBJECT(8) + 1 : 0, OBJECT(8));
	APPEND(stream, HEADER(4, 0, 7), 0, FLOAT_HALF, FLOAT_HALF, FLOAT_ONE, FLOAT_HALF,
	       FLOAT_HALF, 0);
	if (HAS(1))
		APPEND(stream, HEADER(6, 0, 3), 32, 0, 1);
	if (HAS(2))
		APPEND(stream, HEADER(11, 0, 3), 2, 2, 0);
	if (HAS(6))
		APPEND(stream, HEADER(10, 0, 3), 1, 0, OBJECT(6));
	APPEND(stream, HEADER(18, 0, 3), 1, 0, OBJECT(7));
	APPEND(stream, HEADER(12, 0, 6), 0, 0, FLOAT_ONE, FLOAT_ONE, FLOAT_ONE, FLOAT_ONE);
	APPEND(stream, HEADER(31, 0, 2), OBJECT(4), 0, HEADER(31, 0, 2), OBJECT(4) + 1, 1);
	APPEND(stream, HEADER(24, 0, 1), 0xffffffff);
}

static void add_setup(struct random *random, uint32_t intact, GArray *session)
{
	g_autoptr(GArray) stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	add_objects(intact, stream);
	for (unsigned type = 0; type < N_SHADER_TYPES; type++)
		if (type < 2 || random_one_in(random, 2))
			make_shader(random, type, OBJECT(4) + type, true, stream);
	add_bindings(intact, stream);
	append_record(session, SESSION_SETUP, &g_array_index(stream, uint32_t, 0), stream->len);
}

static void add_stream(struct random *random, GArray *session)
{
	g_autoptr(GArray) stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (unsigned n = 1 + random_below(random, 10); n > 0; n--)
		make_command(random, stream);
	if (random_one_in(random, 2))
		for (unsigned n = 1 + random_below(random, 3); n > 0; n--)
			make_mutation(random, stream);
	append_record(session, SESSION_SUBMIT, &g_array_index(stream, uint32_t, 0), stream->len);
}

static void add_transfer(struct random *random, GArray *session)
{
	uint32_t words[12];
	static const char letters[] = "Rulzzocccwww";

	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		words[i] = make_word(random, letters[i]);
	append_record(session, SESSION_TRANSFER, words, G_N_ELEMENTS(words));
}

static void add_other(struct random *random, GArray *session)
{
	uint32_t resource = make_word(random, 'R');

	switch (random_below(random, 4)) {
	case 0:
		append_record(session, SESSION_FREE, &resource, 1);
		return;
	case 1:
		append_record(session, SESSION_DETACH, &resource, 1);
		return;
	default:
		add_transfer(random, session);
		return;
	}
}

GArray *session_make(uint64_t seed)
{
	GArray *session = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	struct random random = { seed * UINT64_C(0xd1342543de82ef95) + 1 };

	uint32_t intact = add_resources(&random, session);

	add_setup(&random, intact, session);
	for (unsigned n = 1 + random_below(&random, MAX_STREAMS); n > 0; n--) {
		if (random_one_in(&random, 8))
			add_other(&random, session);
		add_stream(&random, session);
	}
	return session;
}
