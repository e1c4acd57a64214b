// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Where the lines of the log go: standard error as the parent handed it over, or syslog's socket if
 * that is /dev/null (base/log_reader.h). None of these functions waits for a reader. Until
 * log_output_start() they write to descriptor 2. */

#include <stddef.h>

#include "base/log.h"

/* At most: a pipe takes so much in one piece, and a reader never sees half a line. */
#define LOG_OUTPUT_MAX_BYTES 1024

/* Keeps what descriptor 2 is now, under another number, or opens /dev/log; descriptor 2 may then
 * become something else. Both stay open in the sandbox. Needs /proc for a pipe that others write to
 * as well. Called once, in a process without threads. 0 or -errno. */
int log_output_start(void);

/* One line of @len bytes (at most LOG_OUTPUT_MAX_BYTES with the level's name), newline included. A
 * line for which there is no room is dropped; the count goes before the next one that has room.
 * Callers take turns: see log.c's lock. */
void log_output_write(enum log_level level, const char *text, size_t len);

/* The same for the sentence that says why the daemon does not serve. Before log_output_start() it
 * looks for the reader by itself, and opens nothing that stays. */
void log_output_write_fatal(const char *text, size_t len);

/* What is said when a signal ends the process, from its handler: takes no lock, counts nothing. */
void log_output_write_last(enum log_level level, const char *text, size_t len);

/* Borrowed; -1 before log_output_start(). */
int log_output_fd(void);
