// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Scattered memory is searched from its start to an offset and then copied piece by piece. If the
 * pieces are shorter than the requested size, the copy ends with the last piece and returns how
 * many bytes it copied.
 */
#include "base/iov.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Copies from @iov to @buf, or the other way with @is_write. */
static size_t iov_copy(const struct iovec *iov, int n_iov, size_t offset, uint8_t *buf, size_t size,
		       bool is_write)
{
	size_t done = 0;

	for (int i = 0; i < n_iov && done < size; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		uint8_t *piece = (uint8_t *)iov[i].iov_base + offset;
		size_t n = iov[i].iov_len - offset;

		if (n > size - done)
			n = size - done;
		memcpy(is_write ? piece : buf + done, is_write ? buf + done : piece, n);
		done += n;
		offset = 0;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, int n_iov, size_t offset, void *buf, size_t size)
{
	return iov_copy(iov, n_iov, offset, buf, size, false);
}

size_t iov_write(const struct iovec *iov, int n_iov, size_t offset, const void *buf, size_t size)
{
	return iov_copy(iov, n_iov, offset, (uint8_t *)buf, size, true);
}

void iov_touch(const struct iovec *iov, int n_iov)
{
	const size_t page = 4096; /* the smallest page size */

	for (int i = 0; i < n_iov; i++) {
		const volatile uint8_t *bytes = iov[i].iov_base;

		for (size_t offset = 0; offset < iov[i].iov_len; offset += page)
			(void)bytes[offset];
		if (iov[i].iov_len > 0)
			(void)bytes[iov[i].iov_len - 1];
	}
}

int iov_slice(const struct iovec *iov, int n_iov, size_t offset, size_t size, struct iovec *ret,
	      int max)
{
	int n_ret = 0;

	for (int i = 0; i < n_iov && size > 0; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		size_t n = iov[i].iov_len - offset;

		if (n > size)
			n = size;
		if (n_ret == max)
			return -E2BIG;
		ret[n_ret++] = (struct iovec){ (uint8_t *)iov[i].iov_base + offset, n };
		size -= n;
		offset = 0;
	}
	return size > 0 ? -EFAULT : n_ret;
}
