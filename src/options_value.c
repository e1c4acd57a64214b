// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads and describes the values of options. The parser, the errors and the help use the same row
 * of the table, so they agree.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "options_private.h"

static const char suffixes[] = "KMGT"; /* each is 1024 times the one before */

/* Six digits after the point: with the largest suffix they fit in 64 bits. */
#define MAX_FRACTION UINT64_C(1000000)

static void *field_of(const struct option_type *type, struct options *options)
{
	return (char *)options + type->at;
}

static void store(const struct option_type *type, struct options *options, uint64_t value)
{
	if (type->size == sizeof(bool))
		*(bool *)field_of(type, options) = value;
	else if (type->size == sizeof(uint32_t))
		*(uint32_t *)field_of(type, options) = (uint32_t)value;
	else
		*(uint64_t *)field_of(type, options) = value;
}

static uint64_t load(const struct option_type *type, const struct options *options)
{
	const void *field = (const char *)options + type->at;

	if (type->size == sizeof(bool))
		return *(const bool *)field;
	if (type->size == sizeof(uint32_t))
		return *(const uint32_t *)field;
	return *(const uint64_t *)field;
}

bool options_value_is_optional(const struct option_type *type)
{
	return type->value && type->value[0] == '[';
}

bool options_value_set_path(const struct option_type *type, struct options *options,
			    const char *value)
{
	*(const char **)field_of(type, options) = value;
	return *value;
}

bool options_value_set_text(const struct option_type *type, struct options *options,
			    const char *value)
{
	return options_value_set_path(type, options, value);
}

bool options_value_set_flag(const struct option_type *type, struct options *options,
			    const char *value)
{
	(void)value;
	store(type, options, true);
	return true;
}

/* Reads a suffix such as "K", "KB" or "KiB" at *@end and moves *@end past it. Returns its power of
 * two; 0 without a suffix. */
static unsigned read_suffix(const struct option_type *type, const char **end)
{
	const char *suffix = type->has_suffix && **end ? strchr(suffixes, **end) : NULL;

	if (!suffix)
		return 0;
	(*end)++;
	if (g_str_has_prefix(*end, "iB"))
		*end += 2;
	else if (**end == 'B')
		(*end)++;
	return 10 * (unsigned)(suffix - suffixes + 1);
}

/* Reads a fraction such as ".5" at *@end as *@ret_part / *@ret_whole, and moves *@end past it; 0 /
 * 1 without a fraction. False if no digit follows the point, or more than six. */
static bool read_fraction(const struct option_type *type, const char **end, uint64_t *ret_part,
			  uint64_t *ret_whole)
{
	*ret_part = 0;
	*ret_whole = 1;
	if (!type->has_suffix || **end != '.')
		return true;
	for ((*end)++; g_ascii_isdigit(**end); (*end)++) {
		*ret_part = *ret_part * 10 + (uint64_t)g_ascii_digit_value(**end);
		*ret_whole *= 10;
		if (*ret_whole > MAX_FRACTION)
			return false;
	}
	return *ret_whole > 1;
}

bool options_value_set_number(const struct option_type *type, struct options *options,
			      const char *value)
{
	const char *end = value;
	uint64_t part, whole;

	errno = 0;
	uint64_t n = g_ascii_strtoull(value, (char **)&end, 10);
	if (errno ||
	    !g_ascii_isdigit(*value)) /* g_ascii_strtoull() accepts signs and white space */
		return false;
	if (!read_fraction(type, &end, &part, &whole))
		return false;

	unsigned shift = read_suffix(type, &end);

	if (*end || n > type->max >> shift || (part > 0 && shift == 0))
		return false;
	n = (n << shift) + (part << shift) / whole;
	if (n < type->min || n > type->max)
		return false;
	store(type, options, n);
	return true;
}

static bool find_name(const struct option_names *names, const char *name, unsigned *ret)
{
	for (unsigned i = 0; i < names->n; i++) {
		if (g_strcmp0(name, names->names[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	for (unsigned i = 0; i < names->n_aliases; i++) {
		if (g_strcmp0(name, names->aliases[i].name) == 0) {
			*ret = names->aliases[i].value;
			return true;
		}
	}
	return false;
}

/* Adds the names in @value to the set in the field. */
static bool set_several(const struct option_type *type, struct options *options, const char *value)
{
	g_auto(GStrv) list = g_strsplit(value, ",", -1);
	uint64_t bits = load(type, options);
	unsigned i;

	for (char **name = list; *name; name++) {
		if (!find_name(type->names, g_strstrip(*name), &i))
			return false;
		bits |= UINT64_C(1) << i;
	}
	store(type, options, bits);
	return true;
}

bool options_value_set_name(const struct option_type *type, struct options *options,
			    const char *value)
{
	unsigned i = type->names->n - 1;

	if (value && type->names->is_set)
		return set_several(type, options, value);
	if (value && !find_name(type->names, value, &i))
		return false;
	store(type, options, i);
	return true;
}

static bool is_offered(const struct option_names *names, unsigned i)
{
	return names->names[i];
}

/* "off, auto (default) or strict". @default_value UINT64_MAX: no name is marked. */
static char *join_names(const struct option_names *names, uint64_t default_value)
{
	GString *text = g_string_new(NULL);
	unsigned last = names->n - 1;

	while (!is_offered(names, last))
		last--;
	for (unsigned i = 0; i <= last; i++) {
		if (!is_offered(names, i))
			continue;
		if (text->len > 0)
			g_string_append(text, i < last || names->is_set ? ", " : " or ");
		g_string_append(text, names->names[i]);
		if (i == default_value)
			g_string_append(text, " (default)");
	}
	return g_string_free(text, FALSE);
}

static void append_name(GString *text, const char *name)
{
	g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", name);
}

/* Names and aliases: "false, true, no, yes, off, on, 0 or 1"; of a set, of which the user may give
 * several, without "or". */
static char *join_accepted(const struct option_names *names)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const char *last;

	for (unsigned i = 0; i < names->n; i++)
		if (is_offered(names, i))
			append_name(text, names->names[i]);
	for (unsigned i = 0; i < names->n_aliases; i++)
		if (!names->aliases[i].is_hidden)
			append_name(text, names->aliases[i].name);
	last = strrchr(text->str, ',');
	if (names->is_set || !last)
		return g_strdup(text->str);
	return g_strdup_printf("%.*s or%s", (int)(last - text->str), text->str, last + 1);
}

static char *expected_number(const struct option_type *type)
{
	return g_strdup_printf("a number %s%s%sfrom %llu to %llu%s", type->unit ? "of " : "",
			       type->unit ? type->unit : "", type->unit ? " " : "",
			       (unsigned long long)type->min, (unsigned long long)type->max,
			       type->has_suffix ? ", for example 512M, 1GiB or 1.5G" : "");
}

char *options_value_expected(const struct option_type *type)
{
	if (type->max > 0)
		return expected_number(type);
	if (!type->names)
		return g_strdup(type->set == options_value_set_text ? "a text" : "a path");

	g_autofree char *accepted = join_accepted(type->names);

	if (!type->names->is_set)
		return g_steal_pointer(&accepted);
	return g_strdup_printf("one or more of %s, separated by commas", accepted);
}

/* "1G": uses the largest suffix that leaves a whole number. */
static char *format_number(const struct option_type *type, uint64_t n)
{
	unsigned i = 0;

	while (type->has_suffix && n > 0 && n % 1024 == 0 && suffixes[i]) {
		n /= 1024;
		i++;
	}
	return g_strdup_printf("%llu%.*s", (unsigned long long)n, i > 0,
			       &suffixes[i > 0 ? i - 1 : 0]);
}

/* " (1 to 16, default 1)". A range that ends at INT32_MAX or above is left out. */
static char *describe_number(const struct option_type *type, uint64_t default_value)
{
	g_autofree char *number = format_number(type, default_value);

	if (type->hides_default)
		return g_strdup("");
	if (type->max >= INT32_MAX)
		return g_strdup_printf(" (default %s)", number);
	return g_strdup_printf(" (%llu to %llu, default %s)", (unsigned long long)type->min,
			       (unsigned long long)type->max, number);
}

char *options_value_details(const struct option_type *type, const struct options *defaults)
{
	if (type->max > 0)
		return describe_number(type, load(type, defaults));
	if (!type->names)
		return g_strdup("");

	bool has_default = !type->hides_default && !type->names->is_set;
	uint64_t default_value = has_default ? load(type, defaults) : UINT64_MAX;
	g_autofree char *names = join_names(type->names, default_value);

	return g_strconcat(": ", names, NULL);
}
