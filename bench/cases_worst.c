// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How long the front-end, which holds its big lock meanwhile, waits for the configuration space
 * while the daemon runs the most expensive single command. A backing that names the same pages
 * again and again has a gigabyte, although the guest has much less memory.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIDTH       16384
#define HEIGHT      16000
#define N_ENTRIES   16384
#define ENTRY_BYTES (WIDTH * 4 / N_ENTRIES * HEIGHT)
#define N_BACKINGS  2000
#define ASKED       2000
#define CHANGED     40

enum { WORST_TRANSFER, WORST_BLOB, WORST_MEMORY };

struct samples {
	double us[ASKED];
	unsigned n, max;
};

static void add_sample(struct samples *s, uint64_t start)
{
	if (s->n < s->max)
		s->us[s->n++] = (double)(now_ns() - start) / 1000;
}

static void ask(struct vmm *vmm, struct samples *s)
{
	uint8_t config[16];

	usleep(s->n * 37 % 1000);
	uint64_t start = now_ns();

	if (!vhost_get_config(vmm, 0, sizeof(config), config))
		vmm_fail("GET_CONFIG was refused");
	add_sample(s, start);
}

static void check(uint32_t response, const char *what)
{
	if (response != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("%s was refused", what);
}

/* The list in guest memory: N_ENTRIES times the same pages. */
static struct guest_buf new_list(struct vmm *vmm)
{
	uint32_t size = N_ENTRIES * sizeof(struct virtio_gpu_mem_entry);
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, ENTRY_BYTES, 4096);
	uint64_t list_gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, size, 4096);
	struct virtio_gpu_mem_entry *list = memory_at(&vmm->memory, list_gpa, size);

	memset(memory_at(&vmm->memory, gpa, ENTRY_BYTES), 0x5a, ENTRY_BYTES);
	for (unsigned i = 0; i < N_ENTRIES; i++)
		list[i] = (struct virtio_gpu_mem_entry){ gpa, ENTRY_BYTES, 0 };
	return (struct guest_buf){ list_gpa, size, false };
}

static void attach(struct vmm *vmm, uint32_t id, const struct guest_buf *list)
{
	struct virtio_gpu_resource_attach_backing c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, id, N_ENTRIES
	};
	struct chain *chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), list, 1);

	ring_kick(&vmm->rings[CONTROL]);
	check(gpu_finish(vmm, chain, NULL, 0), "a backing");
}

/* All of the largest resource, which is then freed. */
static void ask_during_transfer(struct vmm *vmm, struct samples *s, const struct guest_buf *list)
{
	struct virtio_gpu_transfer_to_host_2d transfer = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D },
		{ 0, 0, WIDTH, HEIGHT },
		0,
		RESOURCE,
		0
	};
	struct virtio_gpu_resource_unref unref = { { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF },
						   RESOURCE,
						   0 };

	check(gpu_create_2d(vmm, RESOURCE, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WIDTH, HEIGHT),
	      "the largest image");
	attach(vmm, RESOURCE, list);
	struct chain *chains[] = {
		gpu_submit(vmm, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr), NULL,
			   0),
		gpu_submit(vmm, CONTROL, &unref, sizeof(unref), sizeof(unref.hdr), NULL, 0),
	};

	ring_kick(&vmm->rings[CONTROL]);
	while (!chains[1]->is_done) {
		ask(vmm, s);
		ring_collect(&vmm->rings[CONTROL]);
	}
	for (unsigned i = 0; i < 20; i++) /* it is still being freed */
		ask(vmm, s);
	check(gpu_finish(vmm, chains[0], NULL, 0), "a transfer");
	check(gpu_finish(vmm, chains[1], NULL, 0), "an unref");
}

static void run_transfer(struct vmm *vmm, struct samples *s)
{
	struct guest_buf list = new_list(vmm);

	while (s->n < s->max)
		ask_during_transfer(vmm, s, &list);
}

static void read_some(struct vmm *vmm)
{
	static char buffer[1024 * 1024];

	for (unsigned i = 0; i < 4; i++)
		(void)!recv(vmm->display.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
}

/* The largest blob whose pixels must be converted, shown again as soon as a little of it was read.
 */
static void run_blob(struct vmm *vmm, struct samples *s)
{
	struct guest_buf list = new_list(vmm);
	struct virtio_gpu_resource_create_blob create = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		.resource_id = RESOURCE,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.nr_entries = N_ENTRIES,
		.size = (uint64_t)WIDTH * HEIGHT * 4,
	};
	struct virtio_gpu_set_scanout_blob show = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { 0, 0, WIDTH, HEIGHT },
		.resource_id = RESOURCE,
		.width = WIDTH,
		.height = HEIGHT,
		.format = VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
		.strides = { WIDTH * 4 },
	};
	struct virtio_gpu_ctrl_hdr h;
	struct chain *chain =
		gpu_submit(vmm, CONTROL, &create, sizeof(create), sizeof(h), &list, 1);

	ring_kick(&vmm->rings[CONTROL]);
	check(gpu_finish(vmm, chain, NULL, 0), "a blob");
	vmm->display.is_paused = true;
	for (unsigned i = 0; s->n < s->max; i++) {
		if (i % 50 == 0) {
			gpu_set_scanout(vmm, 0, 0, show.r);
			check(gpu_call(vmm, CONTROL, &show, sizeof(show), &h, sizeof(h)),
			      "a blob's scanout");
		}
		read_some(vmm);
		ask(vmm, s);
	}
	/* read_some() stopped anywhere in a message, so the rest in the display socket cannot be
	 * parsed. */
	display_close(&vmm->display);
}

/* A region is removed or added while there are as many backings as allowed. */
static void run_memory(struct vmm *vmm, struct samples *s)
{
	struct guest_buf list = new_list(vmm);
	unsigned index = memory_add(&vmm->memory, UINT64_C(1) << 40, 1024 * 1024, 0);
	uint8_t config[16];

	for (unsigned i = 0; i < N_BACKINGS; i++) {
		check(gpu_create_2d(vmm, 1 + i, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 16, 16),
		      "an image");
		attach(vmm, 1 + i, &list);
	}
	s->max = CHANGED;
	for (unsigned i = 0; s->n < s->max; i++) {
		uint64_t start = now_ns();

		if (i % 2)
			vhost_remove_region(vmm, index);
		else
			vhost_add_region(vmm, index);
		if (!vhost_get_config(vmm, 0, sizeof(config), config))
			vmm_fail("GET_CONFIG was refused");
		add_sample(s, start);
	}
}

static void run_worst(struct run *r, const struct bench_case *c)
{
	static void (*const kinds[])(struct vmm *, struct samples *) = {
		[WORST_TRANSFER] = run_transfer,
		[WORST_BLOB] = run_blob,
		[WORST_MEMORY] = run_memory,
	};
	struct samples s = { .max = run_count(r, ASKED) };

	/* The other daemons do all of it before they answer. */
	r->is_missing = r->contender->kind != OURS;
	if (r->is_missing || r->is_traced)
		return;
	s.max = s.max == 0 ? 1 : s.max > ASKED ? ASKED : s.max;
	run_boot(r, (struct vmm_options){ 0 });
	kinds[c->parameter](r->vmm, &s);
	run_set_percentiles(r, s.us, s.n);
}

const struct bench_case cases_worst[] = {
	{ "worst-transfer", "GET_CONFIG while 16384x16000 are transferred and freed", "p99 <= 2 ms",
	  P99_US, WORST_TRANSFER, run_worst, NULL, false },
	{ "worst-blob", "GET_CONFIG while a blob of 16384x16000 is converted", "p99 <= 2 ms",
	  P99_US, WORST_BLOB, run_worst, NULL, false },
	{ "worst-memory", "memory comes or goes under 2000 backings of 16384 entries",
	  "p99 <= 2 ms", P99_US, WORST_MEMORY, run_worst, NULL, false },
	{ 0 },
};
