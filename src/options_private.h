// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The description of an option, which the files of the command line share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* An alternative name for a value. */
struct option_alias {
	const char *name;
	unsigned value;
	bool is_hidden; /* not listed in errors */
};

/* The names of an enum's values; the index is the value. */
struct option_names {
	const char *const *names; /* an element that is NULL: no such value */
	unsigned n;
	bool is_set; /* several names, separated by commas; the value is bits 1 << index */
	const struct option_alias *aliases;
	unsigned n_aliases;
};

/* The headings of --help and the manual page, in their order. */
enum option_group {
	OPTION_GROUP_SOCKET,
	OPTION_GROUP_RENDERER,
	OPTION_GROUP_DISPLAY,
	OPTION_GROUP_LIMITS,
	OPTION_GROUP_OTHER,
};

/* One option. Its default is what its field holds before the command line is read. */
struct option_type {
	enum option_group group; /* the table is sorted by it */
	char letter;             /* 0: none */
	const char *name;
	const char *value; /* its name in help; NULL: takes no value; in brackets: optional */
	/* Stores @value, which is NULL if none was given. False if the value is invalid. NULL for
	 * options that print something and exit. */
	bool (*set)(const struct option_type *type, struct options *options, const char *value);
	size_t at, size;   /* the field in struct options, in bytes; size 0: no field */
	uint64_t min, max; /* of a number, in @unit; max 0: the value is not a number */
	const char *unit;  /* plural; NULL: a count of what the option names */
	bool has_suffix;   /* a size: may have a decimal point and end with K, M, G or T */
	const struct option_names *names; /* NULL: the value is not a name */
	bool hides_default;               /* help does not show the default */
	const char *help;
};

extern const struct option_type options_table[];
extern const unsigned options_table_length;

extern const struct option_names options_table_modes, options_table_capsets;
/* The capsets of each mode, as bits 1 << id. */
extern const uint32_t options_table_mode_capsets[];

/* Setters of struct option_type. Paths and texts are borrowed, and not empty. */
bool options_value_set_path(const struct option_type *type, struct options *options,
			    const char *value);
bool options_value_set_text(const struct option_type *type, struct options *options,
			    const char *value);
bool options_value_set_number(const struct option_type *type, struct options *options,
			      const char *value);
/* Without a value, the last name is stored. */
bool options_value_set_name(const struct option_type *type, struct options *options,
			    const char *value);
bool options_value_set_flag(const struct option_type *type, struct options *options,
			    const char *value);

bool options_value_is_optional(const struct option_type *type);

/* Describes the values of @type: "a number from 1 to 16". Freed with g_free(). */
char *options_value_expected(const struct option_type *type);

/* The end of the help text: the values and the default. Freed with g_free(). */
char *options_value_details(const struct option_type *type, const struct options *defaults);

/* Both print to standard output and do not flush it. */
void options_help_print(const struct options *defaults);
void options_version_print(void);
