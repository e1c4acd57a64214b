// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: malloc() returns memory filled with 0xaa, so that a test
 * can recognise memory that was never written.
 */
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);

void *malloc(size_t size)
{
	void *block = __libc_malloc(size);

	return block ? memset(block, 0xaa, size) : NULL;
}
