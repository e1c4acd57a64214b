// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A display shows the guest's scanouts. For each scanout it keeps the current content and the
 * damage that it has not sent yet. It has no queue: when its peer is slow, damage is merged. A new
 * peer is sent the whole content of every scanout.
 *
 * A display never blocks, and calls back only from the loop or from display_set_socket(),
 * display_reset() and display_free(), never from the call that made the request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/dmabuf.h"
#include "base/rect.h"

#define DISPLAY_MAX_SCANOUTS  16
#define DISPLAY_CURSOR_SIZE   64 /* pixels, width and height */
#define DISPLAY_EDID_MAX_SIZE 1024
#define DISPLAY_BAND_BYTES    (200 * 1024) /* prepared at once, if prepares_bands */

/* Bytes of the pixels that are prepared and sent at once at most: a screen of 5120x3200. */
#define DISPLAY_UPDATE_BYTES (64 * 1024 * 1024)

struct display;
struct display_request;

/* The answer to a request. @error: 0, -ENOTSUP (this peer does not know the request, or refuses it
 * for this scanout), -ETIMEDOUT, -ENOTCONN (the peer went away). @reply is borrowed and NULL on
 * error: a struct display_info, a struct display_edid, or NULL for a flush. */
typedef void (*display_reply_fn)(struct display_request *request, int error, const void *reply);

/* Embedded in a struct of the caller. It must stay valid until fn is called (exactly once) or the
 * request is cancelled. */
struct display_request {
	display_reply_fn fn;
	/* Used by the display while the request is pending. */
	struct display *display; /* NULL if it is not pending */
	unsigned kind, scanout;
	uint64_t deadline;
	struct display_request *next;
};

struct display_output {
	struct rect rect; /* position on the desktop; the size is the preferred mode */
	uint32_t enabled, flags;
};

struct display_info {
	struct display_output outputs[DISPLAY_MAX_SCANOUTS];
};

struct display_edid {
	uint32_t size; /* bytes, at most DISPLAY_EDID_MAX_SIZE */
	uint8_t data[DISPLAY_EDID_MAX_SIZE];
};

/*
 * The source of a scanout's pixels: 32 bits each, x8r8g8b8 in little-endian memory order. Embedded
 * in a struct of the caller; must stay readable until display_scanout_*() replaces it.
 */
struct display_pixels;

struct display_pixels_ops {
	/* Optional. @r (of the scanout) will be read next: bring it into readable memory. 0, or
	 * -errno: the damage is dropped. */
	int (*prepare)(struct display_pixels *pixels, const struct rect *r);
	/* Set if preparing many small rectangles costs no more than preparing a large one. The
	 * display then prepares at most DISPLAY_BAND_BYTES, or one row, at a time, so that no call
	 * takes long. */
	bool prepares_bands;
	/* @prepare releases the state lock for a while: only the main thread may call it. */
	bool releases_lock;
	/* Optional, for a source that prepares whole rectangles: what it prepares may be in another
	 * format than the display's. The display compares it in that format, and then has the rows
	 * that it sends, @r, converted in place, each once. */
	void (*convert)(struct display_pixels *pixels, const struct rect *r);
	/* Describes the rows of @r, in order, as at most @max pieces; rows that are contiguous in
	 * memory are joined. Returns the number of pieces, or -E2BIG if there are more than @max.
	 * The pieces stay valid until the pixels are replaced or prepared again, or until
	 * display_pixels_changed() is called. */
	int (*rows)(struct display_pixels *pixels, const struct rect *r, struct iovec *iov,
		    int max);
};

struct display_pixels {
	const struct display_pixels_ops *ops;
	/* Optional, for a source that prepares whole rectangles: a buffer for as many pixels as the
	 * scanout has, which no other scanout uses. There the display keeps the pixels that its
	 * peer has, to send only those that differ. If the device replaces the source or the
	 * buffer, it calls display_pixels_changed() first, or gives the new buffer the content of
	 * the old one. NULL may be replaced in prepare(). */
	uint32_t *sent;
	/* Optional: a number for the format of what was prepared last. Only pixels of one format
	 * are compared with each other. */
	uint32_t format;
	/* Set by the display for prepare(): what is prepared may be compared with sent, so only a
	 * part of it may be converted and sent. */
	bool is_compared;
};

struct display_cursor {
	uint32_t x, y, hot_x, hot_y;
	uint32_t pixels[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE]; /* a8r8g8b8 */
};

/* Hooks are required unless marked optional; @scanout < DISPLAY_MAX_SCANOUTS everywhere. */
struct display_ops {
	const char *name;
	void (*free)(struct display *display);
	int (*set_socket)(struct display *display, int fd); /* optional */
	void (*reset)(struct display *display);
	int (*request_info)(struct display *display,
			    struct display_request *request); /* optional */
	int (*request_edid)(struct display *display, struct display_request *request,
			    unsigned scanout);                                    /* optional */
	void (*cancel)(struct display *display, struct display_request *request); /* optional */
	void (*scanout_pixels)(struct display *display, unsigned scanout, uint32_t width,
			       uint32_t height, struct display_pixels *pixels);
	bool (*shows_dmabufs)(struct display *display); /* optional: without it, none are shown */
	int (*scanout_dmabuf)(struct display *display, unsigned scanout,
			      const struct dmabuf *dmabuf, const struct rect *r); /* optional */
	void (*damage)(struct display *display, unsigned scanout, const struct rect *r);
	int (*flush_dmabuf)(struct display *display, struct display_request *request,
			    unsigned scanout, const struct rect *r); /* optional */
	void (*pixels_changed)(struct display *display,
			       struct display_pixels *pixels); /* optional */
	bool (*is_awaited)(struct display *display);           /* optional: without it, never */
	void (*log_state)(struct display *display);            /* optional */
	void (*cursor_set)(struct display *display, unsigned scanout,
			   const struct display_cursor *cursor);
	void (*cursor_move)(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			    bool is_visible);
};

struct display {
	const struct display_ops *ops;
};

/* For implementations of a display. */
void display_init(struct display *display, const struct display_ops *ops);

/* NULL is fine. Pending requests end with -ENOTCONN. */
void display_free(struct display *display);

/* A new peer (GPU_SET_SOCKET); takes @fd, also on failure. The old peer's pending requests end with
 * -ENOTCONN; every scanout and cursor is sent again. Returns 0, or -ENOTSUP or -errno, after which
 * there is no peer. @fd -1: the front-end is gone, and everything that it was sent is forgotten. */
int display_set_socket(struct display *display, int fd);

/* The guest is gone or was reset: forgets every scanout and cursor, has the peer turn them off, and
 * ends pending requests with -ENOTCONN. */
void display_reset(struct display *display);

/* Asks for the size and place of every output. Returns 0 if the answer will come, or -ENOTSUP, also
 * if there is no peer. */
int display_request_info(struct display *display, struct display_request *request);
/* Asks for the EDID of one output. 0 or -ENOTSUP, as above. */
int display_request_edid(struct display *display, struct display_request *request,
			 unsigned scanout);
/* Cancels @request: its fn is not called. Does nothing if it is not pending. */
void display_cancel(struct display_request *request);

/* Shows @pixels (borrowed until replaced) and marks the whole scanout as damaged. @pixels NULL
 * turns the scanout off; otherwise @width and @height must be more than 0. The rest of a partly
 * sent message comes from the new pixels if the size is the same as before, and is 0 otherwise. If
 * @pixels is the same too, a rectangle that was already prepared stays valid, unless
 * display_pixels_changed() was called before. */
void display_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
			    uint32_t height, struct display_pixels *pixels);
/* Whether there is a peer that accepts dma-bufs. */
bool display_shows_dmabufs(struct display *display);
/* Shows the part @r of a dma-buf with one plane; its descriptor is borrowed and duplicated. It
 * becomes visible with the first display_flush_dmabuf(). Returns 0, -ENOTSUP if this peer cannot
 * show it (because of its modifier, for example), or -errno. On an error the scanout is off, and
 * the caller may show pixels instead. */
int display_scanout_dmabuf(struct display *display, unsigned scanout, const struct dmabuf *dmabuf,
			   const struct rect *r);
/* @r (of the scanout, clipped to it) has new pixels. Nothing happens if the scanout is off. */
void display_damage(struct display *display, unsigned scanout, const struct rect *r);
/* The same for a dma-buf; the request ends when the peer has shown it. Returns 0, or -ENOTSUP if
 * the scanout shows no dma-buf, @r is outside of it, or there is no peer. At most one flush per
 * scanout is in flight; later ones wait and are merged. */
int display_flush_dmabuf(struct display *display, struct display_request *request, unsigned scanout,
			 const struct rect *r);
/* The memory behind @pixels is about to be unmapped or moved: the display forgets its addresses,
 * and calls prepare() and rows() again before it reads the rest. */
void display_pixels_changed(struct display *display, struct display_pixels *pixels);

/* Whether the peer waits for the rest of a message that is partly sent: then the loop should turn
 * soon. To be called once a turn: if the peer does not read, the answer becomes false after some
 * calls. */
bool display_is_awaited(struct display *display);

/* Logs the state of the display at level info. */
void display_log_state(struct display *display);

/* Shows a cursor image at its position. */
void display_cursor_set(struct display *display, unsigned scanout,
			const struct display_cursor *cursor);
/* Moves the cursor, or hides it. */
void display_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			 bool is_visible);
