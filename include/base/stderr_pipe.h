// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Captures what libraries print. After stderr_pipe_open(), descriptors 1 and 2 are a pipe of our
 * own that never blocks a writer. Its lines are logged as "stderr: text", at level info while the
 * daemon starts, and at debug when a guest can influence them. A bounded amount is read in each
 * turn of the loop; text that does not fit into the pipe is lost, and the log says so. */

struct loop;

/* Duplicates standard error for the log (base/log_output.h), then replaces descriptors 1 and 2. If
 * a signal or exit() ends the process, the text left in the pipe is written to the log. Called
 * once, in a process without threads. 0 or -errno. */
int stderr_pipe_open(void);

/* Logs what was printed so far, then reads the pipe in @loop (borrowed until stderr_pipe_close()).
 * 0 or -errno. */
int stderr_pipe_watch(struct loop *loop);

/* Logs what was printed so far. */
void stderr_pipe_drain(void);

/* Logs the rest, and makes descriptors 1 and 2 duplicates of the log's descriptor. Does nothing if
 * the pipe is not open. */
void stderr_pipe_close(void);
