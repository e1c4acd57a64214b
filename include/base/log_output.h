// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Where the lines of the log go: standard error as the parent handed it over, or syslog's socket if
 * that is /dev/null (base/log_reader.h). After log_output_start() none of these functions waits for
 * a reader. Before it they write to descriptor 2 as it is, which may wait; only
 * log_output_write_fatal() looks for the reader first. */

#include <stddef.h>

#include "base/log.h"

/* The longest line: a pipe accepts this many bytes in one piece, so a reader never sees half a
 * line. */
#define LOG_OUTPUT_MAX_BYTES 1024

/* Opens the pipe or terminal at descriptor 2 again, duplicates descriptor 2, or connects to
 * /dev/log; descriptor 2 may then be replaced. The log's descriptor stays open in the sandbox.
 * Without /proc a pipe or terminal is used as it was inherited (see log_reader.h). Called once, in
 * a process without threads. 0 or -errno. */
int log_output_start(void);

/* One line of @len bytes (at most LOG_OUTPUT_MAX_BYTES with the level's name), newline included. A
 * line that the reader has no room for is dropped; the number of dropped lines is written before
 * the next line. Only one thread at a time may call it: log.c has the lock. */
void log_output_write(enum log_level level, const char *text, size_t len);

/* The same for the line of log_fatal(). Before log_output_start() it finds the reader itself, and
 * leaves nothing open. */
void log_output_write_fatal(const char *text, size_t len);

/* The same for the handler of a signal that ends the process: takes no lock, counts no dropped
 * lines. */
void log_output_write_last(enum log_level level, const char *text, size_t len);

/* Borrowed; -1 before log_output_start(). */
int log_output_fd(void);
