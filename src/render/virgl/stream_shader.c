// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks a shader in a stream: its length, its stream outputs (the outputs that it writes to
 * buffers), and its text. The library puts the stream outputs and the gaps between them into an
 * array on its stack, and looks up their registers among the declared outputs, without a bounds
 * check for either.
 */
#include <string.h>

#include "render/virgl/stream_private.h"
#include "render/virgl/tgsi_private.h"

#define WORD_TYPE      2
#define WORD_LENGTH    3 /* bytes of text; with bit 31: offset of a further part */
#define WORD_TOKENS    4
#define WORD_N_OUTPUTS 5
#define WORD_STRIDES   6
#define WORD_OUTPUTS   10 /* two words each */
#define IS_MORE        (1u << 31)

#define N_BUFFERS     4
#define MAX_OUTPUTS   64
#define MAX_REGISTERS 64
/* Limit on outputs, gaps and changes of the buffer together; the library's array has twice as many
 * entries. */
#define MAX_VARYINGS 80
#define MAX_TOKENS   (1u << 22)

/* A gap of @n components takes one entry for each four. */
static uint32_t count_gap(uint32_t n)
{
	return (n + 3) / 4;
}

struct output {
	uint32_t reg, n_components, buffer, offset;
};

static struct output output_of(uint32_t word)
{
	return (struct output){ .reg = word & 0xff,
				.n_components = word >> 10 & 7,
				.buffer = word >> 13 & 7,
				.offset = word >> 16 };
}

/* Counts the entries in the library's order: buffer after buffer, each with the gap at its end. */
static bool check_outputs(const uint32_t *command, uint64_t declared)
{
	const uint32_t *strides = command + WORD_STRIDES;
	uint32_t n = command[WORD_N_OUTPUTS], place = 0, buffer = 0, n_varyings = 0;

	for (unsigned i = 0; i < N_BUFFERS; i++)
		if (strides[i] > MAX_VARYINGS * 4)
			return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct output output = output_of(command[WORD_OUTPUTS + 2 * i]);

		if (output.reg >= MAX_REGISTERS || !(declared >> output.reg & 1) ||
		    output.buffer >= N_BUFFERS || output.offset > MAX_VARYINGS * 4 ||
		    output.n_components == 0 || output.n_components > 4)
			return false;
		if (output.buffer != buffer) {
			n_varyings +=
				count_gap(strides[buffer] > place ? strides[buffer] - place : 0);
			n_varyings += output.buffer > buffer ? output.buffer - buffer : 0;
			buffer = output.buffer;
			place = 0;
		}
		n_varyings += count_gap(output.offset > place ? output.offset - place : 0) + 1;
		place = output.offset + output.n_components;
	}
	n_varyings += count_gap(strides[buffer] > place ? strides[buffer] - place : 0);
	return n_varyings <= MAX_VARYINGS;
}

static uint32_t count_outputs(const uint32_t *command)
{
	return command[WORD_TYPE] == VIRGL_SHADER_COMPUTE ? 0 : command[WORD_N_OUTPUTS];
}

uint32_t virgl_stream_text_at(const uint32_t *command)
{
	uint32_t n_outputs = count_outputs(command);

	return WORD_STRIDES + (n_outputs > 0 ? N_BUFFERS + 2 * n_outputs : 0);
}

/* Whether the library refuses the command before it does anything. */
static bool is_malformed(const uint32_t *command, uint32_t n)
{
	return n < WORD_N_OUTPUTS || command[WORD_TYPE] >= VIRGL_N_SHADER_TYPES ||
	       count_outputs(command) > MAX_OUTPUTS || virgl_stream_text_at(command) > n;
}

bool virgl_stream_is_part(const uint32_t *command, uint32_t n)
{
	if (is_malformed(command, n))
		return false;
	return (command[WORD_LENGTH] & IS_MORE) ||
	       (command[WORD_LENGTH] + 3) / 4 > n + 1 - virgl_stream_text_at(command);
}

/* The parts of a shader are checked later, when they are joined to one command. */
bool virgl_stream_check_shader(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	struct virgl_tgsi tgsi;

	(void)virgl;
	if (is_malformed(command, n))
		return !(n >= WORD_LENGTH && command[WORD_LENGTH] & IS_MORE);
	if (command[WORD_TOKENS] > MAX_TOKENS)
		return false;
	if (virgl_stream_is_part(command, n))
		return true;

	uint32_t text_at = virgl_stream_text_at(command);
	const char *text = (const char *)(command + text_at);

	if (!memchr(text, '\0', (n + 1 - text_at) * sizeof(*command)))
		return true; /* the library refuses it */
	return virgl_tgsi_check(text, command[WORD_TYPE], &tgsi) &&
	       (count_outputs(command) == 0 || check_outputs(command, tgsi.outputs));
}
