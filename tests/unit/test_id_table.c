// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The table of objects by id, compared with an array that does the same simply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id_table.h"

#define N      2000
#define STEPS  200000
#define SPREAD 0x9e3779b1u /* ids spread over 32 bits */

static uint8_t things[N]; /* the value of id i * SPREAD is &things[i] */

static void add(struct id_table *table, uint32_t i)
{
	assert_true(id_table_reserve(table));
	id_table_add(table, i * SPREAD, &things[i]);
}

static void check(const struct id_table *table, const bool *is_there)
{
	uint32_t n = 0, cursor = 0;
	bool seen[N] = { false };
	uint8_t *thing;

	for (uint32_t i = 0; i < N; i++) {
		assert_ptr_equal(id_table_find(table, i * SPREAD), is_there[i] ? &things[i] : NULL);
		n += is_there[i];
	}
	assert_int_equal(table->n, n);
	while ((thing = id_table_next(table, &cursor))) {
		assert_true(is_there[thing - things] && !seen[thing - things]);
		seen[thing - things] = true;
		n--;
	}
	assert_int_equal(n, 0);
}

static void an_added_id_is_found_until_it_is_removed(void **state)
{
	struct id_table table = { 0 };
	bool is_there[N] = { false };

	(void)state;
	srand(1);
	check(&table, is_there);
	for (unsigned step = 0; step < STEPS; step++) {
		/* The table fills and empties again. */
		uint32_t i = (uint32_t)rand() % (1 + step % (N / 2) * 2);

		if (is_there[i])
			assert_ptr_equal(id_table_remove(&table, i * SPREAD), &things[i]);
		else
			add(&table, i);
		is_there[i] = !is_there[i];
		assert_null(id_table_remove(&table, N * SPREAD));
		if (step % 1000 == 0)
			check(&table, is_there);
	}
	check(&table, is_there);
	id_table_finish(&table);
}

static void all_entries_can_be_removed_one_by_one(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 200; n++) {
		struct id_table table = { 0 };
		bool seen[N] = { false };
		uint32_t cursor = 0, taken = 0;
		uint8_t *thing;

		for (uint32_t i = 0; i < n; i++)
			add(&table, i);
		while ((thing = id_table_take_next(&table, &cursor))) {
			assert_false(seen[thing - things]);
			seen[thing - things] = true;
			/* The removed entry is gone, and all others are still there, for any order
			 * of ids. */
			for (uint32_t i = 0; i < n; i++)
				assert_ptr_equal(id_table_find(&table, i * SPREAD),
						 seen[i] ? NULL : &things[i]);
			taken++;
		}
		assert_int_equal(taken, n);
		assert_int_equal(table.n, 0);
		id_table_finish(&table);
	}
}

static void an_empty_table_takes_no_memory(void **state)
{
	struct id_table table = { 0 };

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		add(&table, i);
	for (uint32_t i = 0; i < N; i++)
		assert_non_null(id_table_remove(&table, i * SPREAD));
	assert_null(table.slots);
	assert_int_equal(table.n_slots, 0);
}

/* Ids that differ only in their high bits are stored apart. */
static void colliding_ids_are_found_fast(void **state)
{
	struct id_table table = { 0 };
	clock_t start = clock(); /* of this process, however busy the machine is */

	(void)state;
	for (uint32_t i = 0; i < 1u << 16; i++) {
		assert_true(id_table_reserve(&table));
		id_table_add(&table, i << 16, things);
	}
	for (uint32_t i = 0; i < 1u << 16; i++)
		assert_non_null(id_table_find(&table, i << 16));
	assert_true(clock() - start < CLOCKS_PER_SEC);
	id_table_finish(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_added_id_is_found_until_it_is_removed),
		cmocka_unit_test(all_entries_can_be_removed_one_by_one),
		cmocka_unit_test(an_empty_table_takes_no_memory),
		cmocka_unit_test(colliding_ids_are_found_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
