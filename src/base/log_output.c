// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: after log_output_start() no function here waits for the reader of the log
 * (base/log_reader.h).
 *
 * A pipe or terminal is opened again, non-blocking (base/log_reader.c). If that fails (the parent
 * runs as another user, there is no /proc), poll() is called before each write. A pipe that poll()
 * reports as writable has room for 4096 bytes (PIPE_BUF), which is more than a line. Two exceptions
 * to the invariant remain: the write waits for the reader if another process fills the pipe between
 * poll() and write(), or if a terminal that poll() reports as writable has less room than the line.
 *
 * To a socket (of the journal or syslog) each message is sent with MSG_DONTWAIT.
 *
 * A file or a device does not wait for a reader.
 *
 * A line is written completely or not at all, except to a terminal, which may accept a part of it.
 * Each line begins with its level: a word, or for the journal and syslog a number. Only the line of
 * log_fatal() begins with the name of the program instead of the word.
 */
#include "base/log_output.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log_reader.h"

#define PROGRAM  "vhost-device-gpu"
#define DAEMON   (3 << 3) /* syslog's facility */
#define MAX_HEAD 48

_Static_assert(LOG_OUTPUT_MAX_BYTES <= PIPE_BUF, "a pipe takes a line in one piece");

/* The numbers of syslog(3) and sd-daemon(3). */
static const int severities[] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARN] = 4,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

static struct log_reader reader = { STDERR_FILENO, LOG_WAY_WAITS_NEVER, LOG_FORM_PLAIN,
				    "standard error" };
static bool is_started;
static unsigned long long n_lost;
static bool is_cut; /* only a part of the last line was written */

int log_output_start(void)
{
	struct log_reader found;
	int r = log_reader_find(&found);

	if (r == 0)
		reader = found;
	is_started = r == 0;
	return r;
}

int log_output_fd(void)
{
	return is_started ? reader.fd : -1;
}

/* The number of bytes written; -1 if there is no room or no reader. */
static ssize_t try_write(struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	struct pollfd room = { .fd = reader.fd, .events = POLLOUT };

	if (reader.way == LOG_WAY_SOCKET)
		return sendmsg(reader.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (reader.way == LOG_WAY_ASKS_FIRST &&
	    (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)))
		return -1;
	return writev(reader.fd, iov, n);
}

/* Writes the prefix of a line. Also called in signal handlers: for %s and %d, snprintf() takes no
 * lock and allocates nothing in the C libraries that we use. */
static size_t write_head(char head[MAX_HEAD], enum log_level level, const char *plain)
{
	int len = 0;

	switch (reader.form) {
	case LOG_FORM_PLAIN:
		len = snprintf(head, MAX_HEAD, "%s ", plain);
		break;
	case LOG_FORM_JOURNAL:
		len = snprintf(head, MAX_HEAD, "<%d>", severities[level]);
		break;
	case LOG_FORM_SYSLOG:
		len = snprintf(head, MAX_HEAD, "<%d>" PROGRAM "[%d]: ", DAEMON | severities[level],
			       (int)getpid());
		break;
	}
	return (size_t)len;
}

/* @plain: the prefix in the plain form. */
static bool write_whole(enum log_level level, const char *plain, const char *text, size_t len)
{
	/* Each datagram is one line, without a newline. */
	const bool has_end = reader.form != LOG_FORM_SYSLOG;
	char head[MAX_HEAD];
	struct iovec iov[] = {
		{ (char *)"\n", is_cut ? 1 : 0 },
		{ head, write_head(head, level, plain) },
		{ (char *)text, has_end ? len : len - 1 },
	};
	const size_t size = iov[0].iov_len + iov[1].iov_len + iov[2].iov_len;
	ssize_t n = try_write(iov, 3);

	if (n > 0)
		is_cut = (size_t)n < size;
	return n == (ssize_t)size;
}

static bool tell_losses(void)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "log: %llu lines were dropped: %s was full\n",
			   n_lost, reader.name);

	return write_whole(LOG_LEVEL_WARN, log_level_names[LOG_LEVEL_WARN], line, (size_t)len);
}

static void write_or_count(enum log_level level, const char *plain, const char *text, size_t len)
{
	if (n_lost > 0 && tell_losses())
		n_lost = 0;
	if (n_lost > 0 || !write_whole(level, plain, text, len))
		n_lost++;
}

void log_output_write(enum log_level level, const char *text, size_t len)
{
	write_or_count(level, log_level_names[level], text, len);
}

void log_output_write_fatal(const char *text, size_t len)
{
	const struct log_reader before = reader;
	struct log_reader found;

	if (!is_started && log_reader_find(&found) == 0)
		reader = found;
	write_or_count(LOG_LEVEL_ERROR, PROGRAM ":", text, len);
	if (reader.fd != before.fd)
		fd_close(&reader.fd);
	reader = before;
}

void log_output_write_last(enum log_level level, const char *text, size_t len)
{
	write_whole(level, log_level_names[level], text, len);
}
