// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The grammar: rows for most commands of the protocol, a letter for each word after the header. A
 * digit repeats the letter after it; what follows a + comes one to four times.
 */
#include <string.h>

#include "make.h"
#include "session.h"

struct rule {
	uint8_t command, object;
	uint8_t weight;
	const char *words;
};

/* clang-format off */
static const struct rule rules[] = {
	{ 0, 0, 1, "" },
	{ 1, 1, 3, "Bkk8k" },          /* CREATE_OBJECT: blend */
	{ 1, 2, 3, "Akfkkffff" },      /* rasterizer */
	{ 1, 3, 3, "Dkkkf" },          /* depth, stencil, alpha */
	{ 1, 5, 3, "E+ojvF" },         /* vertex elements */
	{ 1, 6, 6, "VRTXYs" },         /* sampler view */
	{ 1, 7, 3, "Pkfff4f" },         /* sampler state */
	{ 1, 8, 8, "SRFlY" },          /* surface */
	{ 1, 9, 4, "Qqoy" },           /* query */
	{ 1, 10, 3, "OroL" },          /* stream output target */
	{ 1, 11, 2, "SRFlYu" },        /* multisampled surface */
	{ 2, 1, 2, "B" }, { 2, 2, 2, "A" }, { 2, 3, 2, "D" }, { 2, 5, 2, "E" },
	{ 3, 1, 1, "B" }, { 3, 2, 1, "A" }, { 3, 3, 1, "D" }, { 3, 4, 1, "H" }, { 3, 5, 1, "E" },
	{ 3, 6, 1, "V" }, { 3, 7, 1, "P" }, { 3, 8, 1, "S" }, { 3, 9, 1, "Q" }, { 3, 10, 1, "O" },
	{ 4, 0, 2, "z+6f" },           /* SET_VIEWPORT_STATE */
	{ 5, 0, 4, "!SS" }, { 5, 0, 1, "zS" }, { 5, 0, 2, "!zS" }, /* SET_FRAMEBUFFER_STATE */
	{ 6, 0, 4, "+jor" },           /* SET_VERTEX_BUFFERS */
	{ 7, 0, 3, "m4fzff" },         /* CLEAR */
	{ 8, 0, 16, "" },              /* DRAW_VBO: make_special() */
	{ 10, 0, 4, "tz+V" },          /* SET_SAMPLER_VIEWS */
	{ 11, 0, 3, "rio" }, { 11, 0, 1, "z" },
	{ 12, 0, 3, "tz+4f" },         /* SET_CONSTANT_BUFFER */
	{ 13, 0, 1, "*" },
	{ 14, 0, 1, "4f" },
	{ 15, 0, 2, "z+ww" },          /* SET_SCISSOR_STATE */
	{ 16, 0, 6, "kzwRlF2ce2wdRlF2ce2wd" },
	{ 17, 0, 6, "Rl2ceRl2ce2wd" }, /* RESOURCE_COPY_REGION */
	{ 18, 0, 3, "tz+P" },          /* BIND_SAMPLER_STATES */
	{ 19, 0, 3, "Q" }, { 20, 0, 3, "Q" }, { 21, 0, 3, "Qb" },
	{ 22, 0, 1, "8*8*8*8*" },
	{ 23, 0, 1, "8f8f8f8f" },
	{ 24, 0, 1, "*" },
	{ 25, 0, 3, "m+O" },           /* SET_STREAMOUT_TARGETS */
	{ 26, 0, 2, "Qbv" },
	{ 27, 0, 3, "tuoLr" },         /* SET_UNIFORM_BUFFER */
	{ 28, 0, 2, "x" }, { 29, 0, 2, "x" }, { 30, 0, 1, "x" },
	{ 31, 0, 6, "" },              /* BIND_SHADER: make_special() */
	{ 32, 0, 1, "6f" },
	{ 33, 0, 1, "u" },
	{ 34, 0, 3, "tz+oLr" },        /* SET_SHADER_BUFFERS */
	{ 35, 0, 4, "tz+FkYlR" },      /* SET_SHADER_IMAGES */
	{ 36, 0, 1, "*" },
	{ 37, 0, 3, "3w3uzz" }, { 37, 0, 1, "3w3uro" },
	{ 38, 0, 2, "ww" },
	{ 39, 0, 1, "*" },
	{ 40, 0, 2, "z+oLr" },         /* SET_ATOMIC_BUFFERS */
	{ 41, 0, 1, "2*" },
	{ 42, 0, 3, "Qrbvou" },        /* GET_QUERY_RESULT_QBO */
	{ 43, 0, 4, "Rlzzz2ce2wdod" },   /* TRANSFER3D */
	{ 44, 0, 1, "" },
	{ 45, 0, 4, "Rlzzz2ce2wdrou" },  /* COPY_TRANSFER3D */
	{ 46, 0, 1, "uu" },
	{ 47, 0, 3, "Rl2ce2wd4f" },      /* CLEAR_TEXTURE */
	{ 50, 0, 1, "r" },
	{ 51, 0, 1, "z***" },
	{ 52, 0, 2, "" },              /* LINK_SHADER: make_special() */
	{ 53, 0, 1, "uuuuuwwu" }, { 54, 0, 1, "u" }, { 55, 0, 1, "uFwwRR" }, { 56, 0, 1, "u" },
	{ 57, 0, 1, "uu" }, { 58, 0, 1, "uuuu" }, { 59, 0, 1, "uurru" }, { 60, 0, 1, "uuuuu" },
	{ 61, 0, 1, "uu" },
	{ 62, 0, 3, "uS4fccww" },      /* CLEAR_SURFACE */
	{ 63, 0, 1, "rr" },            /* GET_PIPE_RESOURCE_LAYOUT */
};
/* clang-format on */

/* Resources of make.c: four buffers, textures, four buffers. */
#define N_RESOURCES    24
#define N_TEXTURES_END 20

#define DRAW_WORDS          12
#define DRAW_WORDS_TESS     14
#define DRAW_WORDS_INDIRECT 20
#define OBJECT_RASTERIZER   2

unsigned make_n_rules(void)
{
	return G_N_ELEMENTS(rules);
}

/* Mostly the one of the setup. */
uint32_t make_handle(struct random *random, unsigned object)
{
	if (random_below(random, 3) > 0)
		return object * HANDLES_OF_A_KIND + 1;
	return object * HANDLES_OF_A_KIND + 1 + random_below(random, HANDLES_OF_A_KIND - 1);
}

static uint32_t make_float(struct random *random)
{
	static const float values[] = { 0, 1, -1, 0.5f, 2, 16, 64, 1e-3f, 1e30f, -1e30f };
	uint32_t word;

	memcpy(&word, &values[random_below(random, G_N_ELEMENTS(values))], sizeof(word));
	return word;
}

/* Mostly formats that most OpenGLs have, of the same sizes as the resources of the setup. */
uint32_t make_format(struct random *random)
{
	static const uint16_t common[] = {
		1,  2,  3,  4,   16,  17,  19,  20,  27,  28,  29,  30,  31,  64,  67,  68,
		92, 93, 94, 100, 101, 105, 106, 110, 121, 123, 125, 131, 177, 179, 193, 197,
		5,  7,  9,  10,  11,  12,  13,  14,  49,  66,  124, 129, 191, 209, 225, 134,
	};

	if (random_one_in(random, 4))
		return random_below(random, 330);
	return common[random_below(random, G_N_ELEMENTS(common))];
}

static uint32_t make_shader_handle(struct random *random, uint32_t type)
{
	return OBJECT_SHADER * HANDLES_OF_A_KIND + type + (random_one_in(random, 4) ? 1 : 0);
}

static uint32_t make_reference(struct random *random, char letter)
{
	static const char letters[] = "-BADHEVPSQO";
	const char *at = strchr(letters, letter);

	if (!at || letter == '-')
		return 0;
	if (letter == 'H')
		return make_shader_handle(random, random_below(random, N_SHADER_TYPES));
	return make_handle(random, (unsigned)(at - letters));
}

static uint32_t make_small(struct random *random, char letter)
{
	switch (letter) {
	case '!':
		return 1;
	case 'b':
		return random_below(random, 2);
	case 'c':
		return random_one_in(random, 2) ? 0 : random_below(random, 16);
	case 'd':
		return random_one_in(random, 8) ? 1 + random_below(random, 8) : 1;
	case 'e':
		return random_one_in(random, 8) ? random_below(random, 8) : 0;
	case 'g':
		return random_below(random, 9);
	case 'i':
		return 1u << random_below(random, 3);
	case 'j':
		return random_one_in(random, 2) ? 0 : 4 * random_below(random, 8);
	case 'l':
		return random_one_in(random, 2) ? 0 : random_below(random, 4);
	case 'M':
		return random_below(random, 15);
	case 'n':
		return random_below(random, 13);
	case 't':
		return random_below(random, N_SHADER_TYPES);
	case 'u':
		return random_below(random, 8);
	case 'v':
		return random_below(random, 4);
	case 'w':
		return 1 + random_below(random, 16);
	case 'x':
		return random_below(random, 4);
	default:
		return 0;
	}
}

static uint32_t make_range(struct random *random)
{
	uint32_t first = random_below(random, 3), last = first + random_below(random, 3);

	if (random_one_in(random, 6))
		return random_u32(random) & 0x00070007;
	return first | last << (random_one_in(random, 2) ? 16 : 8);
}

uint32_t make_word(struct random *random, char letter)
{
	switch (letter) {
	case '*':
		return random_u32(random);
	case 'f':
		return make_float(random);
	case 'F':
		return make_format(random);
	case 'k': /* packed fields */
		return random_u32(random) & random_u32(random);
	case 'L':
		return 16 * (1 + random_below(random, 16));
	case 'm':
		return random_one_in(random, 2) ? 1u << random_below(random, 20)
						: random_below(random, 256);
	case 'o':
		return random_one_in(random, 2) ? 0 : 4 * random_below(random, 64);
	case 'q':
		return random_below(random, 16) | (random_below(random, 4) << 16);
	case 'R':
		return 1 + random_below(random, N_RESOURCES);
	case 'r':
		return 1 + (random_one_in(random, 2) ? 0 : N_TEXTURES_END) +
		       random_below(random, 4);
	case 'y':
		return random_one_in(random, 8) ? 1 + random_below(random, N_RESOURCES)
						: N_TEXTURES_END + 1;
	case 's':
		return random_one_in(random, 2) ? 0 | 1 << 3 | 2 << 6 | 3 << 9 : random_u32(random);
	case 'T': /* a sampler view's format, with the target in the high byte or not */
		return make_format(random) |
		       (random_one_in(random, 3) ? random_below(random, 9) << 24 : 0);
	case 'X':
	case 'Y': /* first and last layer, level or element */
		return random_one_in(random, 2) ? 0 : make_range(random);
	default:
		return make_small(random, letter) + make_reference(random, letter);
	}
}

static void append(GArray *stream, uint32_t word)
{
	g_array_append_val(stream, word);
}

static void make_words(struct random *random, const char *words, GArray *stream)
{
	for (; *words && *words != '+'; words++) {
		unsigned n = 1;

		if (g_ascii_isdigit(words[0]) && words[1])
			n = (unsigned)(*words++ - '0');
		for (unsigned i = 0; i < n; i++)
			append(stream, make_word(random, *words));
	}
	if (*words == '+')
		for (unsigned n = 1 + random_below(random, 4); n > 0; n--)
			make_words(random, words + 1, stream);
}

static void make_draw(struct random *random, GArray *stream)
{
	static const uint8_t sizes[] = { DRAW_WORDS, DRAW_WORDS_TESS, DRAW_WORDS_INDIRECT };
	uint32_t n = sizes[random_below(random, 4) % 3];
	static const char letters[] = "znMbuzzbuz*zuzrozuor";

	append(stream, HEADER(8, 0, n));
	for (uint32_t i = 0; i < n; i++)
		append(stream, make_word(random, letters[i]));
}

/* Commands whose words depend on each other. */
static bool make_special(struct random *random, const struct rule *rule, GArray *stream)
{
	uint32_t type = random_below(random, N_SHADER_TYPES);

	switch (rule->command) {
	case 8:
		make_draw(random, stream);
		return true;
	case 31:
		append(stream, HEADER(31, 0, 2));
		append(stream, make_shader_handle(random, type));
		append(stream, type);
		return true;
	case 52:
		append(stream, HEADER(52, 0, N_SHADER_TYPES));
		for (type = 0; type < N_SHADER_TYPES; type++)
			append(stream, random_one_in(random, 2) && type > 1
					       ? 0
					       : make_shader_handle(random, type));
		return true;
	default:
		return false;
	}
}

void make_by_rule(struct random *random, unsigned n, GArray *stream)
{
	const struct rule *rule = &rules[n];
	unsigned start = stream->len;

	if (make_special(random, rule, stream))
		return;
	append(stream, 0);
	make_words(random, rule->words, stream);
	g_array_index(stream, uint32_t, start) =
		HEADER(rule->command, rule->object, stream->len - start - 1);
}

static void make_inline_write(struct random *random, GArray *stream)
{
	uint32_t n = 4 + random_below(random, 60), start = stream->len;

	append(stream, HEADER(CMD_INLINE_WRITE, 0, 11 + n));
	make_words(random, "Rlzzz2ce2wd", stream);
	g_assert(stream->len - start == 12);
	for (uint32_t i = 0; i < n; i++)
		append(stream, make_word(random, random_one_in(random, 2) ? 'f' : '*'));
}

void make_command(struct random *random, GArray *stream)
{
	static unsigned total;
	unsigned n;

	if (total == 0)
		for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++)
			total += rules[i].weight;
	if (random_one_in(random, 30)) {
		make_inline_write(random, stream);
		return;
	}
	if (random_one_in(random, 20)) {
		uint32_t type = random_below(random, N_SHADER_TYPES);

		make_shader(random, type, make_shader_handle(random, type),
			    random_one_in(random, 3), stream);
		return;
	}
	n = random_below(random, total);
	for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
		if (n < rules[i].weight) {
			make_by_rule(random, i, stream);
			return;
		}
		n -= rules[i].weight;
	}
}
