// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Many guests on one host that do nothing: each has a daemon of its own and a lit screen that does
 * not change. The daemons are started one after the other. All figures but "all lit" are for one of
 * them on average, and include the daemon's second process (gpu-socket-file), whose part of the PSS
 * has a column of its own. An operation is a start with its first frame.
 *
 * PSS divides what they share, which are the libraries. 4 MiB of it are the picture.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define WIDTH      1280
#define HEIGHT     800
#define IDLE_S     10
#define MAX_GUESTS 256
#define FILES_EACH 32 /* descriptors that a guest takes here, at most */

/* Of all daemons together. */
struct sum {
	double cpu_ns, pss_kib, helper_kib, rss_kib;
	long sleeps;
};

static struct vmm *guests[MAX_GUESTS];

static bool is_lit(struct vmm *vmm, const void *arg)
{
	(void)arg;
	return vmm->display.surfaces[0].updates > 0;
}

static void light(struct vmm *vmm)
{
	struct image image = run_show(vmm, WIDTH, HEIGHT);
	struct virtio_gpu_rect all = image_rect(&image);

	image_transfer(vmm, &image, all);
	gpu_flush(vmm, RESOURCE, all);
	vmm_wait(vmm, is_lit, NULL, "a first frame");
}

/* The first child of @pid's main thread; 0 if there is none. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "re");

	if (f && fscanf(f, "%d", &child) != 1)
		child = 0;
	if (f)
		fclose(f);
	return child;
}

static void add_process(struct sum *sum, pid_t pid)
{
	sum->cpu_ns += (double)process_cpu_ns(pid);
	sum->sleeps += process_sleeps(pid);
	sum->pss_kib += (double)process_pss_kib(pid);
	sum->rss_kib += (double)process_rss_kib(pid);
}

static struct sum look(unsigned n)
{
	struct sum sum = { 0 };

	for (unsigned i = 0; i < n; i++) {
		pid_t pid = guests[i]->daemon.pid, helper = child_of(pid);

		add_process(&sum, pid);
		if (helper == 0)
			continue;
		add_process(&sum, helper);
		sum.helper_kib += (double)process_pss_kib(helper);
	}
	return sum;
}

/* Starts them all; returns the milliseconds from exec to the socket of one on average. */
static double start_all(struct run *r, unsigned n)
{
	double ms = 0;

	for (unsigned i = 0; i < n; i++) {
		run_boot(r, (struct vmm_options){ 0 });
		guests[i] = r->vmm;
		ms += (double)(r->ready_at - r->started_at) / 1e6;
		light(r->vmm);
	}
	return ms / n;
}

static void settle(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vmm_serve(guests[i], 5);
	usleep(500000);
}

static void run_scale(struct run *r, const struct bench_case *c)
{
	const unsigned n = c->parameter;
	const struct rlimit files = { MAX_GUESTS * FILES_EACH, MAX_GUESTS * FILES_EACH };

	if (r->is_traced)
		return;
	setrlimit(RLIMIT_NOFILE, &files);     /* if allowed; else run_boot() fails at some guest */
	setenv("VMM_TIMEOUT_MS", "60000", 0); /* they slow each other down */
	uint64_t start = now_ns();

	run_set(r, READY_MS, start_all(r, n));
	run_set(r, ALL_LIT_MS, (double)(now_ns() - start) / 1e6);
	settle(n);
	struct sum before = look(n);

	sleep(IDLE_S);
	struct sum after = look(n);

	run_set(r, CPU_NS, before.cpu_ns / n);
	run_set(r, WAKEUPS, (double)(after.sleeps - before.sleeps) / n);
	run_set(r, IDLE_CPU_US, (after.cpu_ns - before.cpu_ns) / 1000 / n);
	run_set(r, RSS_FRAME_KIB, after.rss_kib / n);
	run_set(r, PSS_FRAME_KIB, after.pss_kib / n);
	run_set(r, PSS_HELPER_KIB, after.helper_kib / n);
	for (unsigned i = 0; i + 1 < n; i++) /* the last one is ended as always */
		vmm_free(guests[i]);
}

const struct bench_case cases_scale[] = {
	{ "scale-64", "64 lit screens that do not change, for 10 s", "0 wake-ups, 0 CPU",
	  PSS_FRAME_KIB, 64, run_scale, NULL, false },
	{ "scale-256", "256 lit screens that do not change, for 10 s", "0 wake-ups, 0 CPU",
	  PSS_FRAME_KIB, 256, run_scale, NULL, false },
	{ 0 },
};
