// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Valid and invalid vhost-user messages. A front-end that breaks the protocol loses its session, or
 * gets a non-zero reply if it asked for one. The daemon serves the next connection, with as many
 * open descriptors as before.
 */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A session that has negotiated protocol features, and nothing more. */
static struct vmm *realized(void **state)
{
	struct vmm *vmm = *state;

	if (vmm)
		vmm_disconnect(vmm);
	else
		vmm = fixture_new(state, NULL);
	vmm_connect(vmm);
	vmm_realize(vmm);
	return vmm;
}

static void assert_serves_the_next_session(struct vmm *vmm)
{
	vmm_disconnect(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
}

/* ---- malformed messages ---- */

static void bad_version_flags_end_the_session(void **state)
{
	static const uint32_t flags[] = { 0, 2, 3, 0xfffffffc };
	struct vmm *vmm;

	for (unsigned i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct vhost_user_header h = { VHOST_USER_GET_FEATURES, flags[i], 0 };

		vmm = realized(state);
		assert_int_equal(send(vmm->socket, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
		assert_true(vhost_is_closed(vmm, vmm->timeout_ms));
	}
	assert_serves_the_next_session(vmm);
}

static void wrong_payload_sizes_end_the_session(void **state)
{
	static const struct {
		uint32_t request, size;
	} bad[] = {
		{ VHOST_USER_GET_FEATURES, 8 },
		{ VHOST_USER_SET_FEATURES, 0 },
		{ VHOST_USER_SET_FEATURES, 4 },
		{ VHOST_USER_SET_FEATURES, 16 },
		{ VHOST_USER_SET_VRING_NUM, 4 },
		{ VHOST_USER_SET_VRING_ADDR, 8 },
		{ VHOST_USER_SET_VRING_BASE, 9 },
		{ VHOST_USER_GET_VRING_BASE, 0 },
		{ VHOST_USER_SET_VRING_ENABLE, 4 },
		{ VHOST_USER_SET_MEM_TABLE, 4 },
		{ VHOST_USER_SET_MEM_TABLE, 39 },
		{ VHOST_USER_ADD_MEM_REG, 32 },
		{ VHOST_USER_REM_MEM_REG, 8 },
		{ VHOST_USER_GET_CONFIG, 4 },
		{ VHOST_USER_SET_CONFIG, 11 },
		{ VHOST_USER_SET_VRING_KICK, 4 },
		{ VHOST_USER_SET_OWNER, 4 },
		{ VHOST_USER_GPU_SET_SOCKET, 4 },
		{ VHOST_USER_RESET_DEVICE, 1 },
		{ VHOST_USER_SET_PROTOCOL_FEATURES, 0 },
		{ VHOST_USER_GET_FEATURES, 0x10000 },
		{ VHOST_USER_GET_FEATURES, 0x7fffffff },
		{ VHOST_USER_SET_FEATURES, 0xffffffff },
	};
	static const uint8_t zeros[256];
	struct vmm *vmm;

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct vhost_user_header h = { bad[i].request,
					       VHOST_USER_VERSION | VHOST_USER_NEED_REPLY,
					       bad[i].size };
		uint64_t value = 0;

		vmm = realized(state);
		send(vmm->socket, &h, sizeof(h), MSG_NOSIGNAL);
		send(vmm->socket, zeros, h.size < sizeof(zeros) ? h.size : sizeof(zeros),
		     MSG_NOSIGNAL);
		/* A refusal is accepted too, for a size that could be read. */
		if (h.size <= sizeof(zeros) &&
		    vhost_recv(vmm, bad[i].request, &value, sizeof(value), NULL)) {
			if (value == 0)
				vmm_fail("request %u of %u bytes was taken", bad[i].request,
					 bad[i].size);
		} else if (h.size > sizeof(zeros) && !vhost_is_closed(vmm, vmm->timeout_ms)) {
			vmm_fail("request %u of %u bytes is waited for", bad[i].request,
				 bad[i].size);
		}
	}
	assert_serves_the_next_session(vmm);
}

static void unknown_requests_are_refused(void **state)
{
	static const uint32_t requests[] = { 0,  6,  7,  19, 20,  22,     26,
					     28, 31, 41, 45, 100, 0x8000, 0xffffffff };
	uint64_t value = 0;
	struct vmm *vmm;

	for (unsigned i = 0; i < ARRAY_LENGTH(requests); i++) {
		vmm = realized(state);
		if (!vhost_is_refused(vmm, requests[i], &value, sizeof(value), NULL, 0))
			vmm_fail("request %u was answered with 0", requests[i]);
	}
	assert_serves_the_next_session(vmm);
}

static void a_queue_beyond_the_second_is_refused(void **state)
{
	static const uint32_t requests[] = { VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE,
					     VHOST_USER_SET_VRING_ENABLE };
	static const uint32_t indices[] = { 2, 255, 256, 0x80000000, 0xffffffff };
	struct vmm *vmm;

	for (unsigned i = 0; i < ARRAY_LENGTH(requests) * ARRAY_LENGTH(indices); i++) {
		struct vhost_user_vring_state s = { indices[i / ARRAY_LENGTH(requests)], 1 };

		vmm = realized(state);
		assert_true(vhost_is_refused(vmm, requests[i % ARRAY_LENGTH(requests)], &s,
					     sizeof(s), NULL, 0));
	}
	for (uint64_t index = 2; index < 256; index += 127) {
		vmm = realized(state);
		assert_true(vhost_is_refused(vmm, VHOST_USER_SET_VRING_KICK, &index, sizeof(index),
					     &vmm->rings[0].kick_fd, 1));
	}
	assert_serves_the_next_session(vmm);
}

/*
 * The front-end passes on the guest's sizes and addresses of rings, so it is not at fault if they
 * are invalid. They may be refused, or the ring may be stopped; it must not run.
 */
static void enable(struct vmm *vmm, uint32_t index)
{
	struct vhost_user_vring_state s = { index, 1 };

	vhost_is_refused(vmm, VHOST_USER_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
}

static void impossible_queue_sizes_do_no_harm(void **state)
{
	static const uint32_t sizes[] = { 0, 3, 1000, 2048, 32768, 65536, 0xffffffff };
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct vhost_user_vring_state s = { CONTROL, sizes[i] };
		struct ring *r = &vmm->rings[CONTROL];

		vmm_stop(vmm);
		if (!vhost_is_refused(vmm, VHOST_USER_SET_VRING_NUM, &s, sizeof(s), NULL, 0)) {
			vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_KICK, CONTROL, r->kick_fd);
			enable(vmm, CONTROL);
			ring_expose_raw(r, 63);
			ring_kick_always(r);
			assert_session_alive(vmm);
			assert_int_equal(r->vring.used->idx, r->used_idx);
		}
		assert_serves_the_next_session(vmm);
	}
}

static void ring_addresses_outside_memory_do_no_harm(void **state)
{
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	uint64_t user = memory_user_addr(&vmm->memory, r->desc_gpa);
	uint64_t end = memory_user_addr(&vmm->memory, 0x9f000) + 0x1000;
	const struct vhost_user_vring_addr bad[] = {
		{ 0, 0, 0, 0, 0, 0 },
		{ 0, 0, user, user, 0xffffffffffffff00, 0 },
		{ 0, 0, user, 0xffffffffffffff00, user, 0 },
		{ 0, 0, end - 512, user, user, 0 }, /* 64 descriptors are 1024 bytes */
		{ 0, 0, user, end - 256, user, 0 },
		{ 0, 0, user, user, end - 64, 0 },
		{ 0, 0, user + 1, user, user, 0 },
		{ 0, 0, r->desc_gpa, r->used_gpa, r->avail_gpa, 0 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		vmm_stop(vmm);
		if (!vhost_is_refused(vmm, VHOST_USER_SET_VRING_ADDR, &bad[i], sizeof(bad[i]), NULL,
				      0)) {
			vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_KICK, CONTROL, r->kick_fd);
			enable(vmm, CONTROL);
			ring_kick_always(r);
		}
		assert_serves_the_next_session(vmm);
	}
}

/* ---- descriptors ---- */

static void descriptors_beyond_the_expected_are_closed(void **state)
{
	struct vmm *vmm = realized(state);
	uint64_t features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES);
	unsigned before;
	int fds[32];

	assert_session_alive(vmm); /* all messages so far were handled */
	before = daemon_count_fds(&vmm->daemon);
	for (unsigned i = 0; i < ARRAY_LENGTH(fds); i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned count = 1; count <= ARRAY_LENGTH(fds); count *= 2) {
		vhost_send(vmm, VHOST_USER_SET_FEATURES, 0, &features, sizeof(features), fds,
			   count);
		if (!vhost_is_closed(vmm, 0))
			vhost_is_refused(vmm, VHOST_USER_SET_OWNER, NULL, 0, fds, count);
		vmm = realized(state);
	}
	assert_session_alive(vmm);
	assert_int_equal(daemon_count_fds(&vmm->daemon), before);
	for (unsigned i = 0; i < ARRAY_LENGTH(fds); i++)
		close(fds[i]);
	assert_serves_the_next_session(vmm);
}

static void missing_descriptors_are_refused(void **state)
{
	struct vmm *vmm = realized(state);
	struct vhost_user_mem_reg reg = { .region = vmm->memory.regions[0].wire };
	struct vhost_user_mem_table table = { .n_regions = 2 };
	uint64_t index = CONTROL;

	table.regions[0] = vmm->memory.regions[0].wire;
	table.regions[1] = vmm->memory.regions[1].wire;
	assert_true(vhost_is_refused(vmm, VHOST_USER_ADD_MEM_REG, &reg, sizeof(reg), NULL, 0));
	vmm = realized(state);
	assert_true(vhost_is_refused(vmm, VHOST_USER_SET_MEM_TABLE, &table, 8 + 2 * 32,
				     &vmm->memory.regions[0].fd, 1));
	vmm = realized(state);
	assert_true(vhost_is_refused(vmm, VHOST_USER_GPU_SET_SOCKET, NULL, 0, NULL, 0));
	vmm = realized(state);
	assert_true(
		vhost_is_refused(vmm, VHOST_USER_SET_VRING_KICK, &index, sizeof(index), NULL, 0));
	assert_serves_the_next_session(vmm);
}

static void descriptors_of_the_wrong_kind_do_no_harm(void **state)
{
	struct vmm *vmm = *state;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), sealed = memfd_create("x", MFD_CLOEXEC);
	uint64_t index = CONTROL;

	vhost_is_refused(vmm, VHOST_USER_GPU_SET_SOCKET, NULL, 0, &null, 1);
	assert_serves_the_next_session(vmm);
	vhost_is_refused(vmm, VHOST_USER_SET_VRING_KICK, &index, sizeof(index), &null, 1);
	assert_serves_the_next_session(vmm);
	vhost_is_refused(vmm, VHOST_USER_SET_VRING_CALL, &index, sizeof(index), &sealed, 1);
	assert_serves_the_next_session(vmm);
	vhost_is_refused(vmm, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &sealed, 1);
	assert_serves_the_next_session(vmm);
	close(null);
	close(sealed);
}

/* ---- configuration space, features ---- */

static void config_reads_of_every_size_are_answered(void **state)
{
	uint8_t whole[VHOST_USER_MAX_CONFIG], part[VHOST_USER_MAX_CONFIG],
		zeros[VHOST_USER_MAX_CONFIG] = { 0 };
	struct vmm *vmm = *state;

	assert_true(vhost_get_config(vmm, 0, sizeof(whole), whole));
	for (uint32_t size = 1; size <= sizeof(part); size++) {
		assert_true(vhost_get_config(vmm, 0, size, part));
		assert_memory_equal(part, whole, size);
	}
	assert_memory_equal(whole + 20, zeros, sizeof(zeros) - 20);
	for (uint32_t offset = 0; offset < 64; offset += 3) {
		assert_true(vhost_get_config(vmm, offset, 4, part));
		assert_memory_equal(part, whole + offset, 4);
	}
	assert_true(whole[8] >= 1 && whole[8] <= VIRTIO_GPU_MAX_SCANOUTS);
}

static void config_reads_of_zero_and_too_many_bytes_are_errors(void **state)
{
	static const struct {
		uint32_t offset, size;
	} bad[] = { { 0, 0 },   { 0, 257 },        { 0, 300 },       { 255, 2 },
		    { 256, 1 }, { 0xffffffff, 4 }, { 0xfffffffc, 8 } };
	uint8_t data[320];
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		if (vhost_get_config(vmm, bad[i].offset, bad[i].size, data))
			vmm_fail("GET_CONFIG of %u at %u was answered", bad[i].size, bad[i].offset);
		assert_serves_the_next_session(vmm);
	}
}

static void config_size_that_disagrees_with_the_message_does_no_harm(void **state)
{
	struct vhost_user_config c = { .offset = 0, .size = 200 };
	size_t got = 0;
	struct vmm *vmm = *state;

	vhost_send(vmm, VHOST_USER_GET_CONFIG, 0, &c, 12 + 16, NULL, 0);
	if (vhost_recv(vmm, VHOST_USER_GET_CONFIG, &c, sizeof(c), &got))
		assert_true(got == 0 || got == 12 + 200);
	assert_serves_the_next_session(vmm);
}

static void config_writes_are_accepted(void **state)
{
	struct vhost_user_config c = { .size = 20 };
	struct vmm *vmm = *state;

	c.data[4] = VIRTIO_GPU_EVENT_DISPLAY; /* events_clear */
	for (unsigned i = 0; i < 10; i++)
		vhost_set(vmm, VHOST_USER_SET_CONFIG, &c, 12 + c.size, -1, i % 2);
	assert_alive(vmm);
}

static void features_that_were_not_offered_can_be_accepted(void **state)
{
	struct vmm *vmm = realized(state);
	uint64_t features = vmm->offered | BIT64(24) | BIT64(27) | BIT64(33) | BIT64(35) |
			    BIT64(VIRTIO_F_RING_RESET);

	vhost_set(vmm, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1, true);
	vmm->options.features_on = features;
	vmm_start(vmm);
	assert_alive(vmm);
}

static void the_documented_features_are_offered(void **state)
{
	static const unsigned due[] = { VHOST_USER_PROTOCOL_F_MQ,
					VHOST_USER_PROTOCOL_F_REPLY_ACK,
					VHOST_USER_PROTOCOL_F_BACKEND_REQ,
					VHOST_USER_PROTOCOL_F_CONFIG,
					VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD,
					VHOST_USER_PROTOCOL_F_RESET_DEVICE,
					VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS };
	/* LOG_SHMFD, PAGEFAULT, HOST_NOTIFIER, INFLIGHT, INBAND, STATUS, DEVICE_STATE, 20,
	 * GPA_ADDRESSES */
	static const unsigned undue[] = { 1, 8, 11, 12, 14, 16, 19, 20, 21 };
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(due); i++) {
		if (!(vmm->offered_protocol & BIT64(due[i])))
			vmm_fail("protocol feature %u is not offered", due[i]);
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(undue); i++) {
		if (vmm->offered_protocol & BIT64(undue[i]))
			vmm_fail("protocol feature %u is offered", undue[i]);
	}
	/* Where there are host blobs. */
	assert_int_equal(!!(vmm->offered_protocol & BIT64(VHOST_USER_PROTOCOL_F_SHMEM)),
			 vmm_is_gfxstream());
	assert_true(vmm->offered & BIT64(VIRTIO_F_VERSION_1));
	assert_true(vmm->offered & BIT64(VIRTIO_GPU_F_EDID));
	assert_false(vmm->offered & BIT64(VIRTIO_F_RING_PACKED));
	assert_int_equal(vhost_get_u64(vmm, VHOST_USER_GET_QUEUE_NUM), 2);
	assert_int_equal(vhost_get_u64(vmm, VHOST_USER_GET_MAX_MEM_SLOTS), 509);
}

/* ---- pieces ---- */

static void a_message_may_come_byte_by_byte(void **state)
{
	struct {
		struct vhost_user_header h;
		uint64_t value;
	} __attribute__((packed))
	m = { { VHOST_USER_SET_FEATURES, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, 8 }, 0 };
	struct vmm *vmm = *state;
	uint64_t value = 1;

	vmm_stop(vmm);
	m.value = vmm->features;
	for (size_t i = 0; i < sizeof(m); i++) {
		assert_int_equal(send(vmm->socket, (uint8_t *)&m + i, 1, MSG_NOSIGNAL), 1);
		usleep(200); /* so that they really arrive one by one */
	}
	assert_true(vhost_recv(vmm, VHOST_USER_SET_FEATURES, &value, sizeof(value), NULL));
	assert_int_equal(value, 0);
	vmm_start(vmm);
	assert_alive(vmm);
}

static void several_messages_may_come_at_once(void **state)
{
	struct vhost_user_header h[8];
	struct vmm *vmm = *state;
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_LENGTH(h); i++)
		h[i] = (struct vhost_user_header){ VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0 };
	assert_int_equal(send(vmm->socket, h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	for (unsigned i = 0; i < ARRAY_LENGTH(h); i++)
		assert_true(vhost_recv(vmm, VHOST_USER_GET_FEATURES, &value, sizeof(value), NULL));
	assert_alive(vmm);
}

static void a_disconnect_within_a_message_does_no_harm(void **state)
{
	struct vhost_user_header h = { VHOST_USER_SET_MEM_TABLE, VHOST_USER_VERSION, 104 };
	struct vmm *vmm = *state;

	for (size_t size = 1; size <= sizeof(h); size += 3) {
		assert_int_equal(send(vmm->socket, &h, size, MSG_NOSIGNAL), size);
		assert_serves_the_next_session(vmm);
	}
	send(vmm->socket, &h, sizeof(h), MSG_NOSIGNAL);
	send(vmm->socket, &h, 8, MSG_NOSIGNAL);
	assert_serves_the_next_session(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(bad_version_flags_end_the_session),
		DEVICE_TEST(wrong_payload_sizes_end_the_session),
		DEVICE_TEST(unknown_requests_are_refused),
		DEVICE_TEST(a_queue_beyond_the_second_is_refused),
		BOOTED_TEST(impossible_queue_sizes_do_no_harm),
		BOOTED_TEST(ring_addresses_outside_memory_do_no_harm),
		DEVICE_TEST(descriptors_beyond_the_expected_are_closed),
		DEVICE_TEST(missing_descriptors_are_refused),
		BOOTED_TEST(descriptors_of_the_wrong_kind_do_no_harm),
		BOOTED_TEST(config_reads_of_every_size_are_answered),
		BOOTED_TEST(config_reads_of_zero_and_too_many_bytes_are_errors),
		BOOTED_TEST(config_size_that_disagrees_with_the_message_does_no_harm),
		BOOTED_TEST(config_writes_are_accepted),
		DEVICE_TEST(features_that_were_not_offered_can_be_accepted),
		BOOTED_TEST(the_documented_features_are_offered),
		BOOTED_TEST(a_message_may_come_byte_by_byte),
		BOOTED_TEST(several_messages_may_come_at_once),
		BOOTED_TEST(a_disconnect_within_a_message_does_no_harm),
	};

	return cmocka_run_group_tests_name("vhost-messages", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
