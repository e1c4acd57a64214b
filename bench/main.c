// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Runs each case on each contender in turn, round after round, so that a disturbance of the machine
 * affects all of them, and prints medians. A ratio is the median of the ratios of single rounds,
 * not the ratio of the medians. Each run has its own process, so a contender that crashes or hangs
 * loses only its row in that case's table.
 */
#include "bench.h"
#include "gpu3d.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CONTENDERS 8
#define MAX_ROUNDS     99

static const struct bench_case *const groups[] = { cases_2d,    cases_control, cases_worst,
						   cases_life,  cases_3d,      cases_many,
						   cases_scale, cases_cursor };

static struct contender contenders[MAX_CONTENDERS];
static unsigned n_contenders;
static unsigned rounds = 5;
static bool is_smoke, has_failed;
static const char *wanted = "*";
static FILE *json;

static const char usage[] =
	"Usage: bench --ours PATH [OPTION]...\n"
	"Runs daemons and the bare limit of each case in turn, and prints medians.\n"
	"\n"
	"  --ours PATH             the daemon that ratios are made of; comes first\n"
	"  --before NAME=PATH      another build of it\n"
	"  --c NAME=PATH           a vhost-user-gpu of QEMU's\n"
	"  --rust NAME=PATH        rust-vmm's daemon\n"
	"  --case PATTERN          only the cases that match, as file names do: '3d-*'\n"
	"  --list                  print the cases and end\n"
	"  --rounds N              of each case, beside one that counts system calls (default 5)\n"
	"  --scale N               N times as many operations in a round\n"
	"  --cpus DRIVER,CONTENDER the processors to run on (default 0,0)\n"
	"  --kmscube FILE          the recorded stream, if the tree is not where it was built\n"
	"  --json FILE             the figures for programs\n"
	"  --smoke                 only find out whether the cases still work, in little time\n";

/* All rounds of one contender in one case. */
struct column {
	bool is_missing;
	double values[METRICS][MAX_ROUNDS];
	unsigned counts[METRICS];
};

/* In its own process; @r is shared with it. */
static void run_once(struct run *r, const struct bench_case *c)
{
	void (*fn)(struct run *, const struct bench_case *) =
		r->contender->kind == LIMIT ? c->limit : c->run;
	int status;

	if (!fn) {
		r->is_missing = true;
		return;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		pin_driver();
		fn(r, c);
		if (r->vmm)
			daemon_stop(&r->vmm->daemon, SIGTERM);
		vmm_free(r->vmm);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s: %s gave no result\n", c->name, r->contender->name);
		r->is_missing = has_failed = true;
	}
}

static struct run *run_new(void)
{
	struct run *r =
		mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		vmm_fail("mmap: %s", strerror(errno));
	return r;
}

static unsigned best_variant(struct run *r, const struct bench_case *c, const struct contender *who)
{
	double best = INFINITY;
	unsigned ret = 0;

	for (unsigned v = 0; c->has_variants && v < n_limit_bands; v++) {
		double cost = INFINITY;

		for (unsigned k = 0; k < 3; k++) {
			*r = (struct run){ .contender = who, .variant = v };
			run_once(r, c);
			if (r->values[CPU_NS] < cost)
				cost = r->values[CPU_NS];
		}
		if (cost < best) {
			best = cost;
			ret = v;
		}
	}
	return ret;
}

static void add(struct column *column, const struct run *r)
{
	column->is_missing |= r->is_missing;
	for (unsigned m = 0; m < METRICS; m++) {
		if (r->has_value[m] && !r->is_missing)
			column->values[m][column->counts[m]++] = r->values[m];
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned n)
{
	double sorted[MAX_ROUNDS];

	if (n == 0)
		return NAN;
	memcpy(sorted, values, n * sizeof(values[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The first column's figure divided by @other's. */
static double ratio(const struct column *ours, const struct column *other, enum metric m)
{
	double ratios[MAX_ROUNDS];
	unsigned n = ours->counts[m] < other->counts[m] ? ours->counts[m] : other->counts[m];

	for (unsigned i = 0; i < n; i++)
		ratios[i] = ours->values[m][i] / other->values[m][i];
	return median(ratios, n);
}

static void print_json(const struct bench_case *c, const struct column *columns)
{
	if (!json)
		return;
	fprintf(json, "%s\n {\"case\": \"%s\", \"title\": \"%s\", \"goal\": \"%s\", \"results\": [",
		ftell(json) > 1 ? "," : "", c->name, c->title, c->goal);
	for (unsigned i = 0; i < n_contenders; i++) {
		fprintf(json, "%s\n  {\"contender\": \"%s\", \"missing\": %s", i ? "," : "",
			contenders[i].name, columns[i].is_missing ? "true" : "false");
		for (unsigned m = 0; m < METRICS; m++) {
			if (columns[i].counts[m] > 0)
				fprintf(json, ", \"%s\": %.4g", metric_types[m].key,
					median(columns[i].values[m], columns[i].counts[m]));
		}
		if (i > 0 && isfinite(ratio(&columns[0], &columns[i], c->primary)))
			fprintf(json, ", \"ours_to_this\": %.4g",
				ratio(&columns[0], &columns[i], c->primary));
		fprintf(json, "}");
	}
	fprintf(json, "]}");
	fflush(json);
}

static void print_case(const struct bench_case *c, const struct column *columns, unsigned variant)
{
	printf("\n%s: %s%s%s\n  %-14s", c->name, c->title, c->goal[0] ? "; goal: " : "", c->goal,
	       "");
	for (unsigned m = 0; m < METRICS; m++) {
		if (columns[0].counts[m] > 0)
			printf("%14s", metric_types[m].name);
	}
	printf("%14s\n", "ours / this");
	for (unsigned i = 0; i < n_contenders; i++) {
		char text[32];

		if (columns[i].is_missing)
			continue;
		printf("  %-14s", contenders[i].name);
		for (unsigned m = 0; m < METRICS; m++) {
			if (columns[0].counts[m] == 0)
				continue;
			snprintf(text, sizeof(text), metric_types[m].format,
				 median(columns[i].values[m], columns[i].counts[m]) /
					 metric_types[m].divisor);
			printf("%14s", columns[i].counts[m] ? text : "");
		}
		if (i > 0 && isfinite(ratio(&columns[0], &columns[i], c->primary)))
			printf("%14.2f", ratio(&columns[0], &columns[i], c->primary));
		if (contenders[i].kind == LIMIT && c->has_variants)
			printf("  (bands of %u KiB)", limit_bands[variant] / 1024);
		printf("\n");
	}
	fflush(stdout);
}

static void run_case(const struct bench_case *c)
{
	struct column *columns = calloc(MAX_CONTENDERS, sizeof(*columns));
	struct run *r = run_new();
	unsigned variant = 0;

	/* One more round than is printed, under the tracer. */
	for (unsigned round = 0; round < rounds + !is_smoke; round++) {
		for (unsigned i = 0; i < n_contenders; i++) {
			const struct contender *who = &contenders[i];

			if (who->kind == LIMIT && round == 0 && !is_smoke)
				variant = best_variant(r, c, who);
			if (columns[i].is_missing)
				continue;
			*r = (struct run){ .contender = who,
					   .is_traced = round == rounds,
					   .variant = variant };
			run_once(r, c);
			add(&columns[i], r);
		}
	}
	print_case(c, columns, variant);
	print_json(c, columns);
	munmap(r, sizeof(*r));
	free(columns);
}

static void add_contender(enum contender_kind kind, const char *name, const char *path)
{
	if (n_contenders == MAX_CONTENDERS)
		vmm_fail("too many contenders");
	contenders[n_contenders++] = (struct contender){ kind, name, path };
}

/* NAME=PATH. */
static void add_named(enum contender_kind kind, char *argument)
{
	char *path = strchr(argument, '=');

	if (!path)
		vmm_fail("%s: expected NAME=PATH", argument);
	*path++ = '\0';
	add_contender(kind, argument, path);
}

static void print_list(void)
{
	for (unsigned g = 0; g < ARRAY_LENGTH(groups); g++) {
		for (const struct bench_case *c = groups[g]; c->name; c++)
			printf("%-16s %s\n", c->name, c->title);
	}
}

static void take_option(int option)
{
	switch (option) {
	case 'o':
		add_contender(OURS, "ours", optarg);
		break;
	case 'b':
		add_named(OURS, optarg);
		break;
	case 'c':
		add_named(QEMU_C, optarg);
		break;
	case 'r':
		add_named(RUST, optarg);
		break;
	case 'n':
		rounds = (unsigned)atoi(optarg);
		break;
	case 'j':
		json = fopen(optarg, "we");
		break;
	case 'p':
		if (sscanf(optarg, "%u,%u", &driver_cpu, &contender_cpu) != 2)
			vmm_fail("--cpus: expected DRIVER,CONTENDER");
		break;
	case 'm':
		gl_kmscube_path = optarg;
		break;
	case 's':
		operations_scale = (unsigned)atoi(optarg);
		break;
	case 'S':
		is_smoke = true;
		operations_scale = 0;
		rounds = 1;
		break;
	case 'k':
		wanted = optarg;
		break;
	case 'l':
		print_list();
		exit(0);
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ours", required_argument, NULL, 'o' },
		{ "c", required_argument, NULL, 'c' },
		{ "before", required_argument, NULL, 'b' },
		{ "rust", required_argument, NULL, 'r' },
		{ "rounds", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },
		{ "case", required_argument, NULL, 'k' },
		{ "list", no_argument, NULL, 'l' },
		{ "scale", required_argument, NULL, 's' },
		{ "smoke", no_argument, NULL, 'S' },
		{ "cpus", required_argument, NULL, 'p' },
		{ "kmscube", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option);
	if (n_contenders == 0 || contenders[0].kind != OURS || rounds < 1 || rounds >= MAX_ROUNDS)
		vmm_fail("--ours PATH has to come first, and --rounds is 1 to %d", MAX_ROUNDS - 1);
	/* Without OpenGL, --smoke skips the cases of 3D, as the tests of OpenGL do. */
	setenv("VHOST_DEVICE_GPU", contenders[0].path, 1);
	if (is_smoke && strncmp(wanted, "3d", 2) == 0 && !gpu3d_works())
		return EXIT_SKIPPED;
	add_contender(LIMIT, "the bare limit", NULL);
	if (json)
		fprintf(json, "[");
	for (unsigned g = 0; g < ARRAY_LENGTH(groups); g++) {
		for (const struct bench_case *c = groups[g]; c->name; c++) {
			if (fnmatch(wanted, c->name, 0) == 0)
				run_case(c);
		}
	}
	if (json)
		fprintf(json, "\n]\n");
	return is_smoke && has_failed;
}
