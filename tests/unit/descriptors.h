// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* File descriptors in tests: sent over a socket, and counted, so that none is left. */

#include <stddef.h>

#define DESCRIPTORS_MAX_SENT 16

/* How many this process has open. 0 where there is no /proc. */
int descriptors_count(void);

/* Sends @size bytes over @socket, @fds (borrowed, at most DESCRIPTORS_MAX_SENT) with the first. */
void descriptors_send(int socket, const void *bytes, size_t size, const int *fds, unsigned n_fds);
