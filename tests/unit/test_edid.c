// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gpu/edid.h"

static unsigned sum(const uint8_t *edid)
{
	unsigned total = 0;

	for (unsigned i = 0; i < EDID_SIZE; i++)
		total += edid[i];
	return total;
}

static unsigned active_width(const uint8_t *edid)
{
	return edid[56] | (edid[58] & 0xf0) << 4;
}

static unsigned active_height(const uint8_t *edid)
{
	return edid[59] | (edid[61] & 0xf0) << 4;
}

static void a_block_has_its_header_version_and_checksum(void **state)
{
	static const uint8_t header[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	uint8_t edid[EDID_SIZE];

	(void)state;
	edid_make(edid, 1280, 800);
	assert_memory_equal(edid, header, sizeof(header));
	assert_int_equal(edid[18], 1);
	assert_int_equal(edid[19], 4);
	assert_int_equal(sum(edid) % 256, 0);
	assert_int_equal(edid[126], 0); /* no extension follows */
}

static void the_first_timing_is_the_size_that_was_asked_for_at_60_hz(void **state)
{
	static const unsigned sizes[][2] = {
		{ 640, 480 }, { 1280, 800 }, { 1920, 1080 }, { 3840, 2160 }
	};
	uint8_t edid[EDID_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		edid_make(edid, sizes[i][0], sizes[i][1]);
		unsigned clock = (edid[54] | edid[55] << 8) * 10000u;
		unsigned total = (sizes[i][0] + (edid[57] | (edid[58] & 0x0fu) << 8)) *
				 (sizes[i][1] + (edid[60] | (edid[61] & 0x0fu) << 8));

		assert_int_equal(active_width(edid), sizes[i][0]);
		assert_int_equal(active_height(edid), sizes[i][1]);
		assert_in_range(clock / (total / 100), 5990, 6010);
		assert_int_equal(sum(edid) % 256, 0);
	}
}

static void the_manufacturer_is_vgd(void **state)
{
	uint8_t edid[EDID_SIZE];

	(void)state;
	edid_make(edid, 1280, 800);
	assert_int_equal(edid[8] << 8 | edid[9],
			 ('V' - '@') << 10 | ('G' - '@') << 5 | ('D' - '@'));
}

static void the_range_limits_allow_the_first_timing(void **state)
{
	static const unsigned sizes[][2] = {
		{ 64, 64 }, { 640, 400 }, { 1280, 800 }, { 2160, 3840 }, { 4095, 4095 }
	};
	uint8_t edid[EDID_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		edid_make(edid, sizes[i][0], sizes[i][1]);
		const uint8_t *range = edid + 72;
		unsigned clock = (edid[54] | edid[55] << 8) * 10000u;
		unsigned width = sizes[i][0] + (edid[57] | (edid[58] & 0x0fu) << 8);
		unsigned height = sizes[i][1] + (edid[60] | (edid[61] & 0x0fu) << 8);

		assert_int_equal(range[3], 0xfd);
		assert_in_range(clock / width / height, range[5], range[6]);
		assert_in_range(clock / width / 1000, range[7], range[8]);
		assert_true(clock <= range[9] * 10000000u);
	}
}

static void a_size_above_the_largest_timing_is_clamped(void **state)
{
	uint8_t edid[EDID_SIZE];

	(void)state;
	edid_make(edid, 16384, UINT32_MAX);
	assert_int_equal(active_width(edid), 4095);
	assert_int_equal(active_height(edid), 4095);
	assert_int_equal(sum(edid) % 256, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_has_its_header_version_and_checksum),
		cmocka_unit_test(the_first_timing_is_the_size_that_was_asked_for_at_60_hz),
		cmocka_unit_test(the_manufacturer_is_vgd),
		cmocka_unit_test(the_range_limits_allow_the_first_timing),
		cmocka_unit_test(a_size_above_the_largest_timing_is_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
