// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A fake front-end: guest memory, the driver's side of two virtqueues, a vhost-user front-end and
 * the far end of the display socket, in one process beside the real daemon binary. It behaves like
 * QEMU, also where that is hard for the daemon: while it waits for a reply on the vhost-user socket
 * it reads nothing else, because QEMU then holds its big lock. So a daemon that blocks on the
 * display socket hangs here as it would hang a virtual machine. Every wait uses poll() and ends
 * after vmm->timeout_ms. A failure is reported through vmm_on_failure, which tests connect to
 * cmocka; other programs print it and exit with status 1.
 */
#pragma once

#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vmm;

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- failure and time (vmm.c) ---- */

/* Called with the complete sentence; must not return. */
extern void (*vmm_on_failure)(const char *text);
_Noreturn void vmm_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t vmm_now_ms(void);
int vmm_default_timeout_ms(void); /* VMM_TIMEOUT_MS in the environment, else 60000: a test that
				     waits so long has found a hang */

/* $VMM_RENDERER=gfxstream runs a test program with gfxstream's renderer, on the library in
 * $VMM_GFXSTREAM_LIBRARY. */
bool vmm_is_gfxstream(void);
/* The value for --gpu-mode: "gfxstream" if vmm_is_gfxstream(), else @usual. */
const char *vmm_renderer(const char *usual);
/* The arguments for a renderer that makes host blobs without a GPU or a render server, and the
 * capset of a context that makes them. */
#define VMM_BLOB_ARGS                                                                              \
	"--gpu-mode", vmm_renderer("null"), "--capset",                                            \
		vmm_is_gfxstream() ? "gfxstream-vulkan" : "venus"
#define VMM_BLOB_CAPSET (vmm_is_gfxstream() ? 3u : 4u)

/* ---- the daemon's process (daemon.c) ---- */

struct daemon {
	pid_t pid;
	int pidfd;
	int out_fd, err_fd; /* memfds with its output; err_fd may be given, if > 0 */
	/* Called in the daemon's process just before the program is run; may be NULL. */
	void (*before_exec)(void);
	pid_t guardian; /* ends the daemon when this process has ended */
	int guard_fd;
	char script[128]; /* sh runs it, and it must exec the daemon; empty: no shell */
	char dir[64];     /* private, removed at the end */
	char socket_path[96];
};

/* Starts $VHOST_DEVICE_GPU with @args (NULL-ended, may be NULL). @keep_fd (or -1) stays open in it.
 */
void daemon_start(struct daemon *d, const char *const *args, int keep_fd);
void daemon_make_dir(struct daemon *d); /* fills dir and socket_path; daemon_finish removes them */
/* Skips info and warn lines, and returns the one line that tells a user about a failure. NULL if
 * @text has anything else. */
const char *daemon_sentence(const char *text);
/* Exit status, 128 + signal, or -1 if it still runs after @ms. */
int daemon_wait(struct daemon *d, int ms);
/* Sends @signal and waits; kills the daemon at the time-out and then returns -1. */
int daemon_stop(struct daemon *d, int signal);
void daemon_finish(struct daemon *d);
char *daemon_text(int fd); /* its output so far, heap */
unsigned daemon_count_fds(const struct daemon *d);
unsigned daemon_count_threads(const struct daemon *d); /* without those that are ending */
bool daemon_sleeps(const struct daemon *d);            /* its main thread waits for an event */
unsigned daemon_count_mappings(const struct daemon *d);
/* Whether the daemon maps the file that @fd is open on. */
bool daemon_maps_file(const struct daemon *d, int fd);
long daemon_rss_kib(const struct daemon *d);
long daemon_size_kib(const struct daemon *d);   /* size of its address space */
bool daemon_has_filter(const struct daemon *d); /* of system calls */
bool daemon_has_sanitizer(const struct daemon *d);
int daemon_connect(struct daemon *d); /* waits until it listens */

/* ---- guest memory (memory.c) ---- */

#define MEMORY_REGIONS 16
struct guest_region {
	struct vhost_user_memory_region wire;
	int fd;
	uint8_t *host;      /* the address of gpa in this process */
	uint64_t allocated; /* bytes allocated from the start of the region */
	bool is_known;      /* the daemon knows the region */
};

struct guest_memory {
	struct guest_region regions[MEMORY_REGIONS];
	unsigned count;
};

/* Below 1 MiB, the main one, above 4 GiB: two of them are in one file, and all except the first
 * have an mmap offset. */
enum { MEMORY_LOW, MEMORY_MAIN, MEMORY_HIGH };
void memory_init(struct guest_memory *m);
/* From now on the files of all regions keep their size, as those of QEMU's memfd back-end do. */
void memory_seal(struct guest_memory *m);
void memory_finish(struct guest_memory *m);
/* Creates a region in its own file, unknown to the daemon; returns its index. */
unsigned memory_add(struct guest_memory *m, uint64_t gpa, uint64_t size, uint64_t mmap_offset);
void memory_remove(struct guest_memory *m, unsigned index); /* later indices move down */
uint64_t memory_alloc(struct guest_memory *m, unsigned region, uint64_t size, uint64_t align);
void *memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t size);
uint64_t memory_user_addr(const struct guest_memory *m, uint64_t gpa);

/* ---- virtqueues, driver side (ring.c) ---- */

struct guest_buf {
	uint64_t gpa;
	uint32_t len;
	bool is_written; /* by the device */
};

#define RING_MAX      1024
#define SLOT_SIZE     4096u
#define SLOT_RESPONSE 1024u /* offset of the response in a chain's slot */
#define SLOT_TABLE    3840u /* offset of its indirect table, 16 entries */

struct chain {
	bool is_in_flight, is_done;
	uint16_t head, descriptors;
	uint32_t used_len;
	uint32_t response_size;
	bool is_fenced;
	uint64_t fence_id;
	uint32_t ctx_id;
	uint8_t *request, *response; /* in the chain's slot of guest memory */
};

struct ring {
	struct vmm *vmm;
	unsigned index, size;
	bool uses_event_idx, uses_indirect;
	bool is_running;
	struct vring vring; /* in guest memory: tests may write invalid values into it */
	uint64_t desc_gpa, avail_gpa, used_gpa, slots_gpa;
	int kick_fd, call_fd, error_fd;
	uint16_t avail_idx, kicked_idx, used_idx, base;
	uint16_t free_head, free_count;
	uint16_t next[RING_MAX]; /* our own links, because the guest can change the table */
	struct chain chains[RING_MAX];
	uint64_t interrupts; /* sum of what call_fd counted */
	uint64_t kicks;
	bool exposes_on_kick; /* new chains become visible at the next kick, all at once */
	bool takes_any_head;  /* the ring has invalid values: used entries without a chain are
				 ignored */
};

void ring_init(struct ring *r, struct vmm *vmm, unsigned index, unsigned size);
void ring_finish(struct ring *r);
void ring_clear(struct ring *r);                             /* what a driver does after a reset */
uint16_t ring_reserve(struct ring *r, unsigned descriptors); /* linked in r->next, not filled */
void ring_expose(struct ring *r, uint16_t head); /* puts it into the avail ring, as in flight */
void ring_expose_raw(struct ring *r, uint16_t value); /* any head, without bookkeeping */
struct chain *ring_add(struct ring *r, const struct guest_buf *bufs, unsigned count);
void ring_kick(struct ring *r); /* kicks if the device wants it */
void ring_kick_always(struct ring *r);
void ring_release(struct ring *r, struct chain *c); /* frees its slot and descriptors */
void ring_collect(struct ring *r); /* takes and checks the entries of the used ring */
void ring_read_interrupt(struct ring *r);
struct guest_buf ring_slot(struct ring *r, uint16_t head, uint32_t offset, uint32_t len,
			   bool is_written);

/* ---- the display socket, QEMU's side (display.c) ---- */

enum display_answer { ANSWER, HOLD, NEVER };

struct display_message {
	uint32_t request, flags, size;
	uint32_t words[12]; /* of the payload */
	bool has_fd;
};

struct display_surface {
	uint32_t width, height; /* 0: no surface */
	uint32_t *pixels;
	uint64_t updates;
	bool has_dmabuf;
	int dmabuf_fd;
	struct display_dmabuf_scanout2 dmabuf;
	unsigned dmabuf_pending; /* DMABUF_UPDATEs without a reply */
};

struct display_cursor {
	bool is_visible;
	uint32_t x, y, hot_x, hot_y;
	uint32_t pixels[CURSOR_SIDE * CURSOR_SIDE];
};

struct display {
	int fd;
	bool is_paused;             /* the display does not read */
	bool is_silent_on_features; /* not even GET_PROTOCOL_FEATURES is answered */
	enum display_answer on_info, on_edid, on_dmabuf;
	uint64_t features, acked;
	bool has_acked;
	uint32_t max_outputs;
	struct virtio_gpu_display_one outputs[VIRTIO_GPU_MAX_SCANOUTS];
	uint8_t edid[1024];
	uint32_t edid_size;

	struct display_surface surfaces[VIRTIO_GPU_MAX_SCANOUTS];
	struct display_cursor cursors[VIRTIO_GPU_MAX_SCANOUTS];
	struct display_message *log;
	size_t log_count, log_room;
	uint64_t counts[DISPLAY_REQUESTS];
	uint64_t bytes; /* that were read, also of a message that is not complete yet */

	struct vhost_user_header header; /* being read */
	size_t have;                     /* bytes of header and payload */
	uint8_t *payload;
	size_t payload_room;
	int message_fd;
	struct display_message held[16];
	unsigned held_count;
};

void display_init(struct display *d);
void display_open(struct display *d, int fd); /* takes @fd; a new socket has no scanout */
void display_close(struct display *d);
void display_finish(struct display *d);
/* Reads what is there; a message that would crash or confuse QEMU is a failure. False at EOF. */
bool display_serve(struct display *d);
void display_answer_held(struct display *d); /* all, in order */
void display_reply(struct display *d, uint32_t request, const void *payload, uint32_t size);
const struct display_message *display_last(const struct display *d, uint32_t request);
void display_forget(struct display *d); /* clears the log and the counts, not the surfaces */
const char *display_name(uint32_t request);

/* ---- the vhost-user socket (vhost.c) ---- */

/* False when the daemon has closed the session. The caller keeps the descriptors. */
bool vhost_send(struct vmm *vmm, uint32_t request, uint32_t flags, const void *payload, size_t size,
		const int *fds, unsigned count);
/* Reads one reply and checks its header. False at EOF. @ret_size may be NULL: then exactly @size.
 */
bool vhost_recv(struct vmm *vmm, uint32_t request, void *payload, size_t size, size_t *ret_size);
uint64_t vhost_get_u64(struct vmm *vmm, uint32_t request);
/* Sends, with NEED_REPLY if @acked and REPLY_ACK was negotiated, and fails unless the reply is 0.
 */
void vhost_set(struct vmm *vmm, uint32_t request, const void *payload, size_t size, int fd,
	       bool acked);
/* True if a request with NEED_REPLY gets a non-zero reply or ends the session. */
bool vhost_is_refused(struct vmm *vmm, uint32_t request, const void *payload, size_t size,
		      const int *fds, unsigned count);
bool vhost_is_closed(struct vmm *vmm, int ms); /* waits for EOF */
/* False: refused (an empty reply) or session closed. */
bool vhost_get_config(struct vmm *vmm, uint32_t offset, uint32_t size, void *data);
void vhost_add_region(struct vmm *vmm, unsigned index);
void vhost_remove_region(struct vmm *vmm, unsigned index);
void vhost_send_memory(struct vmm *vmm);
void vhost_set_ring_fd(struct vmm *vmm, uint32_t request, unsigned ring, int fd);
void vhost_start_ring(struct vmm *vmm, unsigned ring);
void vhost_enable_ring(struct vmm *vmm, unsigned ring, bool enable);
uint16_t vhost_stop_ring(struct vmm *vmm, unsigned ring); /* GET_VRING_BASE */

/* ---- the window of host memory, QEMU's side (window.c) ---- */

#define WINDOW_GPA      UINT64_C(0x4000000000) /* where its BAR is */
#define WINDOW_MAX_MAPS 512

enum window_answer {
	WINDOW_ANSWER,
	WINDOW_REFUSE,
	WINDOW_HOLD, /* until window_answer_held() */
	WINDOW_IN_PIECES,
};

struct window_map {
	uint64_t offset, size;
	int fd;
	bool is_known; /* the daemon got it as a memory region, and accepted it */
};

struct window {
	uint64_t size; /* 0: not asked for, or the back-end channel has ended */
	struct window_map maps[WINDOW_MAX_MAPS];
	unsigned count;
	enum window_answer on_map, on_unmap, on_barrier;
	uint64_t n_maps, n_unmaps, n_barriers; /* that came */
	unsigned n_refused_regions;            /* of the regions that were sent while rings run */
	bool hides_regions;                    /* no regions are sent */
	struct vhost_user_header held;
	uint64_t held_value;
	bool has_held;
};

/* Sends GET_SHMEM_CONFIG; from then on requests on the back-end channel are answered. */
void window_ask(struct vmm *vmm);
/* Handles one available request. False at EOF. */
bool window_serve(struct vmm *vmm);
void window_answer_held(struct vmm *vmm);                 /* fails if no request is held */
void window_wait_held(struct vmm *vmm, uint32_t request); /* waits until it is held */
/* The map that contains the byte at @offset; NULL if there is none. */
struct window_map *window_find(struct vmm *vmm, uint64_t offset);
/* A byte as the guest sees it. */
uint8_t window_peek(struct vmm *vmm, uint64_t offset);
void window_poke(struct vmm *vmm, uint64_t offset, uint8_t value);
/* Sends @request, ADD_MEM_REG or REM_MEM_REG, for the region of @map. False: refused. */
bool window_tell_region(struct vmm *vmm, const struct window_map *map, uint32_t request);
void window_tell_all(struct vmm *vmm); /* at a start: every region must be accepted */
void window_forget(struct vmm *vmm);   /* at a reset: without a message */

/* ---- the whole machine (vmm.c) ---- */

/* The differences between front-ends on the wire. */
struct vmm_profile {
	const char *name;
	uint64_t protocol_features; /* that it knows */
	uint32_t config_size;
	uint64_t display_features;
	bool acks_ring_fds, acks_enable, acks_everything;
	bool sends_reset_device;
	bool closes_display_first; /* before the rings are stopped */
	bool has_display;
	bool has_window;
};

extern const struct vmm_profile vmm_qemu_7_2, vmm_qemu_10_0, vmm_qemu_11_1;
extern const struct vmm_profile vmm_strict;  /* NEED_REPLY on every message */
extern const struct vmm_profile vmm_minimal; /* CONFIG and MQ: no REPLY_ACK, one memory table */
extern const struct vmm_profile vmm_generic; /* 11.1's generic device: no display socket */
extern const struct vmm_profile
	vmm_later_qemu; /* a display and a window: no released front-end has both */
/* Made from the protocol features of these front-ends, which were never run themselves. */
extern const struct vmm_profile vmm_cloud_hypervisor, vmm_libkrun;

struct vmm_options {
	const struct vmm_profile *profile; /* NULL: 11.1, or $VMM_PROFILE */
	const char *const *args;           /* more options for the daemon, NULL-ended */
	bool hands_over_fd;                /* --fd instead of --socket-path */
	bool hands_over_listening_fd;      /* LISTEN_FDS, as systemd passes it */
	uint64_t features_off, features_on;
	unsigned control_size, cursor_size; /* 0: 64 and 16 */
	void (*adjust)(struct vmm *vmm);    /* called before the daemon is started, may be NULL */
};

enum { CONTROL, CURSOR };

struct vmm {
	struct vmm_options options;
	const struct vmm_profile *profile;
	struct daemon daemon;
	int timeout_ms;

	int socket, backend_fd;
	uint64_t offered, features;
	uint64_t offered_protocol, protocol;

	struct guest_memory memory;
	struct ring rings[2];
	struct display display;
	struct window window;

	bool fences_all; /* every command gets a fence, and its echo is checked */
	uint64_t next_fence;
};

struct vmm *vmm_new(const struct vmm_options *options); /* memory, rings, daemon; not connected */
void vmm_free(struct vmm *vmm); /* ends the daemon, by force if necessary; NULL is fine */
/* Disconnects, sends SIGTERM unless the daemon runs with --fd, returns the daemon's exit status. */
int vmm_end(struct vmm *vmm);

void vmm_connect(struct vmm *vmm);
void vmm_disconnect(struct vmm *vmm);
void vmm_realize(struct vmm *vmm);      /* QEMU's messages when the device is created */
void vmm_open_display(struct vmm *vmm); /* GPU_SET_SOCKET with a new socket */
void vmm_start(struct vmm *vmm);        /* QEMU's messages at DRIVER_OK, and at `cont` */
void vmm_stop(struct vmm *vmm);         /* at `stop`, and at the beginning of a reset */
void vmm_reset(struct vmm *vmm); /* stop, RESET_DEVICE if the front-end has it, empty rings */
struct vmm *vmm_boot(const struct vmm_options *options); /* new, connect, realize, start */

/* Serves all sockets and rings until @done; fails with @what at the time-out. */
void vmm_wait(struct vmm *vmm, bool (*done)(struct vmm *, const void *), const void *arg,
	      const char *what);
bool vmm_wait_ms(struct vmm *vmm, bool (*done)(struct vmm *, const void *), const void *arg,
		 int ms);
_Noreturn void vmm_fail_waiting(struct vmm *vmm, const char *what);
void vmm_serve(struct vmm *vmm, int ms); /* one round of poll() */
void vmm_drain_display(struct vmm *vmm); /* until the daemon closes it; then closes our end */
void vmm_wait_messages(struct vmm *vmm, uint32_t request, uint64_t count);
