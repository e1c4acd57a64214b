// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Mappings of the VMM's files, which it may cut short at any time. */

#include <stddef.h>

/* From here on an access past the end of the file behind @size bytes at @address finds zeros, all
 * over the mapping, and adds one to the eventfd @report_fd (borrowed; -1: to none). Returns what
 * sigbus_guard_remove() takes, or -ENOSPC, or -errno. Both are called from one thread only. */
int sigbus_guard_add(void *address, size_t size, int report_fd);
/* Before the mapping goes. */
void sigbus_guard_remove(int guard);
