// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Words of TGSI's text form, equally likely within their kind. */

#include <glib.h>
#include <stdint.h>

#include "random.h"

#define PICK(random, array) (array)[random_below(random, G_N_ELEMENTS(array))]

/* Name, results, operands, and whether a texture's kind comes last. */
struct opcode {
	const char *name;
	uint8_t n_to, n_from, has_texture;
};

/* The file of a register, such as TEMP. */
const char *words_file(struct random *random);
const char *words_semantic(struct random *random);
const char *words_texture(struct random *random);
const char *words_property(struct random *random);
const struct opcode *words_opcode(struct random *random);
