// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Lines on standard error: "level module: text". Each .c that logs defines LOG_MODULE in the line
 * before it includes this, after all other includes. Each log call in the source is limited to
 * LOG_BURST lines at once, then LOG_PER_SECOND, counting the line that says how many were dropped.
 */

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST      50
#define LOG_PER_SECOND 10

enum log_level {
	LOG_LEVEL_ERROR, /* a session or the daemon ends, or the host failed */
	LOG_LEVEL_WARN,  /* something is degraded, and goes on */
	LOG_LEVEL_INFO,  /* the user would want to know */
	LOG_LEVEL_DEBUG, /* errors of the guest, and other detail */
};

/* The state of one log call in the source; static, all zero before its first line. */
struct log_site {
	uint64_t full_at_ns; /* when it may again print LOG_BURST lines at once */
	uint64_t n_dropped;
	enum log_level level; /* this and the next two: of the last dropped line */
	const char *module, *format;
	struct log_site *next; /* the list of sites with unreported dropped lines */
};

void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

/* False for control characters except tab; a log line never contains one. */
static inline bool log_is_printable(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

extern const char *const log_level_names[LOG_LEVEL_DEBUG + 1];

/* May be called in any thread. @module and @format are kept, so they must be static. */
void log_write(struct log_site *site, enum log_level level, const char *module, const char *format,
	       ...) __attribute__((format(printf, 4, 5)));

/* Prints why the daemon cannot start or serve, at every log level: one line, "vhost-device-gpu:
 * text". */
void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		static struct log_site log_site_here;                                              \
		if (log_is_enabled(level))                                                         \
			log_write(&log_site_here, level, LOG_MODULE, __VA_ARGS__);                 \
	} while (0)

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
