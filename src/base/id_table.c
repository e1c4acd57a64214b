// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A hash table with open addressing and linear probing: a value is put into its home slot, which
 * the hash of its id selects, or if that is used, into the next free slot after it. At most three
 * of four slots are used. A removal moves later values into the gap, so a search ends at the first
 * free slot. The slots of a large table are freed when its last value is removed. The hash has a
 * random seed in each run of the daemon, so that no guest can choose ids that all have the same
 * position.
 *
 * Unlike GHashTable it does not abort if the host has no memory.
 */
#include "base/id_table.h"

#include <assert.h>
#include <glib.h>
#include <sys/random.h>

#define MIN_SLOTS  16
#define KEPT_SLOTS 1024

static uint64_t seed; /* odd */

void id_table_finish(struct id_table *table)
{
	g_free(table->slots);
	*table = (struct id_table){ 0 };
}

static uint32_t home_of(const struct id_table *table, uint32_t id)
{
	return (uint32_t)(id * seed >> 32) & (table->n_slots - 1);
}

/* The slot of @id, or the free one where the search ended. */
static uint32_t find_slot(const struct id_table *table, uint32_t id)
{
	uint32_t i = home_of(table, id);

	while (table->slots[i].value && table->slots[i].id != id)
		i = (i + 1) & (table->n_slots - 1);
	return i;
}

void *id_table_find(const struct id_table *table, uint32_t id)
{
	return table->n > 0 ? table->slots[find_slot(table, id)].value : NULL;
}

static void choose_seed(void)
{
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = UINT64_C(0x9e3779b97f4a7c15);
	seed |= 1;
}

static bool resize(struct id_table *table, uint32_t n_slots)
{
	struct id_table larger = { g_try_new0(struct id_slot, n_slots), n_slots, table->n };

	if (!larger.slots)
		return false;
	if (seed == 0)
		choose_seed();
	for (uint32_t i = 0; i < table->n_slots; i++)
		if (table->slots[i].value)
			larger.slots[find_slot(&larger, table->slots[i].id)] = table->slots[i];
	g_free(table->slots);
	*table = larger;
	return true;
}

bool id_table_reserve(struct id_table *table)
{
	if (table->n < table->n_slots / 4 * 3)
		return true;
	return resize(table, table->n_slots > 0 ? table->n_slots * 2 : MIN_SLOTS);
}

void id_table_add(struct id_table *table, uint32_t id, void *value)
{
	uint32_t i;

	assert(value && table->n < table->n_slots / 4 * 3);
	i = find_slot(table, id);
	assert(!table->slots[i].value);
	table->slots[i] = (struct id_slot){ value, id };
	table->n++;
}

/* A search stops at the free slot @i, so a value behind it may no longer be found. Moves the first
 * such value into it, then does the same for the slot that this frees, until there is none. */
static void close_gap(struct id_table *table, uint32_t i)
{
	uint32_t mask = table->n_slots - 1;

	for (uint32_t j = (i + 1) & mask; table->slots[j].value; j = (j + 1) & mask) {
		uint32_t home = home_of(table, table->slots[j].id);

		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		table->slots[i] = table->slots[j];
		table->slots[j].value = NULL;
		i = j;
	}
}

static void *take(struct id_table *table, uint32_t i)
{
	void *value = table->slots[i].value;

	table->slots[i].value = NULL;
	if (--table->n == 0 && table->n_slots > KEPT_SLOTS)
		id_table_finish(table);
	else
		close_gap(table, i);
	return value;
}

void *id_table_remove(struct id_table *table, uint32_t id)
{
	uint32_t i;

	if (table->n == 0)
		return NULL;
	i = find_slot(table, id);
	return table->slots[i].value ? take(table, i) : NULL;
}

void *id_table_next(const struct id_table *table, uint32_t *cursor)
{
	while (*cursor < table->n_slots) {
		void *value = table->slots[(*cursor)++].value;

		if (value)
			return value;
	}
	return NULL;
}

/* Does not advance the cursor past a slot that it empties, because close_gap() may move a later
 * value into it. All slots before the cursor are free. */
void *id_table_take_next(struct id_table *table, uint32_t *cursor)
{
	for (; *cursor < table->n_slots; (*cursor)++)
		if (table->slots[*cursor].value)
			return take(table, *cursor);
	return NULL;
}
