// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Handles SIGBUS for mappings of the front-end's files, which it may truncate at any time. */

#include <stddef.h>

/* From now on, an access past the end of the file that is mapped at @address (@size bytes) replaces
 * the whole mapping by zeros (only the page if the host does not overcommit memory) and adds one to
 * the eventfd @report_fd (borrowed; -1: none). Returns the guard for sigbus_guard_remove(),
 * -ENOSPC, or other -errno. Both functions are called from one thread only. */
int sigbus_guard_add(void *address, size_t size, int report_fd);
/* Called before the mapping is unmapped. */
void sigbus_guard_remove(int guard);
