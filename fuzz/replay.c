// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Runs a fuzzer without libFuzzer, with any compiler:
 *
 *   replay_NAME CORPUS.seeds    every input of a corpus (fuzz/corpus.py has the format), so that
 *                               what was once found stays found
 *   replay_NAME FILE            the one input in FILE, to look at it
 *
 * A corpus runs in a child process, so that an input is named whatever it does to the process. A
 * corpus that cannot be read, is cut off or has no input fails.
 */
#include <endian.h>
#include <glib.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

struct bytes {
	const uint8_t *at;
	size_t size;
};

/* Shared with the child. */
struct progress {
	unsigned input; /* that runs, from 0; after the last one their number */
	bool is_complete;
};

/* In a copy that ends where the input ends, so that the sanitizer notices a read past it. */
static void run_input(struct bytes input)
{
	g_autofree uint8_t *copy = g_malloc(input.size + !input.size);

	if (input.size > 0)
		memcpy(copy, input.at, input.size);
	LLVMFuzzerTestOneInput(copy, input.size);
}

/* Takes the next input of the corpus. False at its end, and if it is cut off. */
static bool next_input(struct bytes *corpus, struct bytes *ret_input)
{
	uint32_t size;

	if (corpus->size < sizeof(size))
		return false;
	memcpy(&size, corpus->at, sizeof(size));
	size = le32toh(size);
	if (size > corpus->size - sizeof(size))
		return false;
	*ret_input = (struct bytes){ corpus->at + sizeof(size), size };
	corpus->at += sizeof(size) + size;
	corpus->size -= sizeof(size) + size;
	return true;
}

/* False if the corpus is cut off, or has none. */
static bool has_inputs(struct bytes corpus)
{
	struct bytes input;
	unsigned n = 0;

	while (next_input(&corpus, &input))
		n++;
	return n > 0 && corpus.size == 0;
}

static void run_corpus(struct bytes corpus, struct progress *progress)
{
	struct bytes input;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	while (next_input(&corpus, &input)) {
		run_input(input);
		progress->input++;
	}
	progress->is_complete = true;
}

static void report_failure(const char *path, const struct progress *progress, int status)
{
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (progress->is_complete)
		fprintf(stderr, "%s: %s %d after the last of %u inputs\n", path, how, number,
			progress->input);
	else
		fprintf(stderr,
			"%s: %s %d at input %u; to have it as a file:\n"
			"python3 fuzz/corpus.py extract %s %u FILE\n",
			path, how, number, progress->input, path, progress->input);
}

static bool replay_corpus(const char *path, struct bytes corpus)
{
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;

	g_assert(progress != MAP_FAILED);
	pid_t pid = fork();

	g_assert(pid >= 0);
	if (pid == 0) {
		run_corpus(corpus, progress);
		exit(EXIT_SUCCESS);
	}
	g_assert(waitpid(pid, &status, 0) == pid);
	if (status == 0)
		printf("%s: %u inputs\n", path, progress->input);
	else
		report_failure(path, progress, status);
	munmap(progress, sizeof(*progress));
	return status == 0;
}

static bool replay(const char *path, struct bytes file)
{
	if (!g_str_has_suffix(path, ".seeds")) {
		run_input(file);
		return true;
	}
	if (has_inputs(file))
		return replay_corpus(path, file);
	fprintf(stderr, "%s: cut off, or without an input\n", path);
	return false;
}

int main(int argc, char **argv)
{
	g_autofree char *contents = NULL;
	g_autoptr(GError) error = NULL;
	size_t size;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS.seeds|FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	if (!g_file_get_contents(argv[1], &contents, &size, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return EXIT_FAILURE;
	}
	return replay(argv[1], (struct bytes){ (const uint8_t *)contents, size }) ? EXIT_SUCCESS
										  : EXIT_FAILURE;
}
