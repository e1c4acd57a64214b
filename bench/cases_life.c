// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The cost of a daemon before it does anything and while it is idle: the time from exec to a socket
 * that accepts connections and to the first whole UPDATE of a first frame, its memory at both, and
 * ten seconds of an unchanged screen. Memory is its own and that of its libraries (RssAnon and
 * RssFile), without mapped guest memory.
 */
#include "bench.h"

#include <unistd.h>

#define IDLE_S 10

static bool is_lit(struct vmm *vmm, const void *arg)
{
	(void)arg;
	return vmm->display.surfaces[0].updates > 0;
}

static void light(struct vmm *vmm)
{
	struct image image = run_show(vmm, 1280, 800);
	struct virtio_gpu_rect all = image_rect(&image);

	image_transfer(vmm, &image, all);
	gpu_flush(vmm, RESOURCE, all);
	vmm_wait(vmm, is_lit, NULL, "a first frame");
}

static void run_start(struct run *r, const struct bench_case *c)
{
	(void)c;
	if (r->is_traced)
		return;
	run_boot(r, (struct vmm_options){ 0 });
	struct vmm *vmm = r->vmm;

	run_set(r, READY_MS, (double)(r->ready_at - r->started_at) / 1e6);
	run_set(r, RSS_READY_KIB, (double)r->rss_ready);
	light(vmm);
	run_set(r, FRAME_MS, (double)(now_ns() - r->started_at) / 1e6);
	run_set(r, RSS_FRAME_KIB, (double)process_rss_kib(vmm->daemon.pid));
}

static void run_idle(struct run *r, const struct bench_case *c)
{
	(void)c;
	if (r->is_traced)
		return;
	run_boot(r, (struct vmm_options){ 0 });
	pid_t pid = r->vmm->daemon.pid;

	light(r->vmm);
	vmm_serve(r->vmm, 200);
	usleep(300000);
	long switches = process_sleeps(pid);
	uint64_t cpu = process_cpu_ns(pid);

	sleep(IDLE_S);
	run_set(r, IDLE_CPU_US, (double)(process_cpu_ns(pid) - cpu) / 1000);
	run_set(r, WAKEUPS, (double)(process_sleeps(pid) - switches));
}

const struct bench_case cases_life[] = {
	{ "start", "from exec to ready, and to a first frame (1280x800)",
	  "ready < 20 ms, RSS < 10 MiB", READY_MS, 0, run_start, NULL, false },
	{ "idle", "10 s of a lit screen that does not change", "0 wake-ups, 0 CPU", IDLE_CPU_US, 0,
	  run_idle, NULL, false },
	{ 0 },
};
