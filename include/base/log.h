// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Lines on standard error: "level module: text". Each .c that logs defines LOG_MODULE first. */

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR, /* a session or the daemon ends, or the host failed */
	LOG_LEVEL_WARN,  /* something is degraded, and goes on */
	LOG_LEVEL_INFO,  /* a person would want to know */
	LOG_LEVEL_DEBUG, /* what a guest did wrong, and other detail */
};

void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

/* Parses "error", "warn", "info" or "debug". False if @name is none of them. */
bool log_level_parse(const char *name, enum log_level *ret);

void log_write(enum log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if (log_is_enabled(level))                                                         \
			log_write(level, LOG_MODULE, __VA_ARGS__);                                 \
	} while (0)

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
