// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Runs a fuzzer over files, without libFuzzer: over its corpus, so that what was once found stays
 * found with every compiler and in every test run, and over one input that crashed, to look at it.
 * A corpus that is not there is a mistake of the build, and fails; an input that is wrong ends the
 * program where it is wrong.
 */
#include <glib.h>
#include <stdio.h>

#include "fuzz.h"

static unsigned replayed;

static bool replay_file(const char *path)
{
	g_autofree char *bytes = NULL;
	g_autoptr(GError) error = NULL;
	size_t size;

	if (!g_file_get_contents(path, &bytes, &size, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return false;
	}
	/* A copy that ends where the input ends, for the sanitizer to see what is read behind. */
	g_autofree uint8_t *copy = g_malloc(size + !size);

	if (size > 0)
		memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	replayed++;
	return true;
}

static bool replay(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	bool is_good = true;

	if (!dir)
		return replay_file(path);
	while (is_good && (name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		is_good = replay_file(file);
	}
	return is_good;
}

int main(int argc, char **argv)
{
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		if (!replay(argv[i]))
			return EXIT_FAILURE;
	printf("%u inputs\n", replayed);
	return EXIT_SUCCESS;
}
