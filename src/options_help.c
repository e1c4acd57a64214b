// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Prints --help: each row of the table under the heading of its group, in COLUMNS columns. Each
 * line of an option's text begins in column TEXT.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "options_private.h"

#define COLUMNS 80
#define NAME    24 /* columns for an option's name and value */
#define TEXT    32

static const char *const headings[] = {
	[OPTION_GROUP_SOCKET] = "Socket",   [OPTION_GROUP_RENDERER] = "Renderer",
	[OPTION_GROUP_DISPLAY] = "Display", [OPTION_GROUP_LIMITS] = "Limits for one guest",
	[OPTION_GROUP_OTHER] = "Other",
};

/* Prints @text between column TEXT and the end of each line. */
static void print_wrapped(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t column = TEXT;

	for (char **word = words; *word; word++) {
		size_t length = strlen(*word);

		if (column > TEXT && column + 1 + length > COLUMNS) {
			printf("\n%*s", TEXT, "");
			column = TEXT;
		}
		printf("%s%s", column > TEXT ? " " : "", *word);
		column += length + (column > TEXT);
	}
	putchar('\n');
}

static void print_option(const struct option_type *type, const struct options *defaults)
{
	g_autofree char *name = g_strjoin(" ", type->name, type->value, NULL);
	g_autofree char *details = options_value_details(type, defaults);
	g_autofree char *text = g_strconcat(type->help, details, NULL);
	char letter[] = "    ";

	if (type->letter)
		snprintf(letter, sizeof(letter), "-%c, ", type->letter);
	printf("  %s--%-*s", letter, NAME, name);
	print_wrapped(text);
}

void options_help_print(const struct options *defaults)
{
	printf("Usage: vhost-device-gpu --socket-path PATH [OPTION]...\n"
	       "       vhost-device-gpu --fd N [OPTION]...\n"
	       "A virtio-gpu device for a virtual machine, over vhost-user.\n");
	for (unsigned i = 0; i < options_table_length; i++) {
		if (i == 0 || options_table[i].group != options_table[i - 1].group)
			printf("\n%s:\n", headings[options_table[i].group]);
		print_option(&options_table[i], defaults);
	}
	printf("\nBOOL: true, yes, on, 1 or false, no, off, 0; true if it is left out.\n"
	       "BYTES: a number, or one with K, M, G or T: 512M, 512MB, 1GiB, 1.5G (1K is 1024).\n"
	       "$VHOST_DEVICE_GPU_OPTIONS holds more options, read before the arguments.\n"
	       "\nExit status: 0 after a signal, or after the connection of --once or --fd; 1 if\n"
	       "the host cannot do what the options ask for, an option does not fit --gpu-mode,\n"
	       "or the renderer did not return (--max-stall); 2 for wrong usage; 3 if --check\n"
	       "finds that the daemon works with limits.\n"
	       "\nExamples:\n"
	       "  vhost-device-gpu --socket-path /run/user/1000/gpu.sock\n"
	       "  vhost-device-gpu --socket-path gpu.sock --gpu-mode 2d --max-hostmem 512M\n"
	       "\nThe manual is vhost-device-gpu(1).\n");
}
