// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One line per event, written with one write(2), so that lines of several daemons on one journal do
 * not mix and a reader never sees half a line. Standard error may be a pipe that nobody reads: it
 * is the caller's terminal or journal, and the only place where this daemon may wait for somebody.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level current_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	current_level = level;
}

bool log_is_enabled(enum log_level level)
{
	return level <= current_level;
}

bool log_level_parse(const char *name, enum log_level *ret)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	int used = snprintf(line, sizeof(line), "%s %s: ", level_names[level], module);
	va_list args;

	va_start(args, format);
	int text = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
	va_end(args);
	if (text < 0)
		return;

	size_t len = (size_t)used + (size_t)text;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nobody left to tell */
}
