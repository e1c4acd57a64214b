// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What libraries print. From stderr_pipe_open() on, descriptors 1 and 2 are a pipe of our own,
 * which never makes a writer wait; its lines go to the log as "stderr: text", at level info while
 * the daemon starts and at debug once a guest can have a part in them. Its reader takes a bounded
 * piece in a turn of the loop; what does not fit is lost, and said to be. */

struct loop;

/* Keeps standard error for the log (base/log_output.h), then takes its number. If a signal or
 * exit() ends the process, what is in the pipe is written there. Called once, in a process without
 * threads. 0 or -errno. */
int stderr_pipe_open(void);

/* Logs what was printed so far, then reads in @loop, which has to be there until
 * stderr_pipe_close(). 0 or -errno. */
int stderr_pipe_watch(struct loop *loop);

/* Logs what was printed so far. */
void stderr_pipe_drain(void);

/* Logs what is left, and makes descriptors 1 and 2 what the log writes to. Nothing happens if it is
 * not open. */
void stderr_pipe_close(void);
