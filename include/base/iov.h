// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Copies between plain memory and scattered memory. All sizes and offsets are in bytes. */

#include <stddef.h>
#include <sys/uio.h>

/* Copies up to @size bytes from @offset of @iov to @buf; returns how many there were. */
size_t iov_read(const struct iovec *iov, int n_iov, size_t offset, void *buf, size_t size);

/* Copies up to @size bytes from @buf to @offset of @iov; returns how many found room. */
size_t iov_write(const struct iovec *iov, int n_iov, size_t offset, const void *buf, size_t size);

/* Reads one byte of each page: whatever an access there brings about comes about. */
void iov_touch(const struct iovec *iov, int n_iov);

/* The piece [@offset, @offset + @size) of @iov as at most @max pieces of its own. Returns how many;
 * -E2BIG past @max; -EFAULT if @iov is too short. */
int iov_slice(const struct iovec *iov, int n_iov, size_t offset, size_t size, struct iovec *ret,
	      int max);
