// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: nothing here waits for whoever reads standard error, and no flag of the open file
 * that the parent shares with us is changed. O_NONBLOCK belongs to the open file, not to the
 * descriptor: set on the inherited one, the shell or the service manager that holds it would get
 * EAGAIN too. What is done instead depends on what it is:
 *
 *   a pipe or a terminal is opened once more, without blocking: the same pipe, another open file.
 *   Where it cannot be (the parent is another user, there is no /proc) poll() comes before each
 *   write. A pipe that has room for poll() has room for 4096 bytes (PIPE_BUF), which is more than a
 *   line; but if another process fills it between our two calls, this write waits for the reader.
 *   That is what is left of the problem.
 *
 *   a socket, such as journald's, takes MSG_DONTWAIT with each message.
 *
 *   a file or a device takes the bytes, or its disk is broken. A file is not opened again, because
 *   position and O_APPEND are of the open file.
 *
 * A line is given away whole or not at all, but for a terminal, which may take half of it.
 */
#include "base/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(LOG_OUTPUT_MAX_BYTES <= PIPE_BUF, "a pipe takes a line in one piece");

enum kind {
	WAITS_NEVER, /* a file, a device, or our own open file of a pipe or terminal */
	ASKS_FIRST,  /* an inherited pipe or terminal */
	IS_SOCKET,
};

static int output_fd = -1;
static enum kind kind;
static unsigned long long n_lost;
static bool is_cut; /* half of the last line was taken */

/* A pipe or a terminal, by an open file of our own. -1 if it cannot be had. */
static int open_again(void)
{
	return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int log_output_start(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return -errno;

	bool may_wait = S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO);
	int fd = may_wait ? open_again() : -1;

	kind = S_ISSOCK(st.st_mode) ? IS_SOCKET : may_wait && fd < 0 ? ASKS_FIRST : WAITS_NEVER;
	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return -errno;
	output_fd = fd;
	return 0;
}

int log_output_fd(void)
{
	return output_fd;
}

/* How many bytes were taken; -1 if there was no room, or nobody reads any more. */
static ssize_t try_write(struct iovec *iov, int n)
{
	const int fd = output_fd < 0 ? STDERR_FILENO : output_fd;
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	if (kind == IS_SOCKET)
		return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (kind == ASKS_FIRST && (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)))
		return -1;
	return writev(fd, iov, n);
}

/* @word: the level's, or an empty string. */
static bool write_whole(const char *word, const char *text, size_t len)
{
	struct iovec iov[] = {
		{ (char *)"\n", is_cut ? 1 : 0 },
		{ (char *)word, strlen(word) },
		{ (char *)" ", *word ? 1 : 0 },
		{ (char *)text, len },
	};
	const size_t size = iov[0].iov_len + iov[1].iov_len + iov[2].iov_len + len;
	ssize_t n = try_write(iov, 4);

	if (n > 0)
		is_cut = (size_t)n < size;
	return n == (ssize_t)size;
}

static bool tell_losses(void)
{
	char line[128];
	int len = snprintf(line, sizeof(line),
			   "log: %llu lines were lost: standard error had no room\n", n_lost);

	return write_whole(log_level_names[LOG_LEVEL_WARN], line, (size_t)len);
}

static void write_or_count(const char *word, const char *text, size_t len)
{
	if (n_lost > 0 && tell_losses())
		n_lost = 0;
	if (n_lost > 0 || !write_whole(word, text, len))
		n_lost++;
}

void log_output_write(enum log_level level, const char *text, size_t len)
{
	write_or_count(log_level_names[level], text, len);
}

void log_output_write_plain(const char *text, size_t len)
{
	write_or_count("", text, len);
}

void log_output_write_last(const char *text, size_t len)
{
	struct iovec iov = { (char *)text, len };

	(void)!try_write(&iov, 1);
}
