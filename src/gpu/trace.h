// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* --trace: a line for each command, when it is given back. */

#include <stdbool.h>
#include <stdint.h>

struct gpu_command;

struct trace {
	int fd; /* owned; -1: nothing is traced */
	uint64_t n_bytes;
	int64_t began; /* microseconds of g_get_monotonic_time() */
};

/* Takes @fd, an empty file; 0: there is none. */
void trace_init(struct trace *trace, int fd);
void trace_finish(struct trace *trace);

static inline bool trace_is_on(const struct trace *trace)
{
	return trace->fd >= 0;
}

/* Writes the line of @command, which was answered. Only while the trace is on. */
void trace_command(struct trace *trace, const struct gpu_command *command);
