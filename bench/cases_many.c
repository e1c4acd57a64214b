// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Many guests on one host, each with its own daemon, as on a host of desktops: all screens are lit,
 * and each has a small update 30 times a second, in turn and spread over time. An operation is one
 * update. CPU time per second and memory are averages for one daemon. PSS divides the memory that
 * they share, which is that of the libraries.
 */
#include "bench.h"

#include <sys/resource.h>
#include <unistd.h>

#define WIDTH      1280
#define HEIGHT     800
#define UPDATES_HZ 30
#define SECONDS    4

struct guest {
	struct vmm *vmm;
	struct image image;
	uint64_t cpu_start;
};

static bool is_shown(struct vmm *vmm, const void *arg)
{
	return vmm->display.counts[DISPLAY_UPDATE] >= *(const uint64_t *)arg;
}

/* As a driver does: both at once, and one kick. */
static void update(struct guest *g, struct virtio_gpu_rect r)
{
	struct virtio_gpu_transfer_to_host_2d transfer = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D },
		r,
		((uint64_t)r.y * WIDTH + r.x) * 4,
		RESOURCE,
		0
	};
	struct virtio_gpu_resource_flush flush = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, r, RESOURCE, 0
	};
	uint32_t size = sizeof(struct virtio_gpu_ctrl_hdr);
	uint64_t due = 1;

	display_forget(&g->vmm->display);
	struct chain *a = gpu_submit(g->vmm, CONTROL, &transfer, sizeof(transfer), size, NULL, 0);
	struct chain *b = gpu_submit(g->vmm, CONTROL, &flush, sizeof(flush), size, NULL, 0);

	ring_kick(&g->vmm->rings[CONTROL]);
	if (gpu_finish(g->vmm, a, NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA ||
	    gpu_finish(g->vmm, b, NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("an update was refused");
	vmm_wait(g->vmm, is_shown, &due, "an update of the screen");
}

static void boot(struct run *r, struct guest *g)
{
	run_boot(r, (struct vmm_options){ 0 });
	g->vmm = r->vmm;
	g->image = run_show(g->vmm, WIDTH, HEIGHT);
	update(g, image_rect(&g->image));
	vmm_serve(g->vmm, 50);
}

static void sleep_until(uint64_t ns)
{
	uint64_t now = now_ns();

	if (now < ns)
		usleep((useconds_t)((ns - now) / 1000));
}

static void run_guests(struct run *r, const struct bench_case *c)
{
	static struct guest guests[64];
	const struct rlimit files = { 65536, 65536 };
	const unsigned n = c->parameter, updates = n * UPDATES_HZ * SECONDS;
	const uint64_t interval = 1000000000u / (n * UPDATES_HZ);
	double cpu = 0, rss = 0, pss = 0;

	if (r->is_traced)
		return;
	setrlimit(RLIMIT_NOFILE, &files); /* if allowed; else boot() fails at some guest */
	for (unsigned i = 0; i < n; i++)
		boot(r, &guests[i]);
	for (unsigned i = 0; i < n; i++)
		guests[i].cpu_start = process_cpu_ns(guests[i].vmm->daemon.pid);

	uint64_t start = now_ns();

	for (unsigned i = 0; i < updates; i++) {
		sleep_until(start + i * interval);
		update(&guests[i % n], gpu_rect(64 * (i / n % 16), 64 * (i / n / 16 % 8), 64, 64));
	}
	double seconds = (double)(now_ns() - start) / 1e9;

	for (unsigned i = 0; i < n; i++) {
		pid_t pid = guests[i].vmm->daemon.pid;

		cpu += (double)(process_cpu_ns(pid) - guests[i].cpu_start);
		rss += (double)process_rss_kib(pid);
		pss += (double)process_pss_kib(pid);
	}
	run_set(r, CPU_NS, cpu / updates);
	run_set(r, UPDATES_S, updates / seconds / n);
	run_set(r, GUEST_CPU_US, cpu / 1000 / seconds / n);
	run_set(r, RSS_FRAME_KIB, rss / n);
	run_set(r, PSS_FRAME_KIB, pss / n);
	for (unsigned i = 0; i + 1 < n; i++) /* the last one is ended as in other cases */
		vmm_free(guests[i].vmm);
}

const struct bench_case cases_many[] = {
	{ "guests-64", "64 guests at once, 30 updates of 64x64 a second each", "", CPU_NS, 64,
	  run_guests, NULL, false },
	{ 0 },
};
