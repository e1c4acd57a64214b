// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands that move no pixels, so that only a command's overhead is measured: alone in its kick,
 * with others, and among many resources. Also how long the front-end, which holds its big lock
 * meanwhile, waits for the configuration space of a daemon that is busy sending.
 */
#include "bench.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_NEW 1000000u
#define SIDE      16

static void create(struct vmm *vmm, uint32_t id)
{
	if (gpu_create_2d(vmm, id, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, SIDE, SIDE) !=
	    VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("resource %u was refused", id);
}

/* A flush of a resource that is not shown: valid, and without any work. */
static void kick_flushes(struct vmm *vmm, unsigned n)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, { 0, 0, SIDE, SIDE }, RESOURCE, 0
	};
	struct chain *chains[64];

	for (unsigned i = 0; i < n; i++)
		chains[i] = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned i = 0; i < n; i++) {
		if (gpu_finish(vmm, chains[i], NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("a flush was refused");
	}
}

static void run_commands(struct run *r, const struct bench_case *c)
{
	unsigned n = run_count(r, 4000), per_kick = c->parameter;

	run_boot(r, (struct vmm_options){ .control_size = 256 });
	create(r->vmm, RESOURCE);
	for (unsigned i = 0; i < 100; i++)
		kick_flushes(r->vmm, per_kick);
	run_begin(r, r->vmm->daemon.pid, NULL);
	for (unsigned i = 0; i < n; i++) {
		kick_flushes(r->vmm, per_kick);
		run_pause(r);
	}
	run_end(r, (uint64_t)n * per_kick, NULL);
}

/* One kick and one answer, whose cost is divided among the commands of a kick. */
static void limit_commands(struct run *r, const struct bench_case *c)
{
	struct limit_work work = { 0 };
	unsigned n = run_count(r, 4000);
	struct limit l;

	limit_start(&l, &work);
	for (unsigned i = 0; i < 100 + n; i++) {
		if (i == 100)
			run_begin(r, l.pid, NULL);
		limit_kick(&l);
		limit_wait(&l, NULL, NULL);
		run_pause(r);
	}
	run_end(r, (uint64_t)n * c->parameter, NULL);
	limit_finish(&l);
}

static void create_attach_unref(struct vmm *vmm, uint32_t id,
				const struct virtio_gpu_mem_entry *entry)
{
	struct virtio_gpu_resource_create_2d create_2d = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D },
		id,
		VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		SIDE,
		SIDE
	};
	struct virtio_gpu_resource_attach_backing attach = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, id, 1
	};
	struct virtio_gpu_resource_unref unref = { { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF },
						   id,
						   0 };
	uint32_t size = sizeof(struct virtio_gpu_ctrl_hdr);
	struct guest_buf data = { entry->addr + SIDE * SIDE * 4, sizeof(*entry), false };
	struct chain *chains[] = {
		gpu_submit(vmm, CONTROL, &create_2d, sizeof(create_2d), size, NULL, 0),
		gpu_submit(vmm, CONTROL, &attach, sizeof(attach), size, &data, 1),
		gpu_submit(vmm, CONTROL, &unref, sizeof(unref), size, NULL, 0),
	};

	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++) {
		if (gpu_finish(vmm, chains[i], NULL, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			vmm_fail("command %u for a resource was refused", i);
	}
}

static void run_resources(struct run *r, const struct bench_case *c)
{
	unsigned n = run_count(r, 2000);
	struct virtio_gpu_mem_entry *entry;

	/* A list that is searched from its start takes minutes to grow this long. */
	if (c->parameter > 10000 && r->contender->kind != OURS) {
		r->is_missing = true;
		return;
	}
	run_boot(r, (struct vmm_options){ .control_size = 256 });
	struct vmm *vmm = r->vmm;
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, SIDE * SIDE * 4 + 16, 4096);

	entry = memory_at(&vmm->memory, gpa + SIDE * SIDE * 4, sizeof(*entry));
	*entry = (struct virtio_gpu_mem_entry){ gpa, SIDE * SIDE * 4, 0 };
	for (unsigned i = 0; i < c->parameter; i++)
		create(vmm, 1 + i);
	for (unsigned i = 0; i < 50; i++)
		create_attach_unref(vmm, FIRST_NEW, entry);
	run_begin(r, vmm->daemon.pid, NULL);
	for (unsigned i = 0; i < n; i++) {
		create_attach_unref(vmm, FIRST_NEW + i, entry);
		run_pause(r);
	}
	run_end(r, n, NULL);
}

#define ASKED 400

/* A reader that takes a little now and then, as a VMM does that has better things to do. */
static void read_slowly(struct vmm *vmm)
{
	static char buffer[16384];

	(void)!recv(vmm->display.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
}

static void run_config(struct run *r, const struct bench_case *c)
{
	double us[ASKED];
	uint8_t config[16];

	(void)c;
	/* With their sockets full the other daemons wait for the reader before they answer. */
	r->is_missing = r->contender->kind != OURS;
	if (r->is_missing || r->is_traced)
		return;
	run_boot(r, (struct vmm_options){ 0 });
	struct vmm *vmm = r->vmm;
	struct image image = run_show(vmm, 3840, 2160);
	struct virtio_gpu_rect all = image_rect(&image);

	gpu_transfer_2d(vmm, RESOURCE, all, 0);
	vmm->display.is_paused = true;
	for (unsigned i = 0; i < ASKED; i++) {
		gpu_flush(vmm, RESOURCE, all); /* the last frame may be partly sent */
		read_slowly(vmm);
		usleep(i * 37 % 1000);
		uint64_t start = now_ns();

		if (!vhost_get_config(vmm, 0, sizeof(config), config))
			vmm_fail("GET_CONFIG was refused");
		us[i] = (double)(now_ns() - start) / 1000;
	}
	run_set_percentiles(r, us, ASKED);
	/* read_slowly() may have read only part of the next message, so the rest is not parsed. */
	display_close(&vmm->display);
}

const struct bench_case cases_control[] = {
	{ "control-1", "a small command, one for a kick", "<= 1.2 x the limit", CPU_NS, 1,
	  run_commands, limit_commands, false },
	{ "control-32", "a small command, 32 for a kick", "<= the limit + 0.2 us", CPU_NS, 32,
	  run_commands, limit_commands, false },
	{ "resources-1k", "create, attach, unref beside 1000 resources", "", CPU_NS, 1000,
	  run_resources, NULL, false },
	{ "resources-10k", "create, attach, unref beside 10,000 resources", "<= 1.3 x those at 1k",
	  CPU_NS, 10000, run_resources, NULL, false },
	{ "resources-100k", "create, attach, unref beside 100,000 resources",
	  "<= 1.3 x those at 1k", CPU_NS, 100000, run_resources, NULL, false },
	{ "config", "GET_CONFIG while a 4K frame is sent to a slow reader", "p99 < 2 ms", P99_US, 0,
	  run_config, NULL, false },
	{ 0 },
};
