// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Drivers and their libraries print diagnostics about a guest's shaders to standard error, as often
 * as the guest likes and at every log level. So standard output and standard error are a pipe that
 * the daemon reads. The invariant: the text in the pipe is only ever written to the log, with the
 * log's level and rate limits, and a writer never blocks: when the pipe is full, a write fails.
 *
 * The last messages of the process are an exception, because the loop does not run again after
 * them: the text of an assertion, of malloc(), or of a library before it calls exit(). A handler of
 * the fatal signals writes the content of the pipe, at most 64 KiB, to the log's output. It takes
 * no lock. Signals that a sanitizer handles are left to it, and its report goes directly to the
 * log's descriptor.
 *
 * A child process inherits descriptors 1 and 2, and can write into the pipe until it closes them.
 * Each child of the daemon has closed them, or has ended, before the daemon ends.
 */
#include "base/stderr_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The function that sets where a sanitizer's report goes. The header comes with GCC and Clang, but
 * only a build with a sanitizer has the function: else its weak symbol is NULL. */
#if __has_include(<sanitizer/common_interface_defs.h>)
#include <sanitizer/common_interface_defs.h>
#pragma weak __sanitizer_set_report_fd
#define CAN_DIRECT_SANITIZER (&__sanitizer_set_report_fd != NULL)
#else
#define CAN_DIRECT_SANITIZER         false
#define __sanitizer_set_report_fd(x) (void)(x)
#endif

#include "base/fd.h"
#include "base/log_output.h"
#include "base/loop.h"

#define LOG_MODULE "stderr"
#include "base/log.h"

#define CHUNK_BYTES 4096
/* A full pipe has 64 KiB, which is 16 chunks. The limit also ends the reading if a writer keeps
 * filling the pipe. */
#define MAX_CHUNKS 16
#define LINE_BYTES 512

static int read_fd = -1;
static struct loop_source source;
static bool is_serving; /* a guest can influence the text */
static char line[LINE_BYTES];
static size_t line_len;

static void log_one_line(void)
{
	if (line_len > 0 && is_serving)
		log_debug("%.*s", (int)line_len, line);
	else if (line_len > 0)
		log_info("%.*s", (int)line_len, line);
	line_len = 0;
}

static void log_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			line[line_len++] = text[i];
		if (text[i] == '\n' || line_len == sizeof(line))
			log_one_line();
	}
}

/* Whether the pipe is full: then a write may have failed and its text was lost. */
static bool is_full(void)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&room, 1, 0) == 0;
}

/* False if there was nothing. */
static bool read_chunk(void)
{
	char chunk[CHUNK_BYTES];
	bool has_lost = is_full();
	ssize_t n = read(read_fd, chunk, sizeof(chunk));

	if (n <= 0)
		return false;
	log_text(chunk, (size_t)n);
	/* The pipe is empty, so nothing follows: logs the last line although it has no newline. */
	if ((size_t)n < sizeof(chunk))
		log_one_line();
	if (has_lost)
		log_debug("some text that libraries printed was lost: the pipe was full");
	return true;
}

static int on_readable(struct loop_source *unused, uint32_t events)
{
	(void)unused;
	(void)events;
	read_chunk();
	return 0;
}

void stderr_pipe_drain(void)
{
	for (unsigned i = 0; i < MAX_CHUNKS && read_chunk(); i++)
		;
}

/* Writes a log line. Async-signal-safe. */
static void write_last_line(const char *text, size_t len)
{
	static const char head[] = "stderr: ";
	char out[sizeof(head) + LINE_BYTES];
	size_t used = sizeof(head) - 1;

	memcpy(out, head, used);
	for (size_t i = 0; i < len; i++)
		out[used++] = (char)(log_is_printable(text[i]) ? text[i] : '?');
	out[used++] = '\n';
	log_output_write_last(LOG_LEVEL_ERROR, out, used);
}

static void write_last_text(const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (n > LINE_BYTES)
			n = LINE_BYTES;
		if (n > 0)
			write_last_line(text, n);
		n += n < len && text[n] == '\n';
		text += n;
		len -= n;
	}
}

/* Called in a signal handler, or in exit(). */
static void write_last_words(void)
{
	char chunk[CHUNK_BYTES];
	ssize_t n;

	write_last_text(line, line_len);
	line_len = 0;
	for (unsigned i = 0; i < MAX_CHUNKS && (n = read(read_fd, chunk, sizeof(chunk))) > 0; i++)
		write_last_text(chunk, (size_t)n);
}

static void on_fatal(int number, siginfo_t *info, void *context)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	int saved = errno;

	(void)context;
	write_last_words();
	/* After this handler returns, the fault occurs again and ends the process. SA_RESETHAND
	 * would not do, because a handler installed later may call this one. */
	sigaction(number, &usual, NULL);
	if (info->si_code <= 0 || number == SIGTRAP)
		raise(number);
	errno = saved;
}

static void on_exit_of_library(void)
{
	if (read_fd >= 0)
		write_last_words();
}

/* The sanitizer gets its own descriptor, because UBSan closes it at its first error. */
static void direct_sanitizer(void)
{
	int fd = CAN_DIRECT_SANITIZER ? fcntl(log_output_fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
				      : -1;

	if (fd >= 0)
		__sanitizer_set_report_fd((void *)(intptr_t)fd);
}

static void catch_the_end(void)
{
	static const int fatal[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP };
	const struct sigaction action = { .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO };
	struct sigaction before;

	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(fatal[i], &action, NULL);
	direct_sanitizer();
	atexit(on_exit_of_library);
}

int stderr_pipe_open(void)
{
	int pair[2];
	int r = log_output_start();

	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (dup2(pair[1], STDERR_FILENO) < 0 || dup2(pair[1], STDOUT_FILENO) < 0)
		r = -errno;
	close(pair[1]);
	read_fd = pair[0];
	if (r == 0)
		catch_the_end();
	return r;
}

int stderr_pipe_watch(struct loop *loop)
{
	stderr_pipe_drain();
	is_serving = true;
	return loop_add(loop, &source, read_fd, EPOLLIN, on_readable);
}

void stderr_pipe_close(void)
{
	if (read_fd < 0)
		return;
	stderr_pipe_drain();
	loop_remove(&source);
	/* The seccomp filter of 2D does not allow dup2(). */
	dup3(log_output_fd(), STDERR_FILENO, 0);
	dup3(log_output_fd(), STDOUT_FILENO, 0);
	fd_close(&read_fd);
}
