// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* USDT probes of the provider vhost_device_gpu, for bpftrace and perf: each is a no-op instruction
 * until one of these tools writes a breakpoint there. docs/tracing.md lists them. Without
 * <sys/sdt.h> there are none. */

#ifdef HAVE_SDT
#include <sys/sdt.h>
#define probe(name, a, b, c) DTRACE_PROBE3(vhost_device_gpu, name, a, b, c)
#else
#define probe(name, a, b, c)                                                                       \
	do {                                                                                       \
		(void)(a);                                                                         \
		(void)(b);                                                                         \
		(void)(c);                                                                         \
	} while (0)
#endif
