// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Objects in command streams. Each row of the table has a command as Mesa sends it, and a word in
 * it that crashed the library, or that it would use as an index or a count.
 */
#include <glib.h>
#include <string.h>

#include "stream_rig.h"

#define OBJECT VIRGL_CREATE_OBJECT
#define BLEND  (1 | 1 << 4 | 0x11 << 9 | 1 << 17 | 0x11 << 22)

/* clang-format off */
static const struct refusal refusals[] = {
	{ "a view's format", OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 6, 3, 0x400013b,
	  { 0, 1, TEXTURE, 67, 0, 0, 0 } },
	{ "a view's target", OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 6, 3, 67 | 9u << 24,
	  { 0, 1, TEXTURE, 67, 0, 0, 0 } },
	{ "a view of no level", OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 6, 5, 1,
	  { 0, 1, VOLUME, 125, 0, 1 << 8, 0 } },
	{ "a view of no layer", OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 6, 4, 1,
	  { 0, 1, TEXTURE, 67, 1 << 16, 0, 0 } },
	{ "a view's swizzle", OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 6, 6, 6,
	  { 0, 1, TEXTURE, 67, 0, 0, 5 } },
	{ "a surface's format", OBJECT, VIRGL_OBJECT_SURFACE, 5, 3, 322,
	  { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a surface in a format that is not drawn to", OBJECT, VIRGL_OBJECT_SURFACE, 5, 3,
	  VIRGL_FORMAT_R9G9B9E5, { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a surface of no layer", OBJECT, VIRGL_OBJECT_SURFACE, 5, 5, 1,
	  { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a surface's samples", OBJECT, VIRGL_OBJECT_MSAA_SURFACE, 6, 6, 33,
	  { 0, 1, TEXTURE, 1, 0, 0, 4 } },
	{ "a vertex element's format", OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 5, 5, 0x7fffffff,
	  { 0, 1, 0, 0, 0, 31 } },
	{ "a vertex element's buffer", OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 5, 4, 32,
	  { 0, 1, 0, 0, 31, 31 } },
	{ "a factor of a blend", OBJECT, VIRGL_OBJECT_BLEND, 11, 4, BLEND | 0x1f << 4,
	  { 0, 1, 0, 0, BLEND } },
	{ "a function of a blend", OBJECT, VIRGL_OBJECT_BLEND, 11, 11, BLEND | 5 << 1,
	  { 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, BLEND } },
	{ "a query's type", OBJECT, VIRGL_OBJECT_QUERY, 4, 2, 14,
	  { 0, 1, 12, 0, BUFFER } },
	{ "a query's index", OBJECT, VIRGL_OBJECT_QUERY, 4, 2, 17 << 16,
	  { 0, 1, 0, 0, BUFFER } },
	{ "a query's result that has no room", OBJECT, VIRGL_OBJECT_QUERY, 4, 4, SHORT,
	  { 0, 1, 0, 0, BUFFER } },
	{ "a surface of a buffer", OBJECT, VIRGL_OBJECT_SURFACE, 5, 2, BUFFER,
	  { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a target of outputs without a buffer", OBJECT, VIRGL_OBJECT_STREAMOUT_TARGET, 4, 2, QUERIES,
	  { 0, 1, BUFFER, 0, 64 } },
};
/* clang-format on */

static void objects_are_refused_for_one_word(void **state)
{
	(void)state;
	stream_check_refusals(refusals, G_N_ELEMENTS(refusals));
}

static void a_truncated_object_is_passed_to_the_library(void **state)
{
	(void)state;
	stream_cut_refusals(refusals, G_N_ELEMENTS(refusals));
}

static void formats_that_the_library_announces_are_accepted(void **state)
{
	const uint32_t mask[VIRGL_FORMAT_WORDS] = { [12] = 1u << 16 }, format = 12 * 32 + 16;
	uint32_t words[] = {
		VIRGL_HEADER(OBJECT, VIRGL_OBJECT_SURFACE, 5), 1, TEXTURE, format, 0, 0
	};

	(void)state;
	assert_false(stream_is_accepted(words, G_N_ELEMENTS(words)));
	virgl_formats_add(&stream_virgl.formats, mask);
	assert_true(stream_is_accepted(words, G_N_ELEMENTS(words)));
	words[3] = format + 1;
	assert_false(stream_is_accepted(words, G_N_ELEMENTS(words)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_refused_for_one_word),
		cmocka_unit_test(a_truncated_object_is_passed_to_the_library),
		cmocka_unit_test(formats_that_the_library_announces_are_accepted),
	};

	return cmocka_run_group_tests(tests, stream_make_resources, stream_free_resources);
}
