// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* File descriptors in tests: sends them over a socket, and counts open ones to detect leaks. */

#include <stddef.h>

#define DESCRIPTORS_MAX_SENT 16

/* The number of descriptors that this process has open. 0 without /proc. */
int descriptors_count(void);

/* Sends @size bytes over @socket, and @fds (borrowed, at most DESCRIPTORS_MAX_SENT) with the first
 * byte. */
void descriptors_send(int socket, const void *bytes, size_t size, const int *fds, unsigned n_fds);
