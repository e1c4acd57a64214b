// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* How many more threads this process could have, found by making up to @wanted (at most 255) in a
 * child; 0 also if no child can be made. Called in a process without threads, before a seccomp
 * filter is installed. */
unsigned threads_count_available(unsigned wanted);
