// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What count_calls.c, inside of the daemon, and test_counts.c, beside it, both see. */
#pragma once

#include <stdint.h>

/* Names the file that they share. */
#define COUNTS_ENV "VMM_COUNTS_FILE"

/* Compilers copy by instructions of their own what is shorter. */
#define COUNTS_MIN_COPY 256

#define COUNTS(X)                                                                                  \
	X(epoll_wait)                                                                              \
	X(epoll_ctl)                                                                               \
	X(read)                                                                                    \
	X(write)                                                                                   \
	X(recvmsg)                                                                                 \
	X(send)                                                                                    \
	X(sendmsg)                                                                                 \
	X(other) /* mmap, munmap, madvise, timerfd_settime, fcntl, dup, close, ... */              \
	X(allocations)                                                                             \
	X(bytes_sent)   /* on any socket */                                                        \
	X(bytes_copied) /* by memcpy() and memmove(), in pieces of at least COUNTS_MIN_COPY */

struct counts {
#define COUNT(name) uint64_t name;
	COUNTS(COUNT)
#undef COUNT
};
