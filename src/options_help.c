// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Prints --help: a line for each row of the table. */
#include <glib.h>
#include <stdio.h>

#include "options_private.h"

static void print_option(const struct option_type *type, const struct options *defaults)
{
	g_autofree char *name = g_strjoin(" ", type->name, type->value, NULL);
	g_autofree char *details = options_value_details(type, defaults);
	char letter[] = "    ";

	if (type->letter)
		snprintf(letter, sizeof(letter), "-%c, ", type->letter);
	printf("  %s--%-26s %s%s\n", letter, name, type->help, details);
}

void options_help_print(const struct options *defaults)
{
	printf("Usage: vhost-device-gpu --socket-path PATH [OPTION]...\n"
	       "A virtio-gpu device for a virtual machine, over vhost-user.\n\n");
	for (unsigned i = 0; i < options_table_length; i++)
		print_option(&options_table[i], defaults);
	printf("\n[BOOL] is true if it is left out.\n");
}
