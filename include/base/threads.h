// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* How many more threads the host lets this process have at once, by making them in a child; at most
 * @wanted, which is at most 255, are tried. 0 too if no child can be made. In a process without
 * threads, before a filter of system calls. */
unsigned threads_count_available(unsigned wanted);
