// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What a part of the daemon needs of the host while it serves. A renderer declares it, the sandbox
 * allows that much and no more; neither includes headers of the other. Flags. */
enum needs {
	NEEDS_FILES = 1 << 0,          /* opens drivers and their data by name, to read */
	NEEDS_THREADS = 1 << 1,        /* makes threads at any time */
	NEEDS_GENERATED_CODE = 1 << 2, /* runs code that it made itself */
	NEEDS_GPU_DEVICES = 1 << 3,    /* opens device nodes of GPUs, and uses their ioctls */
	NEEDS_RENDER_SERVER = 1 << 4,  /* starts another program, which uses the same file tree */
	NEEDS_VULKAN = 1 << 5,         /* loads Vulkan's drivers and layers by itself */
	NEEDS_UDMABUF = 1 << 6,        /* makes dma-bufs of memory (base/udmabuf.h) */
};
