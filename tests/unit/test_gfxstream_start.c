// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The start of the gfxstream renderer, and the reasons for which it fails. */
#include "gfxstream_rig.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

static void assert_message(const struct gfxstream_options *options, const char *part)
{
	g_autofree char *message = NULL;

	assert_null(gfxstream_rig_new(options, &message));
	if (!strstr(message, part))
		fail_msg("%s", message);
	assert_null(strchr(message, '\n'));
}

static void a_missing_library_is_named(void **state)
{
	const struct gfxstream_options options = { .library = "/nowhere/libgfxstream.so" };

	(void)state;
	assert_message(&options, "/nowhere/libgfxstream.so");
}

static void missing_functions_are_named(void **state)
{
	const struct gfxstream_options options = { .library = "libm.so.6" };

	(void)state;
	assert_message(&options, "libm.so.6 is not gfxstream's library, or too old: it has no "
				 "stream_renderer_init, stream_renderer_teardown,");
}

static void a_failed_start_returns_a_sentence(void **state)
{
	(void)state;
	setenv("GFXSTREAM_STANDIN", "init-fails", 1);
	assert_message(&(struct gfxstream_options){ 0 }, "gfxstream cannot start: ");
	assert_message(&(struct gfxstream_options){ .features = "No:enabled" },
		       "--gfxstream-features");
}

static void a_crash_at_the_start_returns_a_sentence(void **state)
{
	(void)state;
	setenv("GFXSTREAM_STANDIN", "init-crashes", 1);
	assert_message(&(struct gfxstream_options){ 0 }, "crashed in a trial");
}

static void the_library_starts_once_in_a_process(void **state)
{
	g_autofree char *message = NULL;

	(void)state;
	unsetenv("GFXSTREAM_STANDIN");
	struct renderer *renderer = gfxstream_rig_new(
		&(struct gfxstream_options){
			.features = "BypassVulkanDeviceFeatureOverrides:disabled" },
		&message);

	assert_non_null(renderer);
	assert_true(renderer->can_export_blobs);
	renderer_free(renderer);
	assert_message(&(struct gfxstream_options){ 0 },
		       "cannot be initialised twice in a process");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_library_is_named),
		cmocka_unit_test(missing_functions_are_named),
		cmocka_unit_test(a_failed_start_returns_a_sentence),
		cmocka_unit_test(a_crash_at_the_start_returns_a_sentence),
		cmocka_unit_test(the_library_starts_once_in_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
