// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The counters that count_calls.c inside the daemon and test_counts.c outside it share. */
#pragma once

#include <stdint.h>

/* The environment variable with the name of the shared file. */
#define COUNTS_ENV "VMM_COUNTS_FILE"

/* For smaller sizes compilers often emit instructions, not a call that could be counted. */
#define COUNTS_MIN_COPY 256

#define COUNTS(X)                                                                                  \
	X(epoll_wait)                                                                              \
	X(epoll_ctl)                                                                               \
	X(read)                                                                                    \
	X(write)                                                                                   \
	X(recvmsg)                                                                                 \
	X(send)                                                                                    \
	X(sendmsg)                                                                                 \
	X(other) /* mmap, munmap, madvise, timerfd_settime, fcntl, close */                        \
	X(allocations)                                                                             \
	X(bytes_sent)   /* on any socket */                                                        \
	X(bytes_copied) /* by memcpy() and memmove(), for sizes of at least COUNTS_MIN_COPY */

struct counts {
#define COUNT(name) uint64_t name;
	COUNTS(COUNT)
#undef COUNT
	uint64_t is_in_epoll_wait; /* 1 during the call */
};
