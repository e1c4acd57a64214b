// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Rectangles at the limits of 32 bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rect.h"

#define MAX      UINT32_MAX
#define N(array) (sizeof(array) / sizeof((array)[0]))

static void assert_rect(struct rect got, struct rect want)
{
	assert_int_equal(got.x, want.x);
	assert_int_equal(got.y, want.y);
	assert_int_equal(got.width, want.width);
	assert_int_equal(got.height, want.height);
}

static void a_rect_that_wraps_is_not_within(void **state)
{
	(void)state;
	static const struct {
		struct rect rect;
		bool is_within; /* 100 x 50 */
	} cases[] = {
		{ { MAX, 0, 2, 1 }, false },  { { 0, MAX, 1, 2 }, false },
		{ { 1, 0, MAX, 1 }, false },  { { 0, 1, 1, MAX }, false },
		{ { 101, 0, 0, 0 }, false },  { { 0, 51, 0, 0 }, false },
		{ { 99, 0, 2, 1 }, false },   { { 0, 49, 1, 2 }, false },
		{ { 0, 0, 101, 50 }, false }, { { MAX, MAX, MAX, MAX }, false },
		{ { 0, 0, 100, 50 }, true },  { { 99, 49, 1, 1 }, true },
		{ { 100, 50, 0, 0 }, true },
	};

	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(rect_is_within(&cases[i].rect, 100, 50), cases[i].is_within);
}

static void rects_that_only_touch_do_not_overlap(void **state)
{
	(void)state;
	struct rect a = { 0, 0, 10, 10 };
	static const struct rect apart[] = {
		{ 10, 0, 5, 5 }, { 0, 10, 5, 5 },        { 3, 3, 0, 5 },
		{ 3, 3, 5, 0 },  { MAX, MAX, MAX, MAX },
	};

	for (size_t i = 0; i < N(apart); i++) {
		struct rect r = rect_intersect(&a, &apart[i]);

		assert_true(rect_is_empty(&r));
		r = rect_intersect(&apart[i], &a);
		assert_true(rect_is_empty(&r));
	}
}

static void the_intersection_does_not_wrap(void **state)
{
	(void)state;
	struct rect a = { MAX - 4, MAX - 4, MAX, MAX };
	struct rect b = { MAX - 2, MAX - 8, 10, 10 };

	assert_rect(rect_intersect(&a, &b), (struct rect){ MAX - 2, MAX - 4, 10, 6 });
	assert_rect(rect_intersect(&b, &a), (struct rect){ MAX - 2, MAX - 4, 10, 6 });
	a = (struct rect){ 2, 3, 10, 10 };
	b = (struct rect){ 5, 1, 4, 6 };
	assert_rect(rect_intersect(&a, &b), (struct rect){ 5, 3, 4, 4 });
}

static void an_empty_rect_adds_nothing_to_a_union(void **state)
{
	(void)state;
	struct rect empty = { 500, 500, 0, 7 }, a = { 3, 4, 5, 6 };

	assert_rect(rect_union(&empty, &a), a);
	assert_rect(rect_union(&a, &empty), a);
	empty = rect_union(&empty, &empty);
	assert_true(rect_is_empty(&empty));
}

static void the_union_contains_both_and_does_not_wrap(void **state)
{
	(void)state;
	struct rect a = { 10, 20, 5, 5 }, b = { 2, 30, 4, 4 };

	assert_rect(rect_union(&a, &b), (struct rect){ 2, 20, 13, 14 });
	a = (struct rect){ 0, 0, 1, 1 };
	b = (struct rect){ MAX, MAX, MAX, MAX };
	assert_rect(rect_union(&a, &b), (struct rect){ 0, 0, MAX, MAX });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rect_that_wraps_is_not_within),
		cmocka_unit_test(rects_that_only_touch_do_not_overlap),
		cmocka_unit_test(the_intersection_does_not_wrap),
		cmocka_unit_test(an_empty_rect_adds_nothing_to_a_union),
		cmocka_unit_test(the_union_contains_both_and_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
