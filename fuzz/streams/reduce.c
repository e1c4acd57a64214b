// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reduces a crashing session: first fewer records, then fewer commands in each stream, then fewer
 * lines in each shader, then zeros in place of words. A piece is left out if the session still ends
 * by the same signal without it.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hunt.h"
#include "session.h"

#define PLAY_SECONDS 10
#define SLOW_STATUS  SIGALRM

struct reduction {
	struct renderer *renderer;
	GArray *words;
	int status;
};

int hunt_play(struct renderer *renderer, const uint32_t *words, size_t n_words)
{
	struct session_counts counts = { 0 };
	int status = 0;

	fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		alarm(PLAY_SECONDS);
		session_play(renderer, words, n_words, &counts);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

int hunt_play_file(struct renderer *renderer, const char *path)
{
	g_autofree char *bytes = NULL;
	size_t size;

	if (!g_file_get_contents(path, &bytes, &size, NULL))
		return -1;
	return hunt_play(renderer, (const uint32_t *)bytes, size / 4);
}

static bool still_kills(struct reduction *reduction, const GArray *words)
{
	return hunt_play(reduction->renderer, &g_array_index(words, uint32_t, 0), words->len) ==
	       reduction->status;
}

static bool try_words(struct reduction *reduction, GArray *words)
{
	if (!still_kills(reduction, words)) {
		g_array_unref(words);
		return false;
	}
	g_array_unref(reduction->words);
	reduction->words = words;
	return true;
}

static GArray *copy_of(const struct reduction *reduction)
{
	GArray *copy = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	return g_array_append_vals(copy, reduction->words->data, reduction->words->len);
}

static uint32_t word_at(const struct reduction *reduction, unsigned at)
{
	return g_array_index(reduction->words, uint32_t, at);
}

static bool drop_records(struct reduction *reduction)
{
	bool is_smaller = false;

	for (unsigned at = 0; at < reduction->words->len;) {
		unsigned n = (unsigned)SESSION_N_WORDS(word_at(reduction, at)) + 1;
		GArray *words = copy_of(reduction);

		g_array_remove_range(words, at, MIN(n, words->len - at));
		if (try_words(reduction, words))
			is_smaller = true;
		else
			at += n;
	}
	return is_smaller;
}

/* Of the stream whose record is at @record. */
static bool drop_commands(struct reduction *reduction, unsigned record)
{
	bool is_smaller = false;
	unsigned at = record + 1;

	while (at < record + 1 + SESSION_N_WORDS(word_at(reduction, record))) {
		unsigned n = (word_at(reduction, at) >> 16) + 1;
		unsigned left =
			record + 1 + (unsigned)SESSION_N_WORDS(word_at(reduction, record)) - at;
		GArray *words = copy_of(reduction);

		n = MIN(n, left);
		g_array_remove_range(words, at, n);
		g_array_index(words, uint32_t, record) -= n << 8;
		if (try_words(reduction, words))
			is_smaller = true;
		else
			at += n;
	}
	return is_smaller;
}

static bool drop_all_commands(struct reduction *reduction)
{
	bool is_smaller = false;

	for (unsigned at = 0; at < reduction->words->len;
	     at += (unsigned)SESSION_N_WORDS(word_at(reduction, at)) + 1) {
		uint32_t kind = SESSION_KIND(word_at(reduction, at));

		if (kind == SESSION_SETUP || kind == SESSION_SUBMIT)
			is_smaller |= drop_commands(reduction, at);
	}
	return is_smaller;
}

/* The text of a shader goes to the end of its command, padded with zeros. */
#define CREATE_SHADER(header) (((header)&0xffff) == (1 | 4 << 8))
#define WORD_OUTPUTS          5

static unsigned text_at(const struct reduction *reduction, unsigned at)
{
	uint32_t n_outputs = word_at(reduction, at + WORD_OUTPUTS);

	if (word_at(reduction, at + 2) == 5 || n_outputs == 0)
		return at + WORD_OUTPUTS + 1;
	return at + WORD_OUTPUTS + 1 + 4 + 2 * MIN(n_outputs, 64);
}

static char *copy_text(const struct reduction *reduction, unsigned at)
{
	unsigned end = at + 1 + (word_at(reduction, at) >> 16);
	unsigned text = text_at(reduction, at);

	if (text >= end)
		return g_strdup("");
	return g_strndup((const char *)&g_array_index(reduction->words, uint32_t, text),
			 (end - text) * 4);
}

/* Replaces the text of the shader at @at in the record at @record by @text. */
static bool try_text(struct reduction *reduction, unsigned record, unsigned at, const char *text)
{
	unsigned end = at + 1 + (word_at(reduction, at) >> 16);
	unsigned first = text_at(reduction, at), n_old = end - first;
	unsigned n = (unsigned)strlen(text) / 4 + 1;
	g_autofree uint32_t *padded = g_new0(uint32_t, n);
	GArray *words = copy_of(reduction);

	memcpy(padded, text, strlen(text));
	g_array_remove_range(words, first, n_old);
	g_array_insert_vals(words, first, padded, n);
	g_array_index(words, uint32_t, at) += (n - n_old) << 16;
	g_array_index(words, uint32_t, at + 3) = (uint32_t)strlen(text) + 1;
	g_array_index(words, uint32_t, record) += (n - n_old) << 8;
	return try_words(reduction, words);
}

static void drop_lines(struct reduction *reduction, unsigned record, unsigned at)
{
	for (unsigned i = 0;; i++) {
		g_autofree char *text = copy_text(reduction, at);
		g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
		g_autoptr(GString) rest = g_string_new(NULL);

		if (i >= g_strv_length(lines))
			return;
		if (!lines[i][0])
			continue;
		for (unsigned j = 0; lines[j]; j++)
			if (j != i && lines[j][0])
				g_string_append_printf(rest, "%s\n", lines[j]);
		if (try_text(reduction, record, at, rest->str))
			i--;
	}
}

static void drop_text(struct reduction *reduction)
{
	unsigned n;

	for (unsigned record = 0; record < reduction->words->len;
	     record += (unsigned)SESSION_N_WORDS(word_at(reduction, record)) + 1) {
		uint32_t kind = SESSION_KIND(word_at(reduction, record));

		if (kind != SESSION_SETUP && kind != SESSION_SUBMIT)
			continue;
		for (unsigned at = record + 1;
		     at < record + 1 + SESSION_N_WORDS(word_at(reduction, record)); at += n) {
			if (CREATE_SHADER(word_at(reduction, at)))
				drop_lines(reduction, record, at);
			n = (word_at(reduction, at) >> 16) + 1;
		}
	}
}

static void clear_words(struct reduction *reduction)
{
	if (reduction->words->len > 600)
		return;
	for (unsigned at = 0; at < reduction->words->len; at++) {
		GArray *words = copy_of(reduction);

		if (word_at(reduction, at) == 0) {
			g_array_unref(words);
			continue;
		}
		g_array_index(words, uint32_t, at) = 0;
		try_words(reduction, words);
	}
}

static void print_stream(const struct reduction *reduction, unsigned at, unsigned end)
{
	for (; at < end; at++) {
		uint32_t header = word_at(reduction, at);
		g_autofree char *text = CREATE_SHADER(header) ? copy_text(reduction, at) : NULL;

		printf("  command %u object %u:", header & 0xff, header >> 8 & 0xff);
		for (unsigned n = header >> 16; n > 0 && at + 1 < end; n--, at++)
			if (!text || n + 20 > header >> 16)
				printf(" %x", word_at(reduction, at + 1));
		printf("\n%s", text ? text : "");
	}
}

static void print_session(const struct reduction *reduction)
{
	for (unsigned at = 0; at < reduction->words->len;) {
		uint32_t head = word_at(reduction, at);
		unsigned end = MIN(at + 1 + (unsigned)SESSION_N_WORDS(head), reduction->words->len);

		printf(" record %u:\n", SESSION_KIND(head));
		if (SESSION_KIND(head) == SESSION_SETUP || SESSION_KIND(head) == SESSION_SUBMIT) {
			print_stream(reduction, at + 1, end);
		} else {
			for (unsigned i = at + 1; i < end; i++)
				printf(" %x", word_at(reduction, i));
			printf("\n");
		}
		at = end;
	}
}

static void reduce_file(struct renderer *renderer, const char *path)
{
	struct reduction reduction = { .renderer = renderer };
	g_autofree char *bytes = NULL, *small = g_strdup_printf("%s.small", path);
	size_t size;

	if (!g_file_get_contents(path, &bytes, &size, NULL))
		return;
	reduction.words = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_array_append_vals(reduction.words, bytes, (unsigned)(size / 4));
	reduction.status = hunt_play(renderer, &g_array_index(reduction.words, uint32_t, 0),
				     reduction.words->len);
	if (reduction.status == 0 || WTERMSIG(reduction.status) == SLOW_STATUS) {
		printf("%s: status %d\n", path, reduction.status);
		return;
	}
	while (drop_records(&reduction) || drop_all_commands(&reduction))
		;
	drop_text(&reduction);
	clear_words(&reduction);
	printf("%s: signal %d, %u words\n", path, WTERMSIG(reduction.status), reduction.words->len);
	print_session(&reduction);
	g_file_set_contents(small, reduction.words->data, reduction.words->len * 4, NULL);
	g_array_unref(reduction.words);
}

int hunt_reduce_files(struct renderer *renderer, char **paths)
{
	for (; *paths; paths++)
		reduce_file(renderer, *paths);
	return 0;
}
