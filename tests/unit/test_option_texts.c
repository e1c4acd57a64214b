// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The manual page and the completions of three shells name every option of the table, every named
 * value, and nothing else. argv[1] is the directory data of the source tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>

#include "options_private.h"

static const char *data_dir;

/* @before and @after enclose the name of an option; @letter_before and @letter_after its letter.
 * NULL after: no letter, digit or hyphen follows. The values of an option are between the first
 * occurrence of its name and the next @end. */
static const struct text {
	const char *file, *before, *after, *letter_before, *letter_after, *end;
} texts[] = {
	{ "vhost-device-gpu.1.scd", "*--", "*", "*-", "*", "\n\n" },
	{ "completions/vhost-device-gpu.bash", "--", NULL, NULL, NULL, ";;" },
	{ "completions/_vhost-device-gpu", "--", NULL, "{-", ",", "\n" },
	{ "completions/vhost-device-gpu.fish", " -l ", " ", " -s ", " ", "\n" },
};

static char *read_text(const struct text *text)
{
	g_autofree char *path = g_build_filename(data_dir, text->file, NULL);
	char *content = NULL;

	if (!g_file_get_contents(path, &content, NULL, NULL))
		fail_msg("%s cannot be read", path);
	return content;
}

/* Returns the end of the word, or NULL. */
static const char *find_word(const char *content, const char *before, const char *word,
			     const char *after)
{
	g_autofree char *quoted_before = g_regex_escape_string(before, -1);
	g_autofree char *quoted_after = g_regex_escape_string(after ? after : "", -1);
	g_autofree char *pattern =
		g_strconcat(*before == ' ' ? "" : "(?<![a-z0-9-])", quoted_before, word,
			    after ? quoted_after : "(?![a-z0-9-])", NULL);
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;
	int end;

	if (!g_regex_match(regex, content, 0, &match) ||
	    !g_match_info_fetch_pos(match, 0, NULL, &end))
		return NULL;
	return content + end;
}

static void check_values(const struct text *text, const char *content,
			 const struct option_type *type)
{
	const char *end = strstr(content, text->end);
	g_autofree char *entry = g_strndup(content, end ? end - content : 0);

	for (unsigned i = 0; i < type->names->n; i++) {
		const char *name = type->names->names[i];

		if (name && !find_word(entry, "", name, NULL))
			fail_msg("%s does not name %s of --%s", text->file, name, type->name);
	}
}

static void check_option(const struct text *text, const char *content,
			 const struct option_type *type)
{
	const char letter[] = { type->letter, '\0' };
	const char *found = find_word(content, text->before, type->name, text->after);

	if (!found)
		fail_msg("%s does not name --%s", text->file, type->name);
	if (type->letter && text->letter_before &&
	    !find_word(content, text->letter_before, letter, text->letter_after))
		fail_msg("%s does not name -%s", text->file, letter);
	/* The manual page explains BOOL once. */
	if (type->names && (!options_value_is_optional(type) || text != texts))
		check_values(text, found, type);
}

static void every_option_and_value_is_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *content = read_text(&texts[i]);

		for (unsigned j = 0; j < options_table_length; j++)
			check_option(&texts[i], content, &options_table[j]);
	}
}

static bool is_option(const char *name)
{
	for (unsigned i = 0; i < options_table_length; i++)
		if (strcmp(options_table[i].name, name) == 0)
			return true;
	return false;
}

/* A shell pattern, and an option of systemctl in an example. */
static bool is_something_else(const char *name)
{
	return strcmp(name, "max") == 0 || strcmp(name, "now") == 0;
}

static void texts_name_no_unknown_option(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *content = read_text(&texts[i]);
		g_autofree char *quoted = g_regex_escape_string(texts[i].before, -1);
		g_autofree char *pattern = g_strconcat("(?:(?<![a-z0-9-])--|", quoted,
						       ")([a-z][a-z0-9-]*[a-z0-9])", NULL);
		g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
		g_autoptr(GMatchInfo) match = NULL;
		unsigned n = 0;

		for (g_regex_match(regex, content, 0, &match); g_match_info_matches(match);
		     g_match_info_next(match, NULL), n++) {
			g_autofree char *name = g_match_info_fetch(match, 1);

			if (!is_option(name) && !is_something_else(name))
				fail_msg("%s names --%s", texts[i].file, name);
		}
		assert_true(n >= options_table_length - 3);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_and_value_is_named),
		cmocka_unit_test(texts_name_no_unknown_option),
	};

	data_dir = argc > 1 ? argv[1] : "data";
	return cmocka_run_group_tests_name("option_texts", tests, NULL, NULL);
}
