// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * hunt [-j JOBS] [-t SECONDS] [-n STREAMS] [-s SEED] [-o DIR] [-r] [FILE]...: runs generated
 * sessions in the real virglrenderer until the time or the number of streams is over, and keeps one
 * crashing session for each place at which a crash happens. With FILEs it runs only those; with -r
 * it reduces them (reduce.c).
 *
 * OpenGL starts once, here, on one thread (LP_NUM_THREADS=0). Each job is a fork of that, so a
 * crash costs next to nothing. Crashes of one kind have the same failed assertion, which the
 * library writes to the job's standard error, or the same top of the stack, which a handler writes
 * there.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "hunt.h"
#include "render/renderer.h"
#include "render/virgl.h"
#include "session.h"

#define MAX_JOBS        64
#define SESSION_SECONDS 20
#define SESSIONS_A_LIFE 3000
#define STACK_BYTES     65536
#define MAX_FRAMES      24
#define EXIT_SKIPPED    77
#define MEMORY_LIMIT    (UINT64_C(6) << 30)

/* The state of a job, in memory that outlives it. */
struct slot {
	volatile uint64_t seed;
	volatile int64_t since;
	struct session_counts counts;
};

struct hunt {
	struct renderer *renderer;
	struct slot *slots;
	pid_t pids[MAX_JOBS];
	unsigned n_jobs;
	uint64_t first_seed, max_streams;
	int64_t end;
	const char *dir;
	GHashTable *deaths; /* kind of crash -> how often */
};

/* libglvnd forgets OpenGL's context in a process with another id, so all jobs have the first one's.
 */
pid_t getpid(void)
{
	static pid_t first;

	if (first == 0)
		first = (pid_t)syscall(SYS_getpid);
	return first;
}

static void on_death(int number)
{
	void *frames[MAX_FRAMES];
	int n = backtrace(frames, MAX_FRAMES);

	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	signal(number, SIG_DFL);
	raise(number);
}

static void handle_deaths(void)
{
	static char stack[STACK_BYTES];
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction action = { .sa_handler = on_death, .sa_flags = SA_ONSTACK | SA_NODEFER };
	void *frames[1];

	backtrace(frames, 1); /* loads what it needs */
	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

static char *error_path(const struct hunt *hunt, unsigned job)
{
	return g_strdup_printf("%s/job-%u.log", hunt->dir, job);
}

static void open_errors(const struct hunt *hunt, unsigned job)
{
	g_autofree char *path = error_path(hunt, job);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
	close(fd);
}

static void play_seed(struct hunt *hunt, unsigned job, uint64_t seed)
{
	struct slot *slot = &hunt->slots[job];
	g_autoptr(GArray) session = session_make(seed);

	slot->seed = seed;
	slot->since = g_get_monotonic_time();
	if (ftruncate(STDERR_FILENO, 0) < 0)
		_exit(1);
	session_play(hunt->renderer, &g_array_index(session, uint32_t, 0), session->len,
		     &slot->counts);
}

static void run_job(struct hunt *hunt, unsigned job, uint64_t seed)
{
	const struct rlimit memory = { MEMORY_LIMIT, MEMORY_LIMIT };

	open_errors(hunt, job);
	handle_deaths();
	if (!g_getenv("ASAN_OPTIONS"))
		setrlimit(RLIMIT_AS, &memory);
	for (unsigned n = 0; n < SESSIONS_A_LIFE && g_get_monotonic_time() < hunt->end; n++)
		play_seed(hunt, job, seed + (uint64_t)n * hunt->n_jobs);
	_exit(0);
}

static void start_job(struct hunt *hunt, unsigned job, uint64_t seed)
{
	hunt->slots[job].seed = seed;
	hunt->slots[job].since = g_get_monotonic_time();
	fflush(NULL);
	hunt->pids[job] = fork();
	if (hunt->pids[job] == 0)
		run_job(hunt, job, seed);
}

/* How a job ended, from its last output: the failed assertion, or the top of the stack. */
static char *name_death(const char *errors, int status)
{
	g_auto(GStrv) lines = g_strsplit(errors, "\n", -1);
	g_autoptr(GString) name = g_string_new(NULL);
	unsigned n = 0;

	g_string_append_printf(name, "signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	for (unsigned i = 0; lines[i] && n < 3; i++) {
		if (strstr(lines[i], "Assertion") || strstr(lines[i], "ERROR: AddressSanitizer")) {
			g_string_append_printf(name, " %.160s", lines[i]);
			return g_string_free(g_steal_pointer(&name), FALSE);
		}
		if (strstr(lines[i], ".so") && !strstr(lines[i], "libc.so") &&
		    !strstr(lines[i], "libasan")) {
			g_autofree char *base = g_path_get_basename(lines[i]);

			g_string_append_printf(name, " %.*s", (int)strcspn(base, " "), base);
			n++;
		}
	}
	return g_string_free(g_steal_pointer(&name), FALSE);
}

static void save_session(const struct hunt *hunt, uint64_t seed, unsigned number)
{
	g_autoptr(GArray) session = session_make(seed);
	g_autofree char *path = g_strdup_printf("%s/death-%u", hunt->dir, number);

	g_file_set_contents(path, session->data, session->len * (gssize)sizeof(uint32_t), NULL);
}

static void note_death(struct hunt *hunt, unsigned job, int status, bool is_late)
{
	g_autofree char *path = error_path(hunt, job);
	g_autofree char *errors = NULL;
	char *name;

	if (!g_file_get_contents(path, &errors, NULL, NULL))
		errors = g_strdup("");
	name = is_late ? g_strdup("too slow") : name_death(errors, status);

	unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(hunt->deaths, name));

	if (n == 0) {
		unsigned number = g_hash_table_size(hunt->deaths);

		printf("death %u (session %" G_GUINT64_FORMAT "): %s\n", number,
		       hunt->slots[job].seed, name);
		fflush(stdout);
		save_session(hunt, hunt->slots[job].seed, number);
	}
	g_hash_table_replace(hunt->deaths, name, GUINT_TO_POINTER(n + 1));
}

static struct session_counts sum(const struct hunt *hunt)
{
	struct session_counts all = { 0 };

	for (unsigned job = 0; job < hunt->n_jobs; job++) {
		all.streams += hunt->slots[job].counts.streams;
		all.refused += hunt->slots[job].counts.refused;
		all.failed += hunt->slots[job].counts.failed;
	}
	return all;
}

static bool is_over(const struct hunt *hunt)
{
	return g_get_monotonic_time() >= hunt->end || sum(hunt).streams >= hunt->max_streams;
}

static void reap(struct hunt *hunt, unsigned job)
{
	struct slot *slot = &hunt->slots[job];
	bool is_late = g_get_monotonic_time() - slot->since > SESSION_SECONDS * G_USEC_PER_SEC;
	int status;

	if (is_late)
		kill(hunt->pids[job], SIGKILL);
	if (waitpid(hunt->pids[job], &status, is_late ? 0 : WNOHANG) <= 0)
		return;
	if (status != 0)
		note_death(hunt, job, status, is_late);
	hunt->pids[job] = 0;
	if (!is_over(hunt))
		start_job(hunt, job, slot->seed + hunt->n_jobs);
}

static void hunt_all(struct hunt *hunt)
{
	for (unsigned job = 0; job < hunt->n_jobs; job++)
		start_job(hunt, job, hunt->first_seed + job);
	while (!is_over(hunt)) {
		for (unsigned job = 0; job < hunt->n_jobs; job++)
			reap(hunt, job);
		g_usleep(20000);
	}
	for (unsigned job = 0; job < hunt->n_jobs; job++)
		if (hunt->pids[job] > 0) {
			kill(hunt->pids[job], SIGKILL);
			waitpid(hunt->pids[job], NULL, 0);
		}
}

static int report(struct hunt *hunt, int64_t began)
{
	struct session_counts all = sum(hunt);
	double seconds = (double)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
	GHashTableIter i;
	void *name, *n;

	g_hash_table_iter_init(&i, hunt->deaths);
	while (g_hash_table_iter_next(&i, &name, &n))
		printf("%u x %s\n", GPOINTER_TO_UINT(n), (char *)name);
	printf("%" G_GUINT64_FORMAT " streams in %.0f s (%.0f/s), %" G_GUINT64_FORMAT
	       " refused by our checks, %" G_GUINT64_FORMAT " by the library; %u kinds of death\n",
	       all.streams, seconds, (double)all.streams / seconds, all.refused, all.failed,
	       g_hash_table_size(hunt->deaths));
	return g_hash_table_size(hunt->deaths) > 0;
}

static struct renderer *start_renderer(void)
{
	const struct virgl_options options = {
		.use_egl = true,
		.api = g_getenv("HUNT_GLES") ? VIRGL_API_GLES : VIRGL_API_GL,
		.use_surfaceless = true,
	};
	g_autofree char *message = NULL;
	struct renderer *renderer = virgl_new(&options, &message);

	if (!renderer) {
		fprintf(stderr, "%s\n", message);
		exit(EXIT_SKIPPED);
	}
	return renderer;
}

static int play_files(struct hunt *hunt, char **paths)
{
	int n_deaths = 0;

	for (; *paths; paths++) {
		int status = hunt_play_file(hunt->renderer, *paths);

		printf("%s: %s %d\n", *paths, WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		n_deaths += status != 0;
	}
	return n_deaths > 0;
}

static void usage(void)
{
	fprintf(stderr, "hunt [-j JOBS] [-t SECONDS] [-n STREAMS] [-s SEED] [-o DIR] [-r] "
			"[FILE]...\n");
	exit(2);
}

int main(int argc, char **argv)
{
	struct hunt hunt = { .n_jobs = 1, .max_streams = UINT64_MAX, .dir = "." };
	int64_t began, seconds = 60;
	bool is_reducing = false;

	for (int option; (option = getopt(argc, argv, "j:t:n:s:o:r")) != -1;) {
		switch (option) {
		case 'j':
			hunt.n_jobs = CLAMP((unsigned)atoi(optarg), 1, MAX_JOBS);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'n':
			hunt.max_streams = g_ascii_strtoull(optarg, NULL, 10);
			break;
		case 's':
			hunt.first_seed = g_ascii_strtoull(optarg, NULL, 10);
			break;
		case 'o':
			hunt.dir = optarg;
			break;
		case 'r':
			is_reducing = true;
			break;
		default:
			usage();
		}
	}
	log_set_level(LOG_LEVEL_ERROR);
	setenv("LP_NUM_THREADS", "0", 0);
	setenv("MESA_SHADER_CACHE_DISABLE", "true", 0);
	g_mkdir_with_parents(hunt.dir, 0755);
	hunt.renderer = start_renderer();
	if (is_reducing)
		return hunt_reduce_files(hunt.renderer, argv + optind);
	if (argv[optind])
		return play_files(&hunt, argv + optind);
	hunt.slots = mmap(NULL, sizeof(struct slot) * MAX_JOBS, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	hunt.deaths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	began = g_get_monotonic_time();
	hunt.end = began + seconds * G_USEC_PER_SEC;
	hunt_all(&hunt);
	return report(&hunt, began);
}
