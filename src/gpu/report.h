// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Log lines about a session for the user: a line when an activity begins, totals at the end. */

#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;

#define REPORT_ERROR_BYTES 128

/* The events of one session. */
struct report {
	int64_t began; /* microseconds of g_get_monotonic_time() */
	bool has_driver, has_context;
	uint64_t features; /* in the last log line about the driver */
	unsigned n_driver_lines, n_scanout_lines;
	uint64_t n_commands, n_guest_errors, n_host_errors;
	uint64_t n_frames,
		n_dmabuf_frames; /* flushes, counted for each scanout that showed the resource */
	char last_error[REPORT_ERROR_BYTES];
};

/* What was logged about a scanout last; all zeros: it is off. */
struct report_shown {
	uint32_t width, height;
	bool is_dmabuf;
};

void report_session_begins(struct gpu_device *device);
/* Logs the totals, if the guest's driver had started the control queue. */
void report_session_ends(const struct gpu_device *device);
/* The guest's driver has started the control queue. */
void report_driver(struct gpu_device *device);
/* Scanout @i shows something else, or is off. */
void report_scanout(struct gpu_device *device, unsigned i);
/* A 3D context was made; @name has @length bytes of the guest's choice. */
void report_context(struct gpu_device *device, const char *name, uint32_t length);
/* A command failed: @result is the guest's error, or -errno of the host. */
void report_error(struct gpu_command *command, int result);
