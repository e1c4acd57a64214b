// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Things by number, in a table that grows only when it is told to, and says if it cannot. */

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

/* The values stay their owner's. */
void id_table_finish(struct id_table *table);

/* NULL if there is none. */
void *id_table_find(const struct id_table *table, uint32_t id);
/* Makes room for one more. False: the host has no memory. */
bool id_table_reserve(struct id_table *table);
/* Room was made; there is none with this @id. @value is not NULL. */
void id_table_add(struct id_table *table, uint32_t id, void *value);
/* NULL if there is none. */
void *id_table_remove(struct id_table *table, uint32_t id);

/* All values in turn, from *@cursor = 0 to NULL. Nothing may be added or removed meanwhile. */
void *id_table_next(const struct id_table *table, uint32_t *cursor);
/* As above, and removes each that it returns. */
void *id_table_take_next(struct id_table *table, uint32_t *cursor);
