// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The parts of every fuzzer: its entry point, and the report of a fault in the code under test. */

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* libFuzzer's entry; replay.c calls it too. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Like assert(), but about the code under test: never compiled out. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: wrong: %s\n", __FILE__, __LINE__, #condition);     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Ignores SIGPIPE, as the daemon does, and logs errors only. */
static inline void fuzz_prepare(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
}
