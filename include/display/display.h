// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Where the guest's screens are shown. A display keeps what each scanout shows and what of it is
 * not shown yet, and nothing else: when its peer is slow, damage is merged, never queued. When a
 * new peer comes it is sent all again.
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
#define DISPLAY_BAND_BYTES    (200 * 1024) /* of pixels that are prepared at once, in bands */

struct display;
struct display_request;

/* The answer to a request. @error: 0, -ENOTSUP (this peer does not know it, or refuses it for this
 * scanout), -ETIMEDOUT, -ENOTCONN (the peer went away). @reply is borrowed and NULL on error: a
 * struct display_info, a struct display_edid, or NULL for a flush. */
typedef void (*display_reply_fn)(struct display_request *request, int error, const void *reply);

/* Lives in its owner, from the request until fn is called (exactly once) or it is cancelled. */
struct display_request {
	display_reply_fn fn;
	/* The display's own, while the request is pending. */
	struct display *display; /* NULL if it is not pending */
	unsigned kind, scanout;
	uint64_t deadline;
	struct display_request *next;
};

struct display_output {
	struct rect rect; /* its place in the whole picture; the size is the preferred mode */
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
 * Where the pixels of a scanout come from, 32 bits each, x8r8g8b8 in little-endian memory order.
 * Lives in its owner; stays readable until display_scanout_*() replaces it.
 */
struct display_pixels;

struct display_pixels_ops {
	/* Optional. @r (of the scanout) will be read next: bring it into readable memory.
	 * 0, or -errno: the damage is dropped. */
	int (*prepare)(struct display_pixels *pixels, const struct rect *r);
	/* Many small rectangles cost no more than a large one: none that is prepared has more than
	 * DISPLAY_BAND_BYTES, or one row, so that no call takes long. */
	bool prepares_bands;
	/* The rows of @r one after the other, as at most @max pieces; rows that lie one behind the
	 * other are joined. Returns how many, or -E2BIG past @max. The pieces stay good until the
	 * pixels are replaced, prepared again, or told of as changed by display_pixels_changed().
	 */
	int (*rows)(struct display_pixels *pixels, const struct rect *r, struct iovec *iov,
		    int max);
};

struct display_pixels {
	const struct display_pixels_ops *ops;
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
	bool (*shows_dmabufs)(struct display *display); /* optional: none are shown */
	int (*scanout_dmabuf)(struct display *display, unsigned scanout,
			      const struct dmabuf *dmabuf, const struct rect *r); /* optional */
	void (*damage)(struct display *display, unsigned scanout, const struct rect *r);
	int (*flush_dmabuf)(struct display *display, struct display_request *request,
			    unsigned scanout, const struct rect *r); /* optional */
	void (*pixels_changed)(struct display *display,
			       struct display_pixels *pixels); /* optional */
	void (*log_state)(struct display *display);            /* optional */
	void (*cursor_set)(struct display *display, unsigned scanout,
			   const struct display_cursor *cursor);
	void (*cursor_move)(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			    bool is_visible);
};

struct display {
	const struct display_ops *ops;
};

/* For those that implement one. */
void display_init(struct display *display, const struct display_ops *ops);

/* NULL is fine. Pending requests end with -ENOTCONN. */
void display_free(struct display *display);

/* A new peer (GPU_SET_SOCKET); takes @fd, also on failure; -1: no peer any more. The old peer's
 * pending requests end with -ENOTCONN; every scanout and cursor is sent again. 0, or on failure,
 * when there is no peer any more, -ENOTSUP or -errno. @fd -1: the VMM is gone, with all that was
 * shown to it. */
int display_set_socket(struct display *display, int fd);

/* The guest is gone or was reset: forgets every scanout and cursor, tells the peer so, and ends
 * pending requests with -ENOTCONN. */
void display_reset(struct display *display);

/* Asks for the size and place of every output. 0 (the answer will come), or -ENOTSUP, also if there
 * is no peer. */
int display_request_info(struct display *display, struct display_request *request);
/* Asks for the EDID of one output. 0 or -ENOTSUP, as above. */
int display_request_edid(struct display *display, struct display_request *request,
			 unsigned scanout);
/* The answer is no longer wanted. Nothing happens if it is not pending. */
void display_cancel(struct display_request *request);

/* Shows @pixels (borrowed until replaced), all of it damaged; @width and @height are then more than
 * 0. @pixels NULL: the scanout is off.
 * What the display still needs of the pixels that it replaces is copied in this call. If they are
 * the same of the same size, what was prepared of them is still good, unless
 * display_pixels_changed() was called before. */
void display_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
			    uint32_t height, struct display_pixels *pixels);
/* Whether there is a peer that takes dma-bufs. */
bool display_shows_dmabufs(struct display *display);
/* Shows the part @r of a dma-buf with one plane; its descriptor is borrowed and duplicated. Nothing
 * of it is seen before the first display_flush_dmabuf(). 0; -ENOTSUP if this peer cannot show it
 * (its modifier, say), or -errno; the scanout is off then, and the caller may show pixels instead.
 */
int display_scanout_dmabuf(struct display *display, unsigned scanout, const struct dmabuf *dmabuf,
			   const struct rect *r);
/* @r (of the scanout, clipped to it) has new pixels. Nothing happens if the scanout is off. */
void display_damage(struct display *display, unsigned scanout, const struct rect *r);
/* The same for a dma-buf; the request ends when the peer has shown it. 0, or -ENOTSUP if the
 * scanout shows no dma-buf, @r is outside of it, or there is no peer. At most one is under way per
 * scanout, further ones wait and are merged. */
int display_flush_dmabuf(struct display *display, struct display_request *request, unsigned scanout,
			 const struct rect *r);
/* The memory behind @pixels is about to go or to move: whatever was taken of it is copied now. */
void display_pixels_changed(struct display *display, struct display_pixels *pixels);

/* What it does, in the log at level info. */
void display_log_state(struct display *display);

/* Shows a cursor image at its position. */
void display_cursor_set(struct display *display, unsigned scanout,
			const struct display_cursor *cursor);
/* Moves the cursor, or hides it. */
void display_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			 bool is_visible);
