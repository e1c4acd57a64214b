// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The layer's memory: one record for each allocation that is exported or imported, found by its
 * handle. layer.c says what it is for.
 */
#include "layer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE      4096
#define N_BUCKETS 1024

struct record {
	struct record *next;
	VkDeviceMemory memory;
	int fd; /* a memfd or what was imported */
	void *data;
	size_t size; /* bytes, whole pages */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record *records[N_BUCKETS];

static struct record **bucket_of(VkDeviceMemory memory)
{
	return &records[((uintptr_t)memory >> 4) % N_BUCKETS];
}

/* The record of this memory; takes it out of the table if asked to. NULL: not ours. */
static struct record *find_record(VkDeviceMemory memory, bool is_taken)
{
	struct record **at, *record;

	pthread_mutex_lock(&lock);
	for (at = bucket_of(memory); *at && (*at)->memory != memory; at = &(*at)->next)
		;
	record = *at;
	if (record && is_taken)
		*at = record->next;
	pthread_mutex_unlock(&lock);
	return record;
}

static void add_record(struct record *record, VkDeviceMemory memory)
{
	struct record **at = bucket_of(memory);

	record->memory = memory;
	pthread_mutex_lock(&lock);
	record->next = *at;
	*at = record;
	pthread_mutex_unlock(&lock);
}

/* Maps the file; takes fd, not if it fails. NULL: no memory, or a file that is too short. */
static struct record *record_new(int fd, size_t size)
{
	struct record *record = calloc(1, sizeof(*record));
	struct stat st;

	if (!record || fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size < size)
		goto failed;
	record->fd = fd;
	record->size = size;
	record->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (record->data != MAP_FAILED)
		return record;
failed:
	free(record);
	return NULL;
}

static void record_free(struct record *record)
{
	if (!record)
		return;
	munmap(record->data, record->size);
	close(record->fd);
	free(record);
}

/* Takes the struct of that type out of the chain behind *head, if it is there. */
static void unlink_struct(VkBaseOutStructure *head, VkStructureType type)
{
	for (; head->pNext; head = head->pNext)
		if (head->pNext->sType == type) {
			head->pNext = head->pNext->pNext;
			return;
		}
}

static struct record *record_for(const VkMemoryAllocateInfo *info)
{
	const VkImportMemoryFdInfoKHR *import =
		find_struct(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
	size_t size = (info->allocationSize + PAGE - 1) & ~(size_t)(PAGE - 1);
	struct record *record;
	int fd;

	fd = import ? dup(import->fd) : memfd_create("vdg-vulkan", MFD_CLOEXEC);
	record = fd >= 0 && (import || ftruncate(fd, size) == 0) ? record_new(fd, size) : NULL;
	if (!record && fd >= 0)
		close(fd);
	return record;
}

static bool is_for_us(const VkMemoryAllocateInfo *info)
{
	const VkImportMemoryFdInfoKHR *import =
		find_struct(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
	const VkExportMemoryAllocateInfo *export =
		find_struct(info->pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);

	return import ? import->handleType == DMA_BUF : export && export->handleTypes & DMA_BUF;
}

VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
					       const VkAllocationCallbacks *callbacks,
					       VkDeviceMemory *memory)
{
	struct table *table = find_table(device);
	const VkImportMemoryFdInfoKHR *import =
		find_struct(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
	struct record *record;
	VkMemoryAllocateInfo changed = *info;
	VkImportMemoryHostPointerInfoEXT pointer = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
		.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
	};
	VkResult result;

	if (!is_for_us(info))
		return table->allocate(device, info, callbacks, memory);
	record = record_for(info);
	if (!record)
		return VK_ERROR_OUT_OF_DEVICE_MEMORY;
	/* Whoever called has these structs on its stack and does not look at their links again. */
	unlink_struct((void *)&changed, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
	unlink_struct((void *)&changed, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
	pointer.pHostPointer = record->data;
	pointer.pNext = changed.pNext;
	changed.pNext = &pointer;
	changed.allocationSize = record->size;
	result = table->allocate(device, &changed, callbacks, memory);
	if (result != VK_SUCCESS) {
		record_free(record);
		return result;
	}
	if (import)
		close(import->fd); /* Vulkan: the driver takes it if all went well */
	add_record(record, *memory);
	return result;
}

VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
				       const VkAllocationCallbacks *callbacks)
{
	struct record *record = memory ? find_record(memory, true) : NULL;

	find_table(device)->free(device, memory, callbacks);
	record_free(record);
}

VKAPI_ATTR VkResult VKAPI_CALL get_memory_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info,
					     int *fd)
{
	struct record *record = find_record(info->memory, false);

	if (!record)
		return find_table(device)->get_fd(device, info, fd);
	*fd = dup(record->fd);
	return *fd < 0 ? VK_ERROR_TOO_MANY_OBJECTS : VK_SUCCESS;
}
