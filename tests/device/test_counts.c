// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The cost of a frame and of a command in things that can be counted: system calls, interrupts,
 * allocations, bytes sent. Times depend on the machine; counts do not, so a change that increases
 * any of them is noticed. docs/performance.md has the time that was gained by saving some of them.
 * Each operation runs three times uncounted; then it is counted when the daemon sleeps again.
 * Everything that an operation sends fits into the socket, so the reader's timing does not matter.
 */
#include "counts.h"
#include "fixture.h"
#include "gpu3d.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESOURCE 1
#define TIMES    8
#define ATTEMPTS 3
/* header and fixed part of an UPDATE */
#define UPDATE_BYTES (12 + 20)
#define PAIRS        16

static struct counts *counts;

struct expected {
	struct counts calls;
	uint64_t interrupts; /* of both queues */
};

static void preload(void)
{
	const char *module = getenv("VMM_COUNT_CALLS");
	int fd = memfd_create("counts", 0);
	char path[64];

	assert_non_null(module);
	assert_true(fd >= 0 && ftruncate(fd, sizeof(*counts)) == 0);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(counts != MAP_FAILED);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	setenv(COUNTS_ENV, path, 1);
	setenv("LD_PRELOAD", module, 1);
	setenv("G_SLICE", "always-malloc",
	       1); /* a GLib with its own pools for small blocks shows them as well */
}

static const char *const each_update[] = { "--gpu-mode", "2d", "--max-fps", "0", NULL };
static const char *const ten_a_second[] = { "--gpu-mode", "2d", "--max-fps", "10", NULL };

static struct vmm *boot_with(void **state, const char *const *args)
{
	struct vmm *vmm;

	if (!counts)
		preload();
	vmm = fixture_boot(state, &(struct vmm_options){ .args = args });
	assert_true(counts->epoll_wait > 0); /* it is loaded */
	return vmm;
}

static struct vmm *boot(void **state)
{
	return boot_with(state, each_update);
}

/* Waits until the daemon sleeps and everything that it sent is read. An event makes its thread
 * runnable at once, however long the thread then waits for a CPU. */
static struct counts settle(struct vmm *vmm)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;
	struct counts before;

	do {
		before = *counts;
		vmm_serve(vmm, 5);
		if (vmm_now_ms() > deadline)
			vmm_fail("the daemon does not come to rest");
	} while (!before.is_in_epoll_wait || !daemon_sleeps(&vmm->daemon) ||
		 memcmp(&before, counts, sizeof(before)) != 0);
	return before;
}

static uint64_t interrupts(const struct vmm *vmm)
{
	return vmm->rings[CONTROL].interrupts + vmm->rings[CURSOR].interrupts;
}

static void check(const char *what, const char *name, uint64_t is, uint64_t due)
{
	if (is != due)
		vmm_fail("%s: %s: %llu in %d times, due are %llu", what, name,
			 (unsigned long long)is, TIMES, (unsigned long long)due);
}

/* What TIMES calls of @once cost. */
static struct expected measure(struct vmm *vmm, void (*once)(struct vmm *, unsigned i))
{
	struct expected cost = { .interrupts = interrupts(vmm) };
	struct counts before = settle(vmm);

	for (unsigned i = 0; i < TIMES; i++) {
		once(vmm, 3 + i);
		settle(vmm);
	}
#define SUBTRACT(name) cost.calls.name = counts->name - before.name;
	COUNTS(SUBTRACT)
#undef SUBTRACT
	cost.interrupts = interrupts(vmm) - cost.interrupts;
	return cost;
}

static bool is_due(const struct expected *cost, const struct expected *due)
{
	bool is = cost->interrupts == due->interrupts * TIMES;

#define COMPARE(name) is &= cost->calls.name == due->calls.name * TIMES;
	COUNTS(COMPARE)
#undef COMPARE
	return is;
}

/* Asserts that @once costs exactly @due, every time. If the daemon's thread waits for a CPU for
 * longer than the watchdog's time-out, the watchdog thread makes calls too, so the cost is
 * measured again. */
static void expect(struct vmm *vmm, const char *what, void (*once)(struct vmm *, unsigned i),
		   struct expected due)
{
	struct expected cost;

	for (unsigned i = 0; i < 3; i++) {
		once(vmm, i);
		settle(vmm);
	}
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		cost = measure(vmm, once);
		if (is_due(&cost, &due))
			return;
	}
#define CHECK(name) check(what, #name, cost.calls.name, due.calls.name *TIMES);
	COUNTS(CHECK)
#undef CHECK
	check(what, "interrupts", cost.interrupts, due.interrupts * TIMES);
}

static struct image show(struct vmm *vmm, uint32_t width, uint32_t height)
{
	struct image image = image_new(vmm, RESOURCE, BGRX, width, height);

	assert_ok(gpu_set_scanout(vmm, 0, RESOURCE, image_rect(&image)));
	return image;
}

static struct chain *add_flush(struct vmm *vmm, struct virtio_gpu_rect r)
{
	struct virtio_gpu_resource_flush c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, r, RESOURCE, 0
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static struct chain *add_transfer(struct vmm *vmm, uint32_t width, struct virtio_gpu_rect r)
{
	struct virtio_gpu_transfer_to_host_2d c = { { .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D },
						    r,
						    ((uint64_t)r.y * width + r.x) * 4,
						    RESOURCE,
						    0 };

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

/* One kick for a transfer and a flush of each rectangle. */
static void update(struct vmm *vmm, uint32_t width, const struct virtio_gpu_rect *rects, unsigned n)
{
	struct chain *chains[2 * PAIRS];

	for (unsigned i = 0; i < n; i++) {
		chains[2 * i] = add_transfer(vmm, width, rects[i]);
		chains[2 * i + 1] = add_flush(vmm, rects[i]);
	}
	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned i = 0; i < 2 * n; i++)
		assert_ok(gpu_finish(vmm, chains[i], NULL, 0));
}

static void one_command(struct vmm *vmm, unsigned i)
{
	(void)i;
	assert_ok(gpu_flush(vmm, RESOURCE, gpu_rect(0, 0, 8, 8)));
}

static void a_command_costs_one_wake_up_and_one_interrupt(void **state)
{
	struct vmm *vmm = boot(state);

	image_new(vmm, RESOURCE, BGRX, 16, 16);
	expect(vmm, "a command", one_command,
	       (struct expected){ { .epoll_wait = 1, .write = 1 }, 1 });
}

static void many_commands(struct vmm *vmm, unsigned i)
{
	struct chain *chains[32];

	(void)i;
	for (unsigned k = 0; k < ARRAY_LENGTH(chains); k++)
		chains[k] = add_flush(vmm, gpu_rect(0, 0, 8, 8));
	ring_kick(&vmm->rings[CONTROL]);
	for (unsigned k = 0; k < ARRAY_LENGTH(chains); k++)
		assert_ok(gpu_finish(vmm, chains[k], NULL, 0));
}

static void a_batch_of_32_commands_makes_no_more_calls_than_one(void **state)
{
	struct vmm *vmm = boot(state);

	image_new(vmm, RESOURCE, BGRX, 16, 16);
	expect(vmm, "32 commands in a kick", many_commands,
	       (struct expected){ { .epoll_wait = 1, .write = 1 }, 1 });
}

static void small_damage(struct vmm *vmm, unsigned i)
{
	struct virtio_gpu_rect r = gpu_rect(i, 2 * i, 64, 64);

	update(vmm, 1920, &r, 1);
}

static void damage_costs_one_message_of_its_pixels(void **state)
{
	struct vmm *vmm = boot(state);

	show(vmm, 1920, 1080);
	expect(vmm, "64x64 of damage", small_damage,
	       (struct expected){ { .epoll_wait = 1,
				    .write = 1,
				    .sendmsg = 1,
				    .bytes_sent = UPDATE_BYTES + 64 * 64 * 4,
				    /* into the resource, and short rows into one buffer */
				    .bytes_copied = 2 * 64 * 64 * 4 },
				  1 });
}

static void scattered_damage(struct vmm *vmm, unsigned i)
{
	struct virtio_gpu_rect r[PAIRS];

	for (unsigned k = 0; k < PAIRS; k++)
		r[k] = gpu_rect(k % 4 * 640 + i, k / 4 * 640 + i, 8, 8);
	update(vmm, 2560, r, PAIRS);
}

static void scattered_damage_is_many_small_updates_in_one_call(void **state)
{
	struct vmm *vmm = boot(state);

	show(vmm, 2560, 2560);
	expect(vmm, "16 rectangles of damage", scattered_damage,
	       (struct expected){ { .epoll_wait = 1,
				    .write = 1,
				    .sendmsg = 1,
				    .bytes_sent = PAIRS * (UPDATE_BYTES + 8 * 8 * 4) },
				  1 });
}

#define STRIPE_BYTES (64 * 8 * 4)

static void scattered_stripes(struct vmm *vmm, unsigned i)
{
	struct virtio_gpu_rect r[PAIRS];

	for (unsigned k = 0; k < PAIRS; k++)
		r[k] = gpu_rect(0, k * 160 + i, 64, 8);
	update(vmm, 64, r, PAIRS);
}

/* They are as wide as the picture and in one piece, so they could be sent directly. */
static void scattered_stripes_go_in_one_call_too(void **state)
{
	struct vmm *vmm = boot(state);

	show(vmm, 64, 2560);
	expect(vmm, "16 stripes of damage", scattered_stripes,
	       (struct expected){ { .epoll_wait = 1,
				    .write = 1,
				    .sendmsg = 1,
				    .bytes_sent = PAIRS * (UPDATE_BYTES + STRIPE_BYTES),
				    /* into the resource, all except the last into a buffer too */
				    .bytes_copied = (PAIRS + PAIRS - 1) * STRIPE_BYTES },
				  1 });
}

static void whole_frame(struct vmm *vmm, unsigned i)
{
	struct virtio_gpu_rect r = gpu_rect(0, 0, 320, 160);

	(void)i;
	update(vmm, 320, &r, 1);
}

/* 200 KiB: as many pixels as the daemon copies at most before one send (SOCKET_BAND_BYTES). */
static void a_band_costs_one_call(void **state)
{
	struct vmm *vmm = boot(state);

	show(vmm, 320, 160);
	expect(vmm, "a frame of one band", whole_frame,
	       (struct expected){ { .epoll_wait = 1,
				    .write = 1,
				    .sendmsg = 1,
				    .bytes_sent = UPDATE_BYTES + 320 * 160 * 4,
				    .bytes_copied = 320 * 160 * 4 },
				  1 });
}

static void shown_again(struct vmm *vmm, unsigned i)
{
	struct virtio_gpu_rect r = gpu_rect(0, 0, 64, 64);

	/* A page flip between two resources of the same size: no SCANOUT, because that would make a
	 * new surface. */
	assert_ok(gpu_set_scanout(vmm, 0, RESOURCE + i % 2, r));
}

static void a_page_flip_sends_no_scanout(void **state)
{
	struct vmm *vmm = boot(state);

	image_new(vmm, RESOURCE, BGRX, 64, 64);
	image_new(vmm, RESOURCE + 1, BGRX, 64, 64);
	expect(vmm, "a page flip", shown_again,
	       (struct expected){ { .epoll_wait = 1,
				    .write = 1,
				    .sendmsg = 1,
				    .bytes_sent = UPDATE_BYTES + 64 * 64 * 4 },
				  1 });
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 1);
}

/* 250 flushes one after the other, as of a guest that draws as fast as it can. The number of
 * updates that are sent depends only on the elapsed time. */
static void at_10_fps_250_flushes_send_10_updates_a_second(void **state)
{
	struct vmm *vmm = boot_with(state, ten_a_second);
	struct virtio_gpu_rect r = gpu_rect(0, 0, 320, 160);

	show(vmm, 320, 160);
	settle(vmm);

	int64_t start = vmm_now_ms();
	struct counts before = *counts;
	for (unsigned i = 0; i < 250; i++)
		update(vmm, 320, &r, 1);
	usleep(200000); /* the last may wait for so long */
	uint64_t sent = settle(vmm).sendmsg - before.sendmsg;
	int64_t ms = vmm_now_ms() - start;

	/* One for each 100 ms, and two more: one at the start, one at the end. An update may be
	 * early if the one before it was late. */
	if (sent < 1 || sent > (uint64_t)ms / 100 + 2)
		vmm_fail("%llu updates of 250 flushes in %lld ms", (unsigned long long)sent,
			 (long long)ms);
	assert_int_equal(settle(vmm).bytes_sent - before.bytes_sent,
			 sent * (UPDATE_BYTES + 320 * 160 * 4));
	before = *counts;
	usleep(300000);
	assert_memory_equal(&before, counts, sizeof(before)); /* and the timer is disarmed again */
}

static void cursor_moves(struct vmm *vmm, unsigned i)
{
	assert_ok(gpu_move_cursor(vmm, 0, 10 + i, 20, RESOURCE));
}

static void a_cursor_that_moves_costs_a_message_of_24_bytes(void **state)
{
	struct vmm *vmm = boot(state);

	image_new(vmm, RESOURCE, BGRA, 64, 64);
	assert_ok(gpu_update_cursor(vmm, 0, 5, 5, RESOURCE, 0, 0));
	expect(vmm, "a cursor that moves", cursor_moves,
	       (struct expected){ { .epoll_wait = 1, .write = 1, .sendmsg = 1, .bytes_sent = 24 },
				  1 });
}

static void asks_configuration(struct vmm *vmm, unsigned i)
{
	uint8_t config[16];

	(void)i;
	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
}

static void a_request_of_the_front_end_allocates_nothing(void **state)
{
	struct vmm *vmm = boot(state);

	/* Header and payload are read one after the other; the third read finds nothing. */
	expect(vmm, "GET_CONFIG", asks_configuration,
	       (struct expected){
		       { .epoll_wait = 1, .recvmsg = 3, .send = 1, .bytes_sent = 12 + 12 + 16 },
		       0 });
}

static void seal(struct vmm *vmm)
{
	memory_seal(&vmm->memory);
}

/* With a display that takes dma-bufs. Without /dev/udmabuf the test is skipped; the guest of
 * scripts/test dmabuf has it. */
static struct vmm *boot_dmabufs(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--scanout", "dmabuf", NULL };

	if (access("/dev/udmabuf", R_OK | W_OK) != 0)
		skip();
	if (!counts)
		preload();
	struct vmm *vmm =
		fixture_boot(state, &(struct vmm_options){ .args = args, .adjust = seal });

	assert_alive(vmm); /* the display has said by now that it takes dma-bufs */
	return vmm;
}

/* Wake-ups depend on when the display answers, what is moved does not. */
static void check_moved(struct vmm *vmm, void (*once)(struct vmm *, unsigned i), uint64_t copied)
{
	once(vmm, 0);
	struct counts before = settle(vmm);

	for (unsigned i = 0; i < TIMES; i++) {
		once(vmm, i);
		settle(vmm);
	}
	check("a frame in a dma-buf", "sendmsg", counts->sendmsg - before.sendmsg, TIMES);
	check("a frame in a dma-buf", "bytes sent", counts->bytes_sent - before.bytes_sent,
	      UPDATE_BYTES * TIMES);
	check("a frame in a dma-buf", "bytes copied", counts->bytes_copied - before.bytes_copied,
	      copied * TIMES);
	check("a frame in a dma-buf", "allocations", counts->allocations - before.allocations, 0);
}

static void a_frame_of_a_dma_buf_copies_what_its_transfer_copies(void **state)
{
	struct vmm *vmm = boot_dmabufs(state);

	show(vmm, 320, 160);
	check_moved(vmm, whole_frame, 320 * 160 * 4);
}

static void blob_frame(struct vmm *vmm, unsigned i)
{
	(void)i;
	assert_ok(gpu_flush(vmm, RESOURCE, gpu_rect(0, 0, 320, 160)));
}

static void a_frame_of_guest_memory_in_a_dma_buf_copies_nothing(void **state)
{
	struct vmm *vmm = boot_dmabufs(state);

	blob_new(vmm, RESOURCE, 320 * 160 * 4, NULL);
	assert_ok(gpu_set_scanout_blob(vmm, (set_scanout_blob_t){ .r = gpu_rect(0, 0, 320, 160),
								  .resource_id = RESOURCE,
								  .width = 320,
								  .height = 160,
								  .format = BGRX,
								  .strides = { 320 * 4 } }));
	check_moved(vmm, blob_frame, 0);
}

static void nothing(struct vmm *vmm, unsigned i)
{
	(void)vmm;
	(void)i;
}

static void an_unchanged_screen_causes_no_wake_up(void **state)
{
	struct vmm *vmm = boot(state);

	show(vmm, 320, 160);
	small_damage(vmm, 0);
	settle(vmm);
	expect(vmm, "an idle screen", nothing, (struct expected){ { 0 }, 0 });
	struct counts before = *counts;

	sleep(3); /* past the time-outs of the requests at the start */
	assert_memory_equal(&before, counts, sizeof(before));
}

static int run(void)
{
	static const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_command_costs_one_wake_up_and_one_interrupt),
		DEVICE_TEST(a_batch_of_32_commands_makes_no_more_calls_than_one),
		DEVICE_TEST(damage_costs_one_message_of_its_pixels),
		DEVICE_TEST(scattered_damage_is_many_small_updates_in_one_call),
		DEVICE_TEST(scattered_stripes_go_in_one_call_too),
		DEVICE_TEST(a_band_costs_one_call),
		DEVICE_TEST(a_page_flip_sends_no_scanout),
		DEVICE_TEST(at_10_fps_250_flushes_send_10_updates_a_second),
		DEVICE_TEST(a_cursor_that_moves_costs_a_message_of_24_bytes),
		DEVICE_TEST(a_request_of_the_front_end_allocates_nothing),
		DEVICE_TEST(a_frame_of_a_dma_buf_copies_what_its_transfer_copies),
		DEVICE_TEST(a_frame_of_guest_memory_in_a_dma_buf_copies_nothing),
		DEVICE_TEST(an_unchanged_screen_causes_no_wake_up),
	};

	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
