// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks the text of a shader before the library reads it. The text is TGSI, with one declaration
 * or instruction a line. A number in brackets is an index into one of the library's tables, which
 * are as large as Mesa's shaders need, and the library mostly does not check it. So each number in
 * brackets is compared here with the limit of the word before it.
 *
 * This is not a parser. It recognises words, brackets and numbers anywhere in the text, so that it
 * finds at least the indices that the library's parser finds. Syntax errors are left to that
 * parser.
 */
#include "render/virgl/tgsi_private.h"

#include <glib.h>
#include <string.h>

#include "render/virgl/protocol_private.h"

/* A number with more digits is not a valid index. */
#define MAX_DIGITS 9
#define MAX_WORD   32
/* Vertices of a primitive or a patch, constant buffers: the first of two pairs of brackets. */
#define MAX_DIMENSION 31
/* Declarations of inputs, and of outputs: the library has room for 64 of each, and adds some of its
 * own. */
#define MAX_DECLARATIONS 60
#define MAX_COUNTERS     32
#define MAX_IO_ARRAY     VIRGL_TGSI_MAX_IO
#define MAX_ARRAY        1023
/* The digits that the library's parser skips after "0x". */
#define HEX_DIGITS    8
#define MAX_HEX_CHARS 24

/* A declaration of atomic counters. */
struct counters {
	uint32_t buffer, first, last;
};

struct scan {
	const char *text, *at;
	unsigned type;
	char word[MAX_WORD];   /* the last one, in upper case */
	char opcode[MAX_WORD]; /* of the last instruction */
	unsigned n_operands;   /* of that instruction, so far */
	bool is_declaration;   /* between DCL and its register */
	char file[MAX_WORD];   /* of the last declaration */
	unsigned n_in, n_out;  /* declarations */
	uint64_t out_first;    /* bit n: an output is declared from register n on */
	uint64_t out_arrays;   /* the same for outputs in arrays */
	uint64_t out_unnamed;  /* bit n: the library may have no name for output register n */
	uint32_t system_values;
	struct counters counters[MAX_COUNTERS];
	unsigned n_counters;
	struct virgl_tgsi *result;
};

static bool is_word(const struct scan *scan, const char *word)
{
	return strcmp(scan->word, word) == 0;
}

/* Colours: a fragment shader writes up to eight, other shaders pass on two. */
static uint32_t max_color(const struct scan *scan)
{
	return scan->type == VIRGL_SHADER_FRAGMENT && strcmp(scan->file, "OUT") == 0 ? 7 : 1;
}

static uint32_t max_index(const struct scan *scan)
{
	return is_word(scan, "COLOR") ? max_color(scan) : virgl_tgsi_limit(scan->word)->max;
}

static void skip_space(struct scan *scan)
{
	while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n')
		scan->at++;
}

static bool is_letter(char c)
{
	return g_ascii_isalpha(c) || c == '_';
}

static bool take_word(struct scan *scan)
{
	unsigned n = 0;

	if (!is_letter(*scan->at))
		return false;
	for (; is_letter(*scan->at) || g_ascii_isdigit(*scan->at); scan->at++)
		if (n < MAX_WORD - 1)
			scan->word[n++] = g_ascii_toupper(*scan->at);
	scan->word[n] = '\0';
	return true;
}

/* Reads a number of at least one digit. Returns UINT32_MAX if it is not a valid index. */
static uint32_t take_number(struct scan *scan)
{
	uint32_t number = 0;
	unsigned n = 0;

	for (; g_ascii_isdigit(*scan->at); scan->at++)
		if (++n <= MAX_DIGITS)
			number = number * 10 + (uint32_t)(*scan->at - '0');
	return n <= MAX_DIGITS ? number : UINT32_MAX;
}

struct range {
	uint32_t first, last;
	bool is_empty;
};

/* Reads the numbers after "[", or after a register in the brackets, up to "]". A negative number is
 * refused, unless it is an offset to a register and @max is at least VIRGL_TGSI_MAX_CONST: for
 * registers with so many indices (CONST, TEMP, HWATOMIC) the library has no table with an entry for
 * each index. */
static bool take_index(struct scan *scan, uint32_t max, bool is_relative, struct range *ret)
{
	*ret = (struct range){ .is_empty = true };
	while (*scan->at && *scan->at != ']') {
		if (*scan->at == '-' && (!is_relative || max < VIRGL_TGSI_MAX_CONST))
			return false;
		if (!g_ascii_isdigit(*scan->at)) {
			scan->at++;
			continue;
		}
		ret->last = take_number(scan);
		if (ret->last > max)
			return false;
		if (ret->is_empty)
			ret->first = ret->last;
		ret->is_empty = false;
	}
	if (*scan->at)
		scan->at++;
	return ret->first <= ret->last;
}

/* Reads a register in the brackets of another, as in TEMP[ADDR[0].x+3], and moves past it. */
static bool take_inner(struct scan *scan, bool *ret_is_there)
{
	char outer[MAX_WORD];
	struct range range;
	bool is_good = true;

	memcpy(outer, scan->word, sizeof(outer));
	*ret_is_there = take_word(scan);
	skip_space(scan);
	if (*ret_is_there && *scan->at == '[') {
		scan->at++;
		is_good = take_index(scan, max_index(scan), false, &range);
	}
	memcpy(scan->word, outer, sizeof(outer));
	return is_good;
}

static bool take_brackets(struct scan *scan, uint32_t max, struct range *ret)
{
	bool is_relative;

	scan->at++;
	skip_space(scan);
	return take_inner(scan, &is_relative) && take_index(scan, max, is_relative, ret);
}

static bool take_array(struct scan *scan, const char *file)
{
	bool is_io = strcmp(file, "IN") == 0 || strcmp(file, "OUT") == 0;

	scan->at++;
	skip_space(scan);
	return !g_ascii_isdigit(*scan->at) ||
	       take_number(scan) <= (is_io ? MAX_IO_ARRAY : MAX_ARRAY);
}

/* A register, with or without a first pair of brackets for the vertex or the buffer. */
struct place {
	uint32_t dimension;
	struct range range;
};

static bool declare_counters(struct scan *scan, const struct place *place)
{
	if (scan->n_counters >= MAX_COUNTERS)
		return false;
	scan->counters[scan->n_counters++] =
		(struct counters){ place->dimension, place->range.first, place->range.last };
	return true;
}

/* A mask of the registers from @first to @last, those above 63 left out. */
static uint64_t bits_of(const struct range *range)
{
	uint64_t bits = 0;

	for (uint32_t i = range->first; !range->is_empty && i <= range->last && i < 64; i++)
		bits |= UINT64_C(1) << i;
	return bits;
}

/* If a comma is next, returns the word after it, in upper case, and moves past it; else returns an
 * empty word. */
static void peek_word(const char **at, char *ret)
{
	struct scan scan = { .at = *at };

	skip_space(&scan);
	if (*scan.at == ',') {
		scan.at++;
		skip_space(&scan);
		take_word(&scan);
	}
	memcpy(ret, scan.word, MAX_WORD);
	*at = scan.at;
}

/* Whether the library has no name for an output. In tessellation control shaders it gives no name
 * to outputs that belong to a vertex, and reads the missing name for instructions on doubles. */
static bool is_unnamed(const char *meaning)
{
	return meaning[0] == '\0' || strcmp(meaning, "POSITION") == 0 ||
	       strcmp(meaning, "PSIZE") == 0 || strcmp(meaning, "LOCAL") == 0;
}

/* Records an output. If two outputs begin at the same register and have the same semantic, the
 * library forgets the second, even if it is longer. */
static void declare_output(struct scan *scan, const struct range *range)
{
	const char *at = scan->at + (*scan->at == '.' ? 1 + strspn(scan->at + 1, "xyzwXYZW") : 0);
	uint64_t bits = bits_of(range), first = bits & ~(bits - 1);
	uint64_t *declared = &scan->out_first;
	char meaning[MAX_WORD];

	peek_word(&at, meaning);
	if (strcmp(meaning, "ARRAY") == 0) {
		declared = &scan->out_arrays;
		at += strcspn(at, ",\n");
		peek_word(&at, meaning);
	}
	if (is_unnamed(meaning))
		scan->out_unnamed |= bits;
	scan->result->outputs |= *declared & first ? first : bits;
	*declared |= first;
}

static bool declare(struct scan *scan, const struct place *place)
{
	const struct range *range = &place->range;

	scan->is_declaration = false;
	memcpy(scan->file, scan->word, sizeof(scan->file));
	if (is_word(scan, "IN"))
		return ++scan->n_in <= MAX_DECLARATIONS;
	if (is_word(scan, "HWATOMIC"))
		return declare_counters(scan, place);
	if (is_word(scan, "SV"))
		scan->system_values |= 1u << range->first;
	if (!is_word(scan, "OUT"))
		return true;
	declare_output(scan, range);
	return ++scan->n_out <= MAX_DECLARATIONS;
}

static bool are_declared(const struct scan *scan, const struct place *place)
{
	for (unsigned i = 0; i < scan->n_counters; i++) {
		const struct counters *counters = &scan->counters[i];

		if (counters->buffer == place->dimension && counters->first <= place->range.first &&
		    counters->last >= place->range.first)
			return true;
	}
	return false;
}

/* DFRACEXP writes two registers. */
static enum tgsi_use use_of_operand(const struct scan *scan)
{
	unsigned n_written = virgl_tgsi_is_reader(scan->opcode) ? 0 : 1;

	if (strcmp(scan->opcode, "DFRACEXP") == 0)
		n_written = 2;

	return scan->n_operands <= n_written ? TGSI_WRITE : TGSI_READ;
}

/* Whether the library treats the operand as an immediate without a check. */
static bool wants_immediate(const struct scan *scan)
{
	return strcmp(scan->opcode, "EMIT") == 0 || strcmp(scan->opcode, "ENDPRIM") == 0 ||
	       strcmp(scan->opcode, "MEMBAR") == 0;
}

static bool is_nameless(const struct scan *scan, const struct place *place)
{
	return scan->type == VIRGL_SHADER_TESS_CTRL && is_word(scan, "OUT") &&
	       virgl_tgsi_reads_doubles(scan->opcode) && use_of_operand(scan) == TGSI_READ &&
	       (place->range.first >= 64 || (scan->out_unnamed >> place->range.first & 1));
}

static bool use(const struct scan *scan, const struct place *place)
{
	if (is_nameless(scan, place))
		return false;
	if (wants_immediate(scan) && !is_word(scan, "IMM"))
		return false;
	if (is_word(scan, "SV") && !(scan->system_values >> (place->range.first & 31) & 1))
		return false;
	if (is_word(scan, "HWATOMIC") && !are_declared(scan, place))
		return false;
	return virgl_tgsi_limit(scan->word)->use & use_of_operand(scan);
}

/* Checks a word before brackets: a register, or the semantic of a declared one. */
static bool take_register(struct scan *scan, bool is_operand)
{
	uint32_t max = max_index(scan);
	struct place place = { 0 };

	if (!take_brackets(scan, max, &place.range))
		return false;
	skip_space(scan);
	if (*scan->at == '[') {
		place.dimension = place.range.last;
		if (place.dimension > MAX_DIMENSION || !take_brackets(scan, max, &place.range))
			return false;
	}
	if (*scan->at == '(' && !take_array(scan, scan->word))
		return false;
	if (scan->is_declaration)
		return declare(scan, &place);
	return !is_operand || use(scan, &place);
}

/* Returns the last character before @at that is not a space, a sign or a bar. */
static char char_before(const struct scan *scan, const char *at)
{
	while (at > scan->text && strchr(" \t\n-|", at[-1]))
		at--;
	return (char)(at > scan->text ? at[-1] : '\0');
}

/* Whether the word at @at, before brackets, is an operand. Notes the instruction too: its name is
 * the word before the first operand. In a declaration, a word after a comma is not a register. */
static bool is_operand(struct scan *scan, const char *at, const char *word_before)
{
	if (scan->is_declaration)
		return false;
	if (char_before(scan, at) == ',') {
		scan->n_operands++;
		return scan->opcode[0] != '\0';
	}
	g_strlcpy(scan->opcode, word_before, sizeof(scan->opcode));
	scan->n_operands = 1;
	return true;
}

/* IMM[0] FLT32 {...}: in a declaration of an immediate a word follows the brackets, unlike after an
 * operand. */
static bool is_immediate(const struct scan *scan, const char *word_before)
{
	const char *end = strchr(scan->at, ']');

	if (!end || !is_word(scan, "IMM") || scan->is_declaration ||
	    virgl_tgsi_is_reader(word_before))
		return false;
	end += 1 + strspn(end + 1, " \t\n");
	return is_letter(*end);
}

static bool take_immediate(struct scan *scan)
{
	struct range range;

	scan->opcode[0] = '\0';
	return take_brackets(scan, max_index(scan), &range);
}

static bool take_property(struct scan *scan)
{
	skip_space(scan);
	if (!take_word(scan))
		return true;
	skip_space(scan);
	if (g_ascii_isdigit(*scan->at))
		return take_number(scan) <= virgl_tgsi_property_max(scan->word);
	return true;
}

static bool take_words(struct scan *scan)
{
	const char *at = scan->at;
	char before[MAX_WORD];

	memcpy(before, scan->word, sizeof(before));
	virgl_tgsi_remove_modifiers(before);
	take_word(scan);
	if (is_word(scan, "DCL")) {
		scan->is_declaration = true;
		scan->opcode[0] = '\0';
	}
	if (is_word(scan, "PROPERTY"))
		return take_property(scan);
	skip_space(scan);
	if (*scan->at == '[')
		return is_immediate(scan, before)
			       ? take_immediate(scan)
			       : take_register(scan, is_operand(scan, at, before));
	if (*scan->at == '(' && is_word(scan, "ARRAY"))
		return take_array(scan, scan->file);
	return true;
}

/* The library assumes that eight digits follow 0x, and skips them without a check. A number with
 * fewer than MAX_HEX_CHARS characters from its 0x to the end of the text is refused too. */
static bool check_hex(const char *at)
{
	for (unsigned i = 0; i < HEX_DIGITS; i++)
		if (!g_ascii_isxdigit(at[2 + i]))
			return false;
	return strnlen(at, MAX_HEX_CHARS) == MAX_HEX_CHARS;
}

static bool take_header(struct scan *scan)
{
	skip_space(scan);
	return take_word(scan) && is_word(scan, virgl_tgsi_type(scan->type));
}

bool virgl_tgsi_check(const char *text, unsigned type, struct virgl_tgsi *ret)
{
	struct scan scan = { .text = text, .at = text, .type = type, .result = ret };

	*ret = (struct virgl_tgsi){ 0 };
	if (type >= VIRGL_N_SHADER_TYPES || !take_header(&scan))
		return false;
	while (*scan.at) {
		if (is_letter(*scan.at)) {
			if (!take_words(&scan))
				return false;
		} else if (scan.at[0] == '0' && scan.at[1] == 'x') {
			if (!check_hex(scan.at))
				return false;
			scan.at += 2 + HEX_DIGITS;
		} else if (g_ascii_isdigit(*scan.at)) {
			take_number(&scan);
		} else {
			scan.at++;
		}
	}
	return true;
}
