// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Copies between plain memory and scattered memory. All sizes and offsets are in bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/* Copies up to @size bytes from @offset of @iov to @buf; returns how many were copied. */
size_t iov_read(const struct iovec *iov, int n_iov, size_t offset, void *buf, size_t size);

/* Copies up to @size bytes from @buf to @offset of @iov; returns how many were copied. */
size_t iov_write(const struct iovec *iov, int n_iov, size_t offset, const void *buf, size_t size);

/* Touches one byte of every page, so that a page fault, or SIGBUS, happens here. */
void iov_touch(const struct iovec *iov, int n_iov);

/* Lists the range [@offset, @offset + @size) of @iov as at most @max pieces in @ret, without
 * copying. Returns how many; -E2BIG if @max is too small; -EFAULT if @iov is too short. */
int iov_slice(const struct iovec *iov, int n_iov, size_t offset, size_t size, struct iovec *ret,
	      int max);

/* A position in scattered memory that only moves forwards. With it, a caller that reads row after
 * row need not search for each row from the start of the memory. */
struct iov_cursor {
	const struct iovec *iov; /* borrowed */
	int n_iov;               /* pieces left, with the current one */
	size_t skipped;          /* bytes of the current piece before the position */
};

/* Bytes left in the current piece. */
static inline size_t iov_cursor_left(const struct iov_cursor *c)
{
	return c->n_iov > 0 ? c->iov->iov_len - c->skipped : 0;
}

/* Moves forward by @n bytes. False if the memory ends before that. */
static inline bool iov_cursor_skip(struct iov_cursor *c, uint64_t n)
{
	while (c->n_iov > 0 && n >= iov_cursor_left(c)) {
		n -= iov_cursor_left(c);
		c->iov++;
		c->n_iov--;
		c->skipped = 0;
	}
	c->skipped += n;
	return c->n_iov > 0 || n == 0;
}

/* Copies the next @n bytes to @dst and moves forward; returns how many were copied. */
static inline size_t iov_cursor_read(struct iov_cursor *c, void *dst, size_t n)
{
	size_t done = 0;

	if (n < iov_cursor_left(c)) { /* the usual case: the row is in one piece */
		memcpy(dst, (const uint8_t *)c->iov->iov_base + c->skipped, n);
		c->skipped += n;
		return n;
	}
	while (done < n && c->n_iov > 0) {
		size_t left = iov_cursor_left(c), len = n - done < left ? n - done : left;

		if (len > 0)
			memcpy((uint8_t *)dst + done,
			       (const uint8_t *)c->iov->iov_base + c->skipped, len);
		done += len;
		(void)iov_cursor_skip(c, len);
	}
	return done;
}
