// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Scattered memory is walked from its start to an offset and then piece by piece; nothing here
 * trusts that the pieces are long enough, so a copy simply ends where they end.
 */
#include "base/iov.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

size_t iov_read(const struct iovec *iov, int n_iov, size_t offset, void *buf, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < n_iov && done < size; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		size_t n = iov[i].iov_len - offset;

		if (n > size - done)
			n = size - done;
		memcpy((uint8_t *)buf + done, (const uint8_t *)iov[i].iov_base + offset, n);
		done += n;
		offset = 0;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, int n_iov, size_t offset, const void *buf, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < n_iov && done < size; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		size_t n = iov[i].iov_len - offset;

		if (n > size - done)
			n = size - done;
		memcpy((uint8_t *)iov[i].iov_base + offset, (const uint8_t *)buf + done, n);
		done += n;
		offset = 0;
	}
	return done;
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
