// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Repeats one operation (a new session, reset, display or memory table) many times, each time while
 * other work is unfinished. The numbers of descriptors, threads and mappings, and
 * the daemon's own memory (RssAnon, without mapped guest memory), must not grow. The first rounds
 * do not count, because a library keeps what it once needed. A sanitizer's build does a tenth,
 * because it finds leaks by itself and keeps freed memory.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two frames are more than a socket holds. */
#define WIDTH   320u
#define HEIGHT  240u
#define FRAME   gpu_rect(0, 0, WIDTH, HEIGHT)
#define WARM_UP 64u
/* The size of the daemon's display socket (twice what it requests), and of the buffer into which it
 * copies short rows before it sends them. */
#define SOCKET_BYTES (2u * 208 * 1024)
#define BAND_BYTES   (200u * 1024)
#define SPARE_KIB    256 /* less than one of these frames */

struct endurance {
	struct vmm *vmm;
	uint64_t allocated; /* of guest memory, before anything else */
	struct image image;
	struct usage before;
	unsigned rounds;
	int64_t start;
};

/* ---- what must not grow ---- */

static struct endurance begin(struct vmm *vmm, unsigned rounds)
{
	if (daemon_has_sanitizer(&vmm->daemon))
		rounds /= 10;
	return (struct endurance){ .vmm = vmm,
				   .allocated = vmm->memory.regions[MEMORY_MAIN].allocated,
				   .rounds = rounds,
				   .start = vmm_now_ms() };
}

/* At the beginning of each round, when nothing is pending. */
static void round_begins(struct endurance *e, unsigned k)
{
	if (k != WARM_UP)
		return;
	assert_alive(e->vmm);
	e->before = usage_of(&e->vmm->daemon);
}

static void end(struct endurance *e, const char *what)
{
	struct usage after;
	char text[80];

	assert_alive(e->vmm);
	after = usage_of(&e->vmm->daemon);
	snprintf(text, sizeof(text), "%u %s in %lld ms", e->rounds, what,
		 (long long)(vmm_now_ms() - e->start));
	assert_usage(&after, &e->before, (struct usage_spare){ .rss_kib = SPARE_KIB }, text);
}

/* ---- interrupted work ---- */

static void show(struct endurance *e, uint32_t seed)
{
	struct vmm *vmm = e->vmm;

	vmm->memory.regions[MEMORY_MAIN].allocated = e->allocated;
	e->image = image_new(vmm, 1, BGRX, WIDTH, HEIGHT);
	e->image.bytes[seed % (WIDTH * HEIGHT)] = (uint8_t)seed;
	assert_ok(gpu_set_scanout(vmm, 0, 1, FRAME));
}

static void submit(struct endurance *e, const void *request, uint32_t size, uint32_t response)
{
	gpu_submit(e->vmm, CONTROL, request, size, response, NULL, 0);
}

static void add_frame(struct endurance *e)
{
	struct virtio_gpu_transfer_to_host_2d t = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, FRAME, 0, 1, 0
	};
	struct virtio_gpu_resource_flush f = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, FRAME, 1, 0
	};

	submit(e, &t, sizeof(t), sizeof(t.hdr));
	submit(e, &f, sizeof(f), sizeof(f.hdr));
}

static void with_nothing_to_do(struct endurance *e)
{
	(void)e;
}

static void in_a_long_batch(struct endurance *e)
{
	for (unsigned i = 0; i < 20; i++)
		add_frame(e);
	ring_kick(&e->vmm->rings[CONTROL]);
}

static void in_a_frame(struct endurance *e)
{
	e->vmm->display.is_paused = true;
	assert_ok(image_transfer(e->vmm, &e->image, FRAME));
	assert_ok(gpu_flush(e->vmm, 1, FRAME));
}

static void with_commands_held(struct endurance *e)
{
	struct virtio_gpu_ctrl_hdr info = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
					    .flags = VIRTIO_GPU_FLAG_FENCE,
					    .fence_id = 7 };
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	uint64_t asked = e->vmm->display.counts[DISPLAY_GET_DISPLAY_INFO];

	e->vmm->display.on_info = e->vmm->display.on_edid = NEVER;
	submit(e, &info, sizeof(info), sizeof(struct virtio_gpu_resp_display_info));
	submit(e, &edid, sizeof(edid), sizeof(struct virtio_gpu_resp_edid));
	submit(e, &info, sizeof(info), sizeof(struct virtio_gpu_resp_display_info));
	ring_kick(&e->vmm->rings[CONTROL]);
	vmm_wait_messages(e->vmm, DISPLAY_GET_DISPLAY_INFO, asked + 1);
}

/* ---- ends ---- */

static void the_vmm_stops_first(struct endurance *e)
{
	vmm_stop(e->vmm);
}

static void the_vmm_goes(struct endurance *e)
{
	(void)e;
}

/* With a descriptor that was not taken yet. */
static void the_vmm_goes_in_a_message(struct endurance *e)
{
	struct vhost_user_header h = { VHOST_USER_ADD_MEM_REG, VHOST_USER_VERSION, 40 };
	struct iovec iov = { &h, sizeof(h) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &e->vmm->memory.regions[0].fd, sizeof(int));
	assert_int_equal(sendmsg(e->vmm->socket, &m, MSG_NOSIGNAL), sizeof(h));
}

static void the_display_goes_first(struct endurance *e)
{
	display_close(&e->vmm->display);
	/* Only the daemon's closing of the session shows that it has seen our hang-up. */
	shutdown(e->vmm->socket, SHUT_WR);
	if (!vhost_is_closed(e->vmm, e->vmm->timeout_ms))
		vmm_fail("the session outlives its VMM");
}

static void the_vmm_talks_nonsense(struct endurance *e)
{
	uint64_t value = 0;

	vhost_send(e->vmm, VHOST_USER_SET_FEATURES, 2, &value, 3, NULL, 0);
	if (!vhost_is_closed(e->vmm, e->vmm->timeout_ms))
		vmm_fail("a bad header was overlooked");
}

typedef void (*step_fn)(struct endurance *e);

static const step_fn works[] = { with_nothing_to_do, in_a_long_batch, in_a_frame,
				 with_commands_held };
static const step_fn ends[] = { the_vmm_stops_first, the_vmm_goes, the_vmm_goes_in_a_message,
				the_display_goes_first, the_vmm_talks_nonsense };

static void forget_what_was_under_way(struct vmm *vmm)
{
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm->display.is_paused = false;
	vmm->display.on_info = vmm->display.on_edid = ANSWER;
	display_forget(&vmm->display);
}

/* ---- the tests ---- */

static void ten_thousand_reconnects_leak_nothing(void **state)
{
	struct endurance e = begin(*state, 10000);
	struct vmm *vmm = e.vmm;

	for (unsigned k = 0; k < e.rounds; k++) {
		round_begins(&e, k);
		show(&e, k);
		works[k % ARRAY_LENGTH(works)](&e);
		ends[k % ARRAY_LENGTH(ends)](&e);
		vmm_disconnect(vmm);
		forget_what_was_under_way(vmm);
		vmm_connect(vmm);
		vmm_realize(vmm);
		vmm_start(vmm);
	}
	end(&e, "reconnects");
}

static void a_thousand_resets_with_work_in_flight_leak_nothing(void **state)
{
	struct endurance e = begin(*state, 1000);
	struct vmm *vmm = e.vmm;

	for (unsigned k = 0; k < e.rounds; k++) {
		round_begins(&e, k);
		show(&e, k);
		works[k % ARRAY_LENGTH(works)](&e);
		if (k % 3 == 1)
			vhost_set(vmm, VHOST_USER_RESET_DEVICE, NULL, 0, -1, true);
		vmm_reset(vmm);
		forget_what_was_under_way(vmm);
		vmm_start(vmm);
		if (k % 5 == 0)
			assert_ok(gpu_create_2d(vmm, 2, BGRX, 8, 8));
		if (k % 5 == 0)
			assert_ok(gpu_unref(vmm, 2));
	}
	end(&e, "resets");
}

/* In the middle of a message of the daemon, of a reply of the display, or of both. */
static void a_thousand_displays_replaced_within_a_message_leak_nothing(void **state)
{
	static const struct vhost_user_header half = { DISPLAY_GET_DISPLAY_INFO, DISPLAY_REPLY,
						       408 };
	struct endurance e = begin(*state, 1000);
	struct vmm *vmm = e.vmm;

	show(&e, 0);
	for (unsigned k = 0; k < e.rounds; k++) {
		round_begins(&e, k);
		if (k % 3 != 1)
			in_a_frame(&e);
		if (k % 3 != 0)
			send(vmm->display.fd, &half, 1 + k % sizeof(half), MSG_NOSIGNAL);
		assert_session_alive(vmm);
		vmm->display.is_paused = false;
		vmm_open_display(vmm);
		image_fill(&e.image, k);
		assert_ok(image_transfer(vmm, &e.image, FRAME));
		assert_ok(gpu_flush(vmm, 1, FRAME));
		if (k % 10 == 0)
			image_wait_shown(vmm, &e.image, 0, FRAME);
	}
	image_wait_shown(vmm, &e.image, 0, FRAME);
	end(&e, "displays");
}

static void a_thousand_memory_tables_under_a_live_backing_leak_nothing(void **state)
{
	struct endurance e = begin(*state, 1000);
	struct vmm *vmm = e.vmm;
	unsigned hot = memory_add(&vmm->memory, 0x200000000ull, 1u << 20, 0);
	struct image image = {
		1, BGRX, WIDTH, HEIGHT, 0x200000000ull, vmm->memory.regions[hot].host
	};
	struct virtio_gpu_mem_entry entry = { image.gpa, WIDTH * HEIGHT * 4, 0 };

	vhost_add_region(vmm, hot);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, WIDTH, HEIGHT));
	assert_ok(gpu_attach(vmm, 1, &entry, 1));
	assert_ok(gpu_set_scanout(vmm, 0, 1, FRAME));
	e.image = image;
	for (unsigned k = 0; k < e.rounds; k++) {
		round_begins(&e, k);
		in_a_frame(&e);
		vhost_remove_region(vmm, hot);
		assert_int_not_equal(image_transfer(vmm, &image, FRAME), RESP_OK);
		if (k % 2)
			vmm_stop(vmm);
		if (k % 2)
			vmm_start(vmm); /* sends the region, too */
		else
			vhost_add_region(vmm, hot);
		vmm->display.is_paused = false;
		image_fill(&image, k);
		assert_ok(image_transfer(vmm, &image, FRAME));
		assert_ok(gpu_flush(vmm, 1, FRAME));
		if (k % 10 == 0)
			image_wait_shown(vmm, &image, 0, FRAME);
	}
	image_wait_shown(vmm, &image, 0, FRAME);
	end(&e, "tables");
}

/* Commands like these leaked memory in QEMU's daemon (CVE-2021-3544). */
static void refused_commands_leak_no_memory(void **state)
{
	struct endurance e = begin(*state, 3000);
	struct virtio_gpu_mem_entry good[64], bad[64];
	struct vmm *vmm = e.vmm;
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 65536, 4096);

	for (unsigned i = 0; i < 64; i++)
		good[i] = bad[i] = (struct virtio_gpu_mem_entry){ gpa, 1024, 0 };
	bad[63].addr = 0xfffffffffffff000;
	for (unsigned k = 0; k < e.rounds; k++) {
		round_begins(&e, k);
		assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
		assert_response(gpu_create_2d(vmm, 1, BGRX, 64, 64), RESP_INVALID_RESOURCE_ID);
		assert_response(gpu_create_2d(vmm, 2, BGRX, 65536, 64), RESP_INVALID_PARAMETER);
		assert_response(gpu_attach(vmm, 1, bad, 64), RESP_INVALID_PARAMETER);
		assert_response(gpu_attach_raw(vmm, 1, good, 64, 1000), RESP_INVALID_PARAMETER);
		assert_response(gpu_attach(vmm, 7, good, 64), RESP_INVALID_RESOURCE_ID);
		assert_ok(gpu_attach(vmm, 1, good, 64));
		assert_response(gpu_attach(vmm, 1, good, 64), RESP_UNSPEC);
		assert_ok(gpu_unref(vmm, 1)); /* with its backing */
	}
	end(&e, "refusals");
}

/* ---- a display that does not read ---- */

static void a_display_that_reads_nothing_for_ten_seconds_gets_the_last_frame(void **state)
{
	struct endurance e = begin(*state, 1);
	struct vmm *vmm = e.vmm;
	uint64_t sent, bytes;
	uint32_t k;
	unsigned n_slow = 0;
	long rss = 0;

	show(&e, 0);
	in_a_frame(&e);
	sent = vmm->display.counts[DISPLAY_UPDATE];
	bytes = vmm->display.bytes;
	for (k = 0; k <= 100 || vmm_now_ms() - e.start < 10000; k++) {
		int64_t before = vmm_now_ms();

		image_fill(&e.image, k);
		assert_ok(image_transfer(vmm, &e.image, FRAME));
		assert_ok(gpu_flush(vmm, 1, FRAME));
		assert_ok(gpu_create_2d(vmm, 2, BGRX, 64, 64));
		assert_ok(gpu_unref(vmm, 2));
		assert_ok(gpu_move_cursor(vmm, 0, k, k, 0));
		assert_session_alive(vmm);
		/* A busy machine is slow now and then, a blocked daemon every time. */
		n_slow += vmm_now_ms() - before > 1000;
		if (n_slow > 5)
			vmm_fail("%u of %u frames took more than a second", n_slow, k + 1);
		if (k == 100)
			rss = daemon_rss_kib(&vmm->daemon);
	}
	print_message("\t%u frames, %ld KiB after 100, %ld KiB now\n", k, rss,
		      daemon_rss_kib(&vmm->daemon));
	if (!daemon_has_sanitizer(&vmm->daemon) && daemon_rss_kib(&vmm->daemon) > rss + SPARE_KIB)
		vmm_fail("it keeps what it cannot send");
	vmm->display.is_paused = false;
	image_wait_shown(vmm, &e.image, 0, FRAME);
	assert_alive(vmm);
	print_message("\t%llu bytes came after that\n",
		      (unsigned long long)(vmm->display.bytes - bytes));
	/* At most the contents of the socket, the rest of the frame that was begun, and the last
	 * frame. */
	assert_true(vmm->display.counts[DISPLAY_UPDATE] > sent);
	assert_true(vmm->display.bytes - bytes <
		    SOCKET_BYTES + BAND_BYTES + WIDTH * HEIGHT * 4 + 4096);
}

static void a_display_that_never_replies_is_logged_once(void **state)
{
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
	struct vmm *vmm = *state;
	const char *at;
	unsigned n = 0;
	char *log;

	vmm->display.on_info = vmm->display.on_edid = NEVER;
	for (unsigned k = 0; k < 2; k++) {
		assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
		assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	}
	log = daemon_text(vmm->daemon.err_fd);
	for (at = log; (at = strstr(at, "did not answer")); at++)
		n++;
	free(log);
	assert_int_equal(n, 1);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(ten_thousand_reconnects_leak_nothing),
		BOOTED_TEST(a_thousand_resets_with_work_in_flight_leak_nothing),
		BOOTED_TEST(a_thousand_displays_replaced_within_a_message_leak_nothing),
		BOOTED_TEST(a_thousand_memory_tables_under_a_live_backing_leak_nothing),
		BOOTED_TEST(refused_commands_leak_no_memory),
		BOOTED_TEST(a_display_that_reads_nothing_for_ten_seconds_gets_the_last_frame),
		BOOTED_TEST(a_display_that_never_replies_is_logged_once),
	};

	return cmocka_run_group_tests_name("endurance", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
