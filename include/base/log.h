// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Lines on standard error: "level module: text". Each .c that logs defines LOG_MODULE in the
 * line before it includes this, after all other includes.
 * What one place in the source prints is limited: LOG_BURST lines at once, then LOG_PER_SECOND, the
 * count of what was dropped among them. */

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST      50
#define LOG_PER_SECOND 10

enum log_level {
	LOG_LEVEL_ERROR, /* a session or the daemon ends, or the host failed */
	LOG_LEVEL_WARN,  /* something is degraded, and goes on */
	LOG_LEVEL_INFO,  /* a person would want to know */
	LOG_LEVEL_DEBUG, /* what a guest did wrong, and other detail */
};

/* One place in the source that logs; static, all zero before its first line. */
struct log_site {
	uint64_t full_at_ns; /* when it may print LOG_BURST lines at once again */
	uint64_t n_dropped;
	enum log_level level; /* of the line that was dropped last, as the next two */
	const char *module, *format;
	struct log_site *next; /* of those with lines dropped and not told */
};

void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

/* Not a control character, which a line of the log never has. */
static inline bool log_is_printable(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

extern const char *const log_level_names[LOG_LEVEL_DEBUG + 1];

/* From any thread. @module and @format are kept: they live as long as the process. */
void log_write(struct log_site *site, enum log_level level, const char *module, const char *format,
	       ...) __attribute__((format(printf, 4, 5)));

/* Why the daemon does not serve, at whatever level: one line, "vhost-device-gpu: text". */
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
