// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Each finding names a part of the host, its status and text, and a cure. A driver that crashes the
 * process that loads it is also a finding, so check_renderer.c tries drivers in a child.
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_private.h"
#include "options.h"
#include "start.h"

#define STATUS_WITH_LIMITS 3

static const char *const status_names[] = {
	[CHECK_INFO] = "info",
	[CHECK_OK] = "ok",
	[CHECK_LESS] = "less",
	[CHECK_NO] = "no",
};

static void free_finding(gpointer data)
{
	struct check_finding *finding = data;

	g_free(finding->name);
	g_free(finding->text);
	g_free(finding->cure);
	g_free(finding);
}

void check_add(GPtrArray *findings, enum check_status status, const char *name, const char *text,
	       const char *cure)
{
	struct check_finding *finding = g_new(struct check_finding, 1);

	*finding = (struct check_finding){ status, g_strdup(name), g_strdup(text), g_strdup(cure) };
	g_ptr_array_add(findings, finding);
}

static void print_text(const GPtrArray *findings)
{
	for (unsigned i = 0; i < findings->len; i++) {
		const struct check_finding *f = g_ptr_array_index(findings, i);

		printf("%-4s  %s: %s\n", status_names[f->status], f->name, f->text);
		if (f->cure)
			printf("      -> %s\n", f->cure);
	}
}

/* Prints @text as a JSON string. Text of drivers and files may not be UTF-8: g_utf8_make_valid()
 * replaces invalid bytes. */
static void print_string(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	putchar('"');
	for (const char *c = valid; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if ((unsigned char)*c < ' ')
			printf("\\u%04x", (unsigned)*c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void print_json(const GPtrArray *findings, const char *result)
{
	printf("{\n  \"result\": \"%s\",\n  \"findings\": [\n", result);
	for (unsigned i = 0; i < findings->len; i++) {
		const struct check_finding *f = g_ptr_array_index(findings, i);

		printf("    { \"status\": \"%s\", \"name\": ", status_names[f->status]);
		print_string(f->name);
		printf(", \"text\": ");
		print_string(f->text);
		printf(", \"cure\": ");
		if (f->cure)
			print_string(f->cure);
		else
			printf("null");
		printf(" }%s\n", i + 1 < findings->len ? "," : "");
	}
	printf("  ]\n}\n");
}

static enum check_status find_worst(const GPtrArray *findings)
{
	enum check_status worst = CHECK_OK;

	for (unsigned i = 0; i < findings->len; i++) {
		const struct check_finding *f = g_ptr_array_index(findings, i);

		worst = MAX(worst, f->status);
	}
	return worst;
}

int check_run(const struct options *options)
{
	static const char *const sentences[] = {
		[CHECK_OK] = "everything works",
		[CHECK_LESS] = "works with limits",
		[CHECK_NO] = "does not work with these options",
	};
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(free_finding);

	check_renderer(findings, options);
	check_nodes(findings, options);
	check_udmabuf(findings);
	check_helpers(findings);
	check_qemu(findings);
	check_libvirt(findings);

	enum check_status worst = find_worst(findings);

	if (options->check == CHECK_FORMAT_JSON)
		print_json(findings, status_names[worst]);
	else
		print_text(findings);
	if (options->check != CHECK_FORMAT_JSON)
		printf("%s\n", sentences[worst]);
	if (fflush(stdout) != 0 || ferror(stdout))
		return start_fail("cannot write to standard output: %s", g_strerror(errno));
	return worst == CHECK_OK     ? EXIT_SUCCESS
	       : worst == CHECK_LESS ? STATUS_WITH_LIMITS
				     : EXIT_FAILURE;
}
