// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What is measured, and from where to where. Work before run_begin() and after run_end() is not
 * measured.
 * Between them are only the operations, as many as needed to be well above the cost of reading a
 * clock. The contender and we run on one processor, unless --cpus gives two: on a virtual machine,
 * waking another processor costs many times what is measured, and that cost varies with the
 * machine's other work.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const no_args[] = { NULL };
static const char *const two_d_args[] = { "--gpu-mode", "2d",        "--max-resources",
					  "200000",     "--max-fps", "0",
					  NULL };
static const char *const rust_args[] = { "--gpu-mode", "virglrenderer", NULL };

static const char *const *const args_of[] = {
	[OURS] = two_d_args,
	[QEMU_C] = no_args,
	[RUST] = rust_args,
};

const struct metric_type metric_types[METRICS] = {
	[CPU_NS] = { "CPU us/op", "cpu_ns", 1000, "%.2f" },
	[WALL_NS] = { "wall us/op", "wall_ns", 1000, "%.1f" },
	[SYSCALLS] = { "syscalls/op", "syscalls", 1, "%.2f" },
	[INTERRUPTS] = { "irqs/op", "interrupts", 1, "%.2f" },
	[BYTES] = { "KiB/op", "bytes", 1024, "%.1f" },
	[READY_MS] = { "ready ms", "ready_ms", 1, "%.2f" },
	[FRAME_MS] = { "1st frame ms", "frame_ms", 1, "%.2f" },
	[RSS_READY_KIB] = { "RSS ready MiB", "rss_ready_kib", 1024, "%.1f" },
	[RSS_FRAME_KIB] = { "RSS lit MiB", "rss_frame_kib", 1024, "%.1f" },
	[PSS_FRAME_KIB] = { "PSS lit MiB", "pss_frame_kib", 1024, "%.1f" },
	[UPDATES_S] = { "updates/s", "updates_s", 1, "%.1f" },
	[GUEST_CPU_US] = { "CPU us/s", "guest_cpu_us", 1, "%.0f" },
	[WAKEUPS] = { "wake-ups", "wakeups", 1, "%.0f" },
	[IDLE_CPU_US] = { "CPU us", "idle_cpu_us", 1, "%.1f" },
	[P50_US] = { "p50 us", "p50_us", 1, "%.1f" },
	[P99_US] = { "p99 us", "p99_us", 1, "%.1f" },
	[ALL_LIT_MS] = { "all lit ms", "all_lit_ms", 1, "%.0f" },
	[RSS_KIB] = { "RSS MiB", "rss_kib", 1024, "%.1f" },
	[PSS_HELPER_KIB] = { "of it helper", "pss_helper_kib", 1024, "%.2f" },
};

/* Without such a processor it does nothing. */
static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

unsigned driver_cpu, contender_cpu;
unsigned operations_scale = 1;

void pin_contender(void)
{
	pin(contender_cpu);
}

void pin_driver(void)
{
	pin(driver_cpu);
}

static uint64_t started_at;

static void note_start(struct vmm *vmm)
{
	(void)vmm;
	started_at = now_ns();
}

void run_boot(struct run *r, struct vmm_options options)
{
	const struct contender *c = r->contender;
	uint8_t config[16];

	setenv("VHOST_DEVICE_GPU", c->path, 1);
	if (!options.args)
		options.args = args_of[c->kind];
	/* QEMU's older daemon and the Rust one know only a configuration of 16 bytes. */
	options.profile = c->kind == OURS ? &vmm_qemu_11_1 : &vmm_qemu_10_0;
	options.adjust = note_start;
	pin_contender();
	r->vmm = vmm_new(&options);
	pin_driver();
	r->started_at = started_at;
	r->vmm->timeout_ms = 60000;
	vmm_connect(r->vmm);
	r->ready_at = now_ns();
	r->rss_ready = process_rss_kib(r->vmm->daemon.pid);
	vmm_realize(r->vmm);
	vmm_start(r->vmm);
	/* The Rust daemon loses a kick that comes before the message that enables the ring. */
	if (!vhost_get_config(r->vmm, 0, 16, config))
		vmm_fail("GET_CONFIG was refused");
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) < 0)
		vmm_fail("the CPU time of process %d cannot be read", (int)pid);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The number after @key in a file of /proc; 0 if it is missing. */
static long read_key(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[256];
	long value = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	}
	if (f)
		fclose(f);
	return value;
}

long process_rss_kib(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return read_key(path, "RssAnon:") + read_key(path, "RssFile:");
}

long process_pss_kib(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	return read_key(path, "Pss_Anon:") + read_key(path, "Pss_File:");
}

long process_sleeps(pid_t pid)
{
	char path[64 + 256];
	const struct dirent *e;
	long sum = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, e->d_name);
		if (e->d_name[0] != '.')
			sum += read_key(path, "voluntary_ctxt_switches:");
	}
	if (dir)
		closedir(dir);
	return sum;
}

unsigned run_count(const struct run *r, unsigned operations)
{
	if (operations_scale == 0)
		return 3;
	return r->is_traced ? operations / 16 + 5 : operations * operations_scale;
}

void run_settle(struct vmm *vmm)
{
	uint64_t bytes;

	do {
		bytes = vmm->display.bytes;
		vmm_serve(vmm, 100);
	} while (vmm->display.bytes != bytes);
}

struct image run_show(struct vmm *vmm, uint32_t width, uint32_t height)
{
	struct image image =
		image_new(vmm, RESOURCE, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, width, height);

	if (gpu_set_scanout(vmm, 0, RESOURCE, image_rect(&image)) != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("an image cannot be shown");
	return image;
}

void run_pause(const struct run *r)
{
	if (r->is_traced)
		usleep(3000);
}

void run_set(struct run *r, enum metric metric, double value)
{
	r->values[metric] = value;
	r->has_value[metric] = true;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void run_set_percentiles(struct run *r, double *us, unsigned n)
{
	qsort(us, n, sizeof(us[0]), compare);
	run_set(r, P50_US, us[n / 2]);
	run_set(r, P99_US, us[n * 99 / 100]);
}

static uint64_t interrupts(const struct run *r)
{
	return r->vmm ? r->vmm->rings[CONTROL].interrupts : 0;
}

void run_begin(struct run *r, pid_t pid, const struct display *display)
{
	r->pid = pid;
	if (r->is_traced)
		r->tracer = tracer_start(pid, &r->tracer_pipe);
	r->bytes_start = display ? display->bytes : 0;
	r->interrupts_start = interrupts(r);
	r->wall_start = now_ns();
	r->cpu_start = process_cpu_ns(pid);
}

void run_end(struct run *r, uint64_t operations, const struct display *display)
{
	double n = (double)operations;
	uint64_t cpu = process_cpu_ns(r->pid), wall = now_ns();

	if (r->is_traced) {
		run_set(r, SYSCALLS, (double)tracer_stop(r->tracer, r->tracer_pipe) / n);
		return;
	}
	run_set(r, CPU_NS, (double)(cpu - r->cpu_start) / n);
	run_set(r, WALL_NS, (double)(wall - r->wall_start) / n);
	if (r->vmm)
		run_set(r, INTERRUPTS, (double)(interrupts(r) - r->interrupts_start) / n);
	if (display)
		run_set(r, BYTES, (double)(display->bytes - r->bytes_start) / n);
}
