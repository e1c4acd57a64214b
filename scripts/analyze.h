// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Included before every file by scripts/test analyze. GLib does not tell gcc which of its functions
 * allocate, and what frees that; without this file the analyzer would not know what g_free() is.
 * The names of the types are the compiler's, for nothing may be included here.
 */
#define ALLOCATES   __attribute__((malloc(g_free, 1)))
#define NEVER_FAILS __attribute__((malloc(g_free, 1), returns_nonnull))

void g_free(void *memory);

NEVER_FAILS void *g_malloc(__SIZE_TYPE__ size);
NEVER_FAILS void *g_malloc0(__SIZE_TYPE__ size);
NEVER_FAILS void *g_malloc_n(__SIZE_TYPE__ n, __SIZE_TYPE__ size);
NEVER_FAILS void *g_malloc0_n(__SIZE_TYPE__ n, __SIZE_TYPE__ size);
ALLOCATES void *g_try_malloc(__SIZE_TYPE__ size);
ALLOCATES void *g_try_malloc0(__SIZE_TYPE__ size);
ALLOCATES void *g_try_malloc_n(__SIZE_TYPE__ n, __SIZE_TYPE__ size);
ALLOCATES void *g_try_malloc0_n(__SIZE_TYPE__ n, __SIZE_TYPE__ size);
NEVER_FAILS char *g_strdup(const char *text);
NEVER_FAILS char *g_strndup(const char *text, __SIZE_TYPE__ n);
NEVER_FAILS char *g_strdup_printf(const char *format, ...);
