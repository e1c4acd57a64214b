// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Errors between a map and its reply: the front-end replies late, in pieces, with a refusal, or
 * never; it hangs up; the rings stop; the guest is reset, or destroys what is being mapped. The
 * guest is answered every time, and no part of the window is used twice. Successes: test_window.c;
 * single states: tests/unit/test_shmem.c.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PAGE   4096u
#define MAPPED VIRTIO_GPU_RESP_OK_MAP_INFO

static const uint32_t map_request = VHOST_USER_BACKEND_SHMEM_MAP;
static const uint32_t unmap_request = VHOST_USER_BACKEND_SHMEM_UNMAP;
static const uint32_t barrier_request = VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP;

/* The shortest time for which the daemon waits for a reply. */
#define BARRIER_MS 1000

static int64_t held_at; /* the last request */

/* A context, and a blob of a page for each id up to 4. */
static struct vmm *boot(void **state)
{
	const char *const args[] = { VMM_BLOB_ARGS, "--headless", NULL };
	struct vmm_options options = { .args = args, .profile = &vmm_generic };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	for (uint32_t id = 1; id <= 4; id++)
		assert_ok(gpu_create_host_blob(vmm, 1, id, PAGE));
	return vmm;
}

static struct chain *submit_unref(struct vmm *vmm, uint32_t id)
{
	const struct virtio_gpu_resource_unref c = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
						     .resource_id = id };

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

/* Starts the map of blob @id at @offset, and returns when the front-end has received request
 * @request, which it does not answer. */
static struct chain *map_until(struct vmm *vmm, uint32_t id, uint64_t offset, uint32_t request)
{
	struct chain *c = gpu_submit_map(vmm, id, offset);

	held_at = vmm_now_ms();
	if (request == map_request)
		vmm->window.on_map = WINDOW_HOLD;
	else
		vmm->window.on_barrier = WINDOW_HOLD;
	ring_kick(&vmm->rings[CONTROL]);
	window_wait_held(vmm, request);
	vmm->window.on_map = vmm->window.on_barrier = WINDOW_ANSWER;
	return c;
}

/* The same for the unmap that the caller has submitted: its request is held. */
static void unmap_until_held(struct vmm *vmm)
{
	vmm->window.on_unmap = WINDOW_HOLD;
	held_at = vmm_now_ms();
	ring_kick(&vmm->rings[CONTROL]);
	window_wait_held(vmm, unmap_request);
	vmm->window.on_unmap = WINDOW_ANSWER;
}

/* Whether @c is unanswered. Also true from BARRIER_MS on: if this process got no CPU for so long,
 * the daemon's own time-out may have answered @c, which is no error. */
static bool waits(const struct chain *c)
{
	return !c->is_done || vmm_now_ms() - held_at >= BARRIER_MS;
}

static void assert_waits(struct vmm *vmm, const struct chain *c)
{
	assert_alive(vmm); /* other commands are answered */
	assert_true(waits(c));
}

#define assert_answered(vmm, c, due) assert_response(gpu_finish(vmm, c, NULL, 0), due)

/* ---- answers ---- */

static void a_late_reply_delays_nothing(void **state)
{
	struct vmm *vmm = boot(state);
	struct chain *c = map_until(vmm, 1, 0, map_request);

	assert_waits(vmm, c);
	assert_int_equal(vmm->window.n_barriers, 0);
	window_answer_held(vmm);
	assert_answered(vmm, c, MAPPED);
	assert_non_null(window_find(vmm, 0));
	c = map_until(vmm, 2, PAGE, barrier_request);
	assert_waits(vmm, c);
	window_answer_held(vmm);
	assert_answered(vmm, c, MAPPED);
	c = gpu_submit_unmap(vmm, 1);
	unmap_until_held(vmm);
	assert_waits(vmm, c);
	window_answer_held(vmm);
	assert_answered(vmm, c, RESP_OK);
}

static void a_reply_may_come_in_pieces(void **state)
{
	struct vmm *vmm = boot(state);

	vmm->window.on_map = vmm->window.on_unmap = vmm->window.on_barrier = WINDOW_IN_PIECES;
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_response(gpu_map_blob(vmm, 2, PAGE), MAPPED);
	assert_ok(gpu_unmap_blob(vmm, 1));
	assert_ok(gpu_unref(vmm, 2));
	assert_int_equal(vmm->window.count, 0);
}

static void a_refused_map_is_an_error_and_can_be_repeated(void **state)
{
	struct vmm *vmm = boot(state);

	vmm->window.on_map = WINDOW_REFUSE;
	assert_response(gpu_map_blob(vmm, 1, 0), RESP_UNSPEC);
	assert_ok(gpu_unmap_blob(vmm, 1)); /* as Linux does then */
	assert_int_equal(vmm->window.n_unmaps, 0);
	vmm->window.on_map = WINDOW_ANSWER;
	assert_response(gpu_map_blob(vmm, 2, 0), MAPPED);
	assert_response(gpu_map_blob(vmm, 1, PAGE), MAPPED);
}

static void a_range_that_is_not_unmapped_is_not_used_again(void **state)
{
	struct vmm *vmm = boot(state);

	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	vmm->window.on_unmap = WINDOW_REFUSE;
	assert_ok(gpu_unref(vmm, 1));
	vmm->window.on_unmap = WINDOW_ANSWER;
	assert_response(gpu_map_blob(vmm, 2, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_map_blob(vmm, 2, PAGE), MAPPED);
	assert_int_equal(vmm->window.n_maps, 2);
	vmm_reset(vmm); /* which drops it in the front-end */
	vmm_start(vmm);
	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_ok(gpu_create_host_blob(vmm, 1, 2, PAGE));
	assert_response(gpu_map_blob(vmm, 2, 0), MAPPED);
}

/* The daemon waits for the reply for 5 s. Commands that wait behind this map fail with it. */
static void a_map_without_a_reply_fails(void **state)
{
	struct vmm *vmm = boot(state);
	struct chain *c = map_until(vmm, 1, 0, map_request), *next = gpu_submit_map(vmm, 2, PAGE);

	ring_kick(&vmm->rings[CONTROL]);
	vmm->timeout_ms += 5000;
	assert_answered(vmm, c, RESP_UNSPEC);
	assert_answered(vmm, next, RESP_UNSPEC);
	assert_response(gpu_map_blob(vmm, 3, 2 * PAGE), RESP_UNSPEC);
	assert_alive(vmm);
	/* The map succeeds late: it is unmapped, and then everything works. */
	window_answer_held(vmm);
	while (vmm->window.n_unmaps == 0)
		vmm_serve(vmm, vmm->timeout_ms);
	assert_int_equal(vmm->window.count, 0);
	assert_response(gpu_map_blob(vmm, 3, 0), MAPPED);
}

/* The daemon waits for it for 1 s, and then sends no further barrier. */
static void a_barrier_without_a_reply_counts_as_passed(void **state)
{
	struct vmm *vmm = boot(state);
	struct chain *c = map_until(vmm, 1, 0, barrier_request);

	vmm->window.has_held = false; /* no answer comes; later requests are allowed */
	assert_answered(vmm, c, MAPPED);
	assert_response(gpu_map_blob(vmm, 2, PAGE), MAPPED);
	assert_int_equal(vmm->window.n_barriers, 1);
}

/* ---- the channel ---- */

static void a_closed_channel_ends_pending_maps(void **state)
{
	struct vmm *vmm = boot(state);

	assert_response(gpu_map_blob(vmm, 3, 8 * PAGE), MAPPED);
	struct chain *c = map_until(vmm, 1, 0, map_request), *next = gpu_submit_map(vmm, 2, PAGE);

	ring_kick(&vmm->rings[CONTROL]);
	close(vmm->backend_fd);
	vmm->backend_fd = -1;
	assert_answered(vmm, c, RESP_UNSPEC);
	assert_answered(vmm, next, RESP_UNSPEC);
	assert_response(gpu_map_blob(vmm, 2, PAGE), RESP_UNSPEC);
	assert_ok(gpu_unmap_blob(vmm, 3));
	assert_ok(gpu_unref(vmm, 3));
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
}

/* ---- rings that stop ---- */

static void replies_while_stopped_are_used_after_cont(void **state)
{
	static const uint32_t until[] = { VHOST_USER_BACKEND_SHMEM_MAP,
					  VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP };
	struct vmm *vmm = boot(state);

	for (uint32_t i = 0; i < ARRAY_LENGTH(until); i++) {
		struct chain *c = map_until(vmm, 1 + i, i * PAGE, until[i]);

		vmm_stop(vmm);
		window_answer_held(vmm);
		usleep(20000);
		vmm_serve(vmm, 0);
		assert_true(waits(c));
		vmm_start(vmm);
		ring_kick_always(&vmm->rings[CONTROL]);
		assert_answered(vmm, c, MAPPED);
		assert_int_equal(vmm->window.n_maps, i + 1);
	}
	struct chain *c = gpu_submit_unmap(vmm, 1);

	unmap_until_held(vmm);
	vmm_stop(vmm);
	window_answer_held(vmm);
	usleep(20000);
	vmm_start(vmm);
	ring_kick_always(&vmm->rings[CONTROL]);
	assert_answered(vmm, c, RESP_OK);
	assert_int_equal(vmm->window.n_unmaps, 1);
	assert_int_equal(vmm->window.count, 1);
}

static void replies_after_cont_answer_the_commands(void **state)
{
	struct vmm *vmm = boot(state);
	struct chain *c = map_until(vmm, 1, 0, map_request);

	vmm_stop(vmm);
	vmm_start(vmm);
	assert_waits(vmm, c);
	window_answer_held(vmm);
	assert_answered(vmm, c, MAPPED);
}

static void maps_survive_many_stops(void **state)
{
	struct vmm *vmm = boot(state);

	for (uint32_t id = 1; id <= 4; id++)
		assert_response(gpu_map_blob(vmm, id, id * PAGE), MAPPED);
	window_poke(vmm, PAGE, 0x42);
	for (unsigned i = 0; i < 5; i++) {
		vmm_stop(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
	}
	assert_int_equal(window_peek(vmm, PAGE), 0x42);
	for (uint32_t id = 1; id <= 4; id++)
		assert_ok(gpu_unref(vmm, id));
	assert_int_equal(vmm->window.count, 0);
}

/* ---- resets ---- */

static void prepare_again(struct vmm *vmm)
{
	vmm_start(vmm);
	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
}

static void a_reset_drops_all_maps_without_a_message(void **state)
{
	struct vmm *vmm = boot(state);

	for (unsigned round = 0; round < 3; round++) {
		assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
		vmm_reset(vmm);
		prepare_again(vmm);
		assert_int_equal(vmm->window.n_unmaps, 0);
	}
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_int_equal(window_peek(vmm, 0), 0);
}

/* The front-end made the map before the reset, and dropped it in the reset. The daemon cannot tell
 * whether the map was made before or after, so it sends an unmap. */
static void a_map_in_flight_over_a_reset_is_unmapped_afterwards(void **state)
{
	struct vmm *vmm = boot(state);

	map_until(vmm, 1, 0, map_request);
	vmm_reset(vmm);
	window_answer_held(vmm);
	prepare_again(vmm);
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_int_equal(vmm->window.n_unmaps, 1);
	assert_int_equal(vmm->window.count, 1);
}

/* With and without a reply before the next start. */
static void a_map_that_succeeds_after_a_reset_is_unmapped(void **state)
{
	struct vmm *vmm = boot(state);

	for (unsigned round = 0; round < 2; round++) {
		struct pollfd p = { .fd = vmm->backend_fd, .events = POLLIN };

		gpu_submit_map(vmm, 1, 0);
		ring_kick(&vmm->rings[CONTROL]);
		assert_int_equal(poll(&p, 1, vmm->timeout_ms),
				 1); /* the request has come, and is not read */
		vmm_reset(vmm);
		vmm->window.on_map = round == 0 ? WINDOW_ANSWER : WINDOW_HOLD;
		assert_true(window_serve(vmm));
		vmm->window.on_map = WINDOW_ANSWER;
		assert_int_equal(vmm->window.count, 1);
		usleep(20000);
		prepare_again(vmm);
		if (round == 1)
			window_answer_held(vmm);
		assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
		assert_int_equal(vmm->window.n_unmaps, round + 1);
		assert_int_equal(vmm->window.count, 1);
		assert_ok(gpu_unmap_blob(vmm, 1));
		vmm->window.n_unmaps--;
	}
}

static void an_unmap_in_flight_over_a_reset_is_dropped(void **state)
{
	struct vmm *vmm = boot(state);

	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	submit_unref(vmm, 1);
	unmap_until_held(vmm);
	vmm_reset(vmm);
	window_answer_held(vmm);
	prepare_again(vmm);
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_int_equal(vmm->window.n_unmaps, 1);
}

/* Each pending map holds its own descriptor, in addition to those of the blobs. */
static void all_allowed_maps_can_be_pending_at_once(void **state)
{
	enum { MOST = 448 };
	const char *const args[] = { VMM_BLOB_ARGS, "--headless", NULL };
	struct vmm_options options = { .args = args,
				       .profile = &vmm_generic,
				       .control_size = 1024 };
	struct vmm *vmm = fixture_boot(state, &options);
	struct chain *chains[MOST];

	vmm->window.hides_regions = true;
	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	for (uint32_t i = 0; i < MOST; i++)
		assert_ok(gpu_create_host_blob(vmm, 1, i + 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED); /* the first map makes a timer */
	assert_ok(gpu_unmap_blob(vmm, 1));
	unsigned before = daemon_count_fds(&vmm->daemon);

	chains[0] = map_until(vmm, 1, 0, map_request);
	for (uint32_t i = 1; i < MOST; i++)
		chains[i] = gpu_submit_map(vmm, i + 1, i * PAGE);
	ring_kick(&vmm->rings[CONTROL]);
	assert_waits(vmm, chains[MOST - 1]); /* all before it were handled */
	assert_int_equal(daemon_count_fds(&vmm->daemon), before + MOST - 1);
	window_answer_held(vmm);
	for (uint32_t i = 0; i < MOST; i++)
		assert_answered(vmm, chains[i], MAPPED);
	assert_int_equal(vmm->window.count, MOST);
	assert_int_equal(daemon_count_fds(&vmm->daemon), before);
}

/* ---- mapped objects that are destroyed ---- */

static void an_unref_waits_for_the_map_and_then_unmaps(void **state)
{
	static const uint32_t until[] = { VHOST_USER_BACKEND_SHMEM_MAP,
					  VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP };
	struct vmm *vmm = boot(state);

	for (uint32_t i = 0; i < ARRAY_LENGTH(until); i++) {
		struct chain *map = map_until(vmm, 1 + i, 0, until[i]);
		struct chain *unmap = gpu_submit_unmap(vmm, 1 + i);
		struct chain *unref = submit_unref(vmm, 1 + i);

		ring_kick(&vmm->rings[CONTROL]);
		assert_waits(vmm, unref);
		assert_true(waits(unmap));
		window_answer_held(vmm);
		assert_answered(vmm, map, MAPPED);
		assert_answered(vmm, unmap, RESP_OK);
		assert_answered(vmm, unref, RESP_OK);
		assert_int_equal(vmm->window.count, 0);
		assert_response(gpu_unref(vmm, 1 + i), RESP_INVALID_RESOURCE_ID);
	}
	assert_int_equal(vmm->window.n_unmaps, 2);
}

static void an_unref_during_an_unmap_waits_for_it(void **state)
{
	struct vmm *vmm = boot(state);

	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	struct chain *unmap = gpu_submit_unmap(vmm, 1);

	unmap_until_held(vmm);
	struct chain *unref = submit_unref(vmm, 1), *again = submit_unref(vmm, 1);
	struct chain *map = gpu_submit_map(vmm, 1, 0);

	ring_kick(&vmm->rings[CONTROL]);
	assert_waits(vmm, unref);
	window_answer_held(vmm);
	assert_answered(vmm, unmap, RESP_OK);
	assert_answered(vmm, unref, RESP_OK);
	assert_answered(vmm, again, RESP_INVALID_RESOURCE_ID);
	assert_answered(vmm, map, RESP_INVALID_RESOURCE_ID);
	assert_int_equal(vmm->window.count, 0);
}

static void a_context_can_be_destroyed_while_its_blob_is_being_mapped(void **state)
{
	struct vmm *vmm = boot(state);
	struct chain *c = map_until(vmm, 1, 0, map_request);

	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_response(gpu_create_host_blob(vmm, 1, 9, PAGE),
			VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	window_answer_held(vmm);
	assert_answered(vmm, c, MAPPED);
	assert_ok(gpu_unref(vmm, 1));
	assert_int_equal(vmm->window.count, 0);
}

/* The fence of a map completes when it is mapped. */
static void fences_wait_for_the_map(void **state)
{
	struct vmm *vmm = boot(state);

	vmm->fences_all = true;
	struct chain *c = map_until(vmm, 1, 0, map_request);

	assert_waits(vmm, c);
	window_answer_held(vmm);
	assert_answered(vmm, c, MAPPED);
	assert_ok(gpu_unref(vmm, 1));
}

/* ---- front-ends that disconnect ---- */

static void a_front_end_that_disconnects_leaves_nothing(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned fds = 0;

	for (unsigned round = 0; round < 4; round++) {
		for (uint32_t id = 1; id <= 3; id++)
			assert_response(gpu_map_blob(vmm, id, id * PAGE), MAPPED);
		map_until(vmm, 4, 0, map_request);
		vmm->window.has_held = false;
		vmm_disconnect(vmm);
		vmm_connect(vmm);
		vmm_realize(vmm); /* answered when the session before has ended */
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
		vmm_start(vmm);
		assert_alive(vmm);
		assert_true(round == 0 || daemon_count_fds(&vmm->daemon) == fds);
		fds = daemon_count_fds(&vmm->daemon);
		assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
		for (uint32_t id = 1; id <= 4; id++)
			assert_ok(gpu_create_host_blob(vmm, 1, id, PAGE));
	}
	assert_int_equal(vmm->window.n_unmaps, 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_late_reply_delays_nothing),
		DEVICE_TEST(a_reply_may_come_in_pieces),
		DEVICE_TEST(a_refused_map_is_an_error_and_can_be_repeated),
		DEVICE_TEST(a_range_that_is_not_unmapped_is_not_used_again),
		DEVICE_TEST(a_map_without_a_reply_fails),
		DEVICE_TEST(a_barrier_without_a_reply_counts_as_passed),
		DEVICE_TEST(a_closed_channel_ends_pending_maps),
		DEVICE_TEST(replies_while_stopped_are_used_after_cont),
		DEVICE_TEST(replies_after_cont_answer_the_commands),
		DEVICE_TEST(maps_survive_many_stops),
		DEVICE_TEST(a_reset_drops_all_maps_without_a_message),
		DEVICE_TEST(a_map_in_flight_over_a_reset_is_unmapped_afterwards),
		DEVICE_TEST(a_map_that_succeeds_after_a_reset_is_unmapped),
		DEVICE_TEST(an_unmap_in_flight_over_a_reset_is_dropped),
		DEVICE_TEST(all_allowed_maps_can_be_pending_at_once),
		DEVICE_TEST(an_unref_waits_for_the_map_and_then_unmaps),
		DEVICE_TEST(an_unref_during_an_unmap_waits_for_it),
		DEVICE_TEST(a_context_can_be_destroyed_while_its_blob_is_being_mapped),
		DEVICE_TEST(fences_wait_for_the_map),
		DEVICE_TEST(a_front_end_that_disconnects_leaves_nothing),
	};

	return cmocka_run_group_tests_name("window states", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
