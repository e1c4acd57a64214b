// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Puts an error into a valid stream: a word, a length or a command; one at a time. */
#include "make.h"

/* The places of the headers in @stream: array of unsigned, the caller's. */
static GArray *find_headers(const GArray *stream)
{
	GArray *headers = g_array_new(FALSE, FALSE, sizeof(unsigned));

	for (unsigned at = 0; at < stream->len;
	     at += (g_array_index(stream, uint32_t, at) >> 16) + 1)
		g_array_append_val(headers, at);
	return headers;
}

static uint32_t make_bad_word(struct random *random, uint32_t old)
{
	static const uint32_t values[] = {
		0,          1,          0xffffffff, 0x7fffffff, 0x80000000, 0x3f000000, 0xffff,
		0x10000,    0x7fff,     0x8000,     0xff,       0x100,      16,         17,
		32,         33,         64,         322,        330,        443,        512,
		0x1000000,  0xfffffffe, 0x40000000, 0x7ffffff0, 4096,       8192,       16384,
		0xfffffffc, 0x20000000, 0x0fffffff, 6,          8,          9,          15,
	};
	static const char letters[] = "RrFSVPQOBADEHtumolkTq";

	switch (random_below(random, 6)) {
	case 0:
		return old ^ 1u << random_below(random, 32);
	case 1:
		return old + random_below(random, 9) - 4;
	case 2:
		return random_u32(random);
	case 3:
		return make_word(random, letters[random_below(random, sizeof(letters) - 1)]);
	default:
		return values[random_below(random, G_N_ELEMENTS(values))];
	}
}

/* Changes a word of the command at @at, which has words. */
static void change_word(struct random *random, GArray *stream, unsigned at, unsigned n)
{
	unsigned which = random_one_in(random, 3) ? random_below(random, n)
						  : random_below(random, MIN(n, 21));
	uint32_t *word = &g_array_index(stream, uint32_t, at + 1 + which);

	*word = make_bad_word(random, *word);
}

static void change_header(struct random *random, GArray *stream, unsigned at)
{
	uint32_t *header = &g_array_index(stream, uint32_t, at);

	if (random_one_in(random, 2))
		*header = (*header & 0xffffff00) | random_below(random, N_COMMANDS + 2);
	else
		*header = (*header & 0xffff00ff) | random_below(random, 14) << 8;
}

/* Gives the command at @at more or fewer words. */
static void change_length(struct random *random, GArray *stream, unsigned at, unsigned n)
{
	unsigned longer = 1 + random_below(random, random_one_in(random, 4) ? 300 : 6);

	if (n > 0 && random_one_in(random, 2)) {
		longer = 1 + random_below(random, n);
		g_array_remove_range(stream, at + 1 + n - longer, longer);
		n -= longer;
	} else {
		for (unsigned i = 0; i < longer; i++) {
			uint32_t word = random_one_in(random, 2) ? 1 + random_below(random, 16)
								 : make_bad_word(random, 0);

			g_array_insert_val(stream, at + 1 + n, word);
		}
		n += longer;
	}
	g_array_index(stream, uint32_t, at) =
		(g_array_index(stream, uint32_t, at) & 0xffff) | n << 16;
}

void make_mutation(struct random *random, GArray *stream)
{
	g_autoptr(GArray) headers = find_headers(stream);

	if (headers->len == 0)
		return;

	unsigned at = g_array_index(headers, unsigned, random_below(random, headers->len));
	unsigned n = g_array_index(stream, uint32_t, at) >> 16;

	switch (random_below(random, 12)) {
	case 0:
		change_header(random, stream, at);
		return;
	case 1:
		change_length(random, stream, at, n);
		return;
	default:
		if (n > 0)
			change_word(random, stream, at, n);
		return;
	}
}
