// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Each event is one line, written in one call (base/log_output.c), so that lines of several daemons
 * do not mix and a reader never sees half a line.
 *
 * A guest can cause the same message a million times a second, so each log call in the source (a
 * site) is limited by a token bucket. The bucket is stored as one timestamp: when it will be full
 * again (GCRA). A line advances the timestamp by the time of one token; if it would then lie
 * further ahead than an empty bucket takes to fill, the line is dropped and counted. A site that
 * dropped a line stays silent until it again has as many tokens as it gets in one second. Then the
 * number of its dropped lines is printed before the next line of any site. The limit is per site,
 * so messages that a guest provokes never displace others, and a message that occurs once is always
 * printed. It applies at every level, because a front-end that connects in a loop causes many error
 * lines.
 *
 * Nothing is allocated: each log_at() has a static variable with its bucket. Renderers log from
 * their own threads, so there is a lock.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_output.h"

#define NS_PER_S    UINT64_C(1000000000)
#define NS_PER_LINE (NS_PER_S / LOG_PER_SECOND)
#define NS_BURST    (NS_PER_LINE * LOG_BURST)

const char *const log_level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level current_level = LOG_LEVEL_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_site *sites_with_drops; /* all static, so never freed */

void log_set_level(enum log_level level)
{
	current_level = level;
}

bool log_is_enabled(enum log_level level)
{
	return level <= current_level;
}

/* Makes one line of @text, which has @len bytes and is cut to @size. It may contain text of a
 * guest, so control characters are replaced: they could start a line or control a terminal. */
static size_t end_line(char *text, size_t len, size_t size)
{
	if (len > size - 2)
		len = size - 2;
	for (size_t i = 0; i < len; i++)
		if (!log_is_printable(text[i]))
			text[i] = '?';
	text[len] = '\n';
	return len + 1;
}

static void write_line(enum log_level level, const char *module, const char *format, va_list args)
{
	char text[LOG_OUTPUT_MAX_BYTES];
	const size_t size = sizeof(text) - strlen(log_level_names[level]) - 1;
	int used = snprintf(text, size, "%s: ", module);
	int rest = vsnprintf(text + used, size - (size_t)used, format, args);

	if (rest >= 0)
		log_output_write(level, text, end_line(text, (size_t)used + (size_t)rest, size));
}

static void write_formatted(enum log_level level, const char *module, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void write_formatted(enum log_level level, const char *module, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(level, module, format, args);
	va_end(args);
}

/* Takes one token if there are at least @n. */
static bool take_token(struct log_site *site, unsigned n, uint64_t now)
{
	uint64_t full_at = site->full_at_ns > now ? site->full_at_ns : now;

	if (full_at - now > NS_BURST - n * NS_PER_LINE)
		return false;
	site->full_at_ns = full_at + NS_PER_LINE;
	return true;
}

static void count_drop(struct log_site *site, enum log_level level, const char *module,
		       const char *format)
{
	if (site->n_dropped++ == 0) {
		site->next = sites_with_drops;
		sites_with_drops = site;
	}
	site->level = level;
	site->module = module;
	site->format = format;
}

/* Prints the number of dropped lines of all sites that have tokens again. */
static void tell_drops(uint64_t now)
{
	struct log_site **link = &sites_with_drops;

	while (*link) {
		struct log_site *site = *link;

		if (!take_token(site, LOG_PER_SECOND, now)) {
			link = &site->next;
			continue;
		}
		write_formatted(site->level, site->module,
				"%llu lines like this were dropped: \"%s\"",
				(unsigned long long)site->n_dropped, site->format);
		*link = site->next;
		site->next = NULL;
		site->n_dropped = 0;
	}
}

void log_write(struct log_site *site, enum log_level level, const char *module, const char *format,
	       ...)
{
	struct timespec ts;
	va_list args;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;

	pthread_mutex_lock(&lock);
	tell_drops(now);
	if (site->n_dropped == 0 && take_token(site, 1, now)) {
		va_start(args, format);
		write_line(level, module, format, args);
		va_end(args);
	} else {
		count_drop(site, level, module, format);
	}
	pthread_mutex_unlock(&lock);
}

void log_fatal(const char *format, ...)
{
	char text[LOG_OUTPUT_MAX_BYTES];
	va_list args;
	const size_t size = sizeof(text) - strlen("vhost-device-gpu: ");

	va_start(args, format);
	int len = vsnprintf(text, size, format, args);
	va_end(args);
	if (len < 0)
		return;

	pthread_mutex_lock(&lock);
	log_output_write_fatal(text, end_line(text, (size_t)len, size));
	pthread_mutex_unlock(&lock);
}
