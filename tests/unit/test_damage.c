// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Damage never loses a pixel, never grows beyond its box, and stays small: random rectangles are
 * compared with a bitmap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "display/damage.h"

#define SIDE 1024u

static uint64_t total(const struct damage *damage)
{
	uint64_t pixels = 0;

	for (unsigned i = 0; i < damage->count; i++)
		pixels += (uint64_t)damage->rects[i].width * damage->rects[i].height;
	return pixels;
}

static void mark(uint8_t *map, const struct rect *r, uint8_t value)
{
	for (uint32_t y = 0; y < r->height; y++)
		memset(map + (size_t)(r->y + y) * SIDE + r->x, value, r->width);
}

static void a_returned_rectangle_is_taken_next(void **state)
{
	struct damage damage = { 0 };
	struct rect r, rest = { 0, 8, 8, 8 };

	(void)state;
	for (uint32_t i = 0; i < DAMAGE_MAX_RECTS; i++)
		damage_add(&damage, &(struct rect){ i * 10000, 0, 8, 16 });
	assert_int_equal(damage.count, DAMAGE_MAX_RECTS);
	assert_true(damage_take(&damage, &r));
	damage_put_back(&damage, &rest);
	assert_int_equal(damage.count, DAMAGE_MAX_RECTS);
	assert_true(damage_take(&damage, &r));
	assert_true(rect_is_equal(&r, &rest));
	assert_true(damage_take(&damage, &r));
	assert_int_equal(r.x, 10000);
}

static void no_pixel_is_ever_lost(void **state)
{
	static uint8_t map[SIDE * SIDE];
	unsigned seed = 1;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct damage damage = { 0 };
		struct rect r;

		for (unsigned i = 0; i < 1 + round % 40; i++) {
			r.x = (uint32_t)rand_r(&seed) % SIDE;
			r.y = (uint32_t)rand_r(&seed) % SIDE;
			r.width = 1 + (uint32_t)rand_r(&seed) % (SIDE - r.x) / (1 + round % 16);
			r.height = 1 + (uint32_t)rand_r(&seed) % (SIDE - r.y) / (1 + round % 16);
			mark(map, &r, 1);
			damage_add(&damage, &r);
			assert_true(damage.count <= DAMAGE_MAX_RECTS);
			if (i % 7 == 6 && damage_take(&damage, &r))
				mark(map, &r, 0);
		}
		while (damage_take(&damage, &r)) {
			assert_true(rect_is_within(&r, SIDE, SIDE));
			mark(map, &r, 0);
		}
		assert_null(memchr(map, 1, sizeof(map)));
	}
}

static void sixteen_scattered_rectangles_are_not_merged(void **state)
{
	struct damage damage = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 16; i++)
		damage_add(&damage, &(struct rect){ i % 4 * 960, i / 4 * 540, 32, 32 });
	assert_true(damage.count > 1);
	assert_true(total(&damage) < 3840 * 2160 / 8);
}

static void two_far_corners_are_not_merged(void **state)
{
	struct damage damage = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		damage_add(&damage, &(struct rect){ 0, 0, 10, 10 });
		damage_add(&damage, &(struct rect){ 3000, 2000, 10, 10 });
	}
	assert_int_equal(damage.count, 2);
	assert_int_equal(total(&damage), 200);
}

static void adjacent_lines_become_one_rectangle(void **state)
{
	struct damage damage = { 0 };
	struct rect r;

	(void)state;
	for (uint32_t y = 0; y < 600; y++)
		damage_add(&damage, &(struct rect){ 0, y, 800, 1 });
	assert_int_equal(damage.count, 1);
	assert_true(damage_take(&damage, &r));
	assert_true(rect_is_equal(&r, &(struct rect){ 0, 0, 800, 600 }));
	assert_false(damage_take(&damage, &r));
}

static void a_rectangle_that_is_damaged_again_keeps_its_turn(void **state)
{
	struct damage damage = { 0 };
	const struct rect a = { 0, 0, 100, 100 }, b = { 900, 900, 100, 100 };
	unsigned taken_a = 0, taken_b = 0;
	struct rect r;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		damage_add(&damage, &a);
		damage_add(&damage, &b);
		assert_true(damage_take(&damage, &r));
		if (rect_is_equal(&r, &a))
			taken_a++;
		else if (rect_is_equal(&r, &b))
			taken_b++;
	}
	assert_int_equal(taken_a, 5);
	assert_int_equal(taken_b, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pixel_is_ever_lost),
		cmocka_unit_test(a_returned_rectangle_is_taken_next),
		cmocka_unit_test(sixteen_scattered_rectangles_are_not_merged),
		cmocka_unit_test(two_far_corners_are_not_merged),
		cmocka_unit_test(adjacent_lines_become_one_rectangle),
		cmocka_unit_test(a_rectangle_that_is_damaged_again_keeps_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
