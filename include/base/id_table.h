// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A table of pointers by 32-bit id. Only id_table_reserve() lets it grow, and reports if the host
 * has no memory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_slot {
	void *value; /* NULL: it is free */
	uint32_t id;
};

/* All zeros: empty. */
struct id_table {
	struct id_slot *slots; /* owned */
	uint32_t n_slots;      /* a power of two, or 0 */
	uint32_t n;
};

/* Frees the table, not the values. */
void id_table_finish(struct id_table *table);

/* NULL if there is none. */
void *id_table_find(const struct id_table *table, uint32_t id);
/* Makes room for one more. False: the host has no memory. */
bool id_table_reserve(struct id_table *table);
/* Call id_table_reserve() before. @id must not be in the table. @value (borrowed) is not NULL. */
void id_table_add(struct id_table *table, uint32_t id, void *value);
/* NULL if there is none. */
void *id_table_remove(struct id_table *table, uint32_t id);

/* Returns each value in turn, then NULL. *@cursor is 0 at the first call. Nothing may be added or
 * removed in between. */
void *id_table_next(const struct id_table *table, uint32_t *cursor);
/* As above, and removes each that it returns. */
void *id_table_take_next(struct id_table *table, uint32_t *cursor);
