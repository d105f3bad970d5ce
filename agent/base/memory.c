/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/memory.h"

#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

#define MMAP_THRESHOLD 65536

/* An address that the loader gives as a number. */
static void *address(uintptr_t at)
{
	void *p;

	_Static_assert(sizeof(p) == sizeof(at), "addresses are numbers of their size");
	memcpy(&p, &at, sizeof(p));
	return p;
}

/* Relocations inside the code: such pages are no longer those of the file. */
static bool has_text_relocations(const struct dl_phdr_info *info)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_DYNAMIC)
			continue;

		const ElfW(Dyn) *dyn = address(info->dlpi_addr + ph->p_vaddr);

		for (; dyn->d_tag != DT_NULL; dyn++)
			if (dyn->d_tag == DT_TEXTREL ||
			    (dyn->d_tag == DT_FLAGS && (dyn->d_un.d_val & DF_TEXTREL) != 0))
				return true;
	}
	return false;
}

/* Segments that were never writable hold the file's bytes and nothing else: after
 * MADV_DONTNEED (madvise(2)) a private file mapping is read from the file anew. */
static int object_release(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uintptr_t page = *(const uintptr_t *)ctx;

	(void)size;
	if (strncmp(info->dlpi_name, "linux-vdso", 10) == 0 || has_text_relocations(info))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W) != 0)
			continue;

		uintptr_t from = (info->dlpi_addr + ph->p_vaddr) & ~(page - 1);
		uintptr_t to = (info->dlpi_addr + ph->p_vaddr + ph->p_filesz) & ~(page - 1);

		/* The last page may be shared with a segment that is written to. */
		if (to > from)
			(void)madvise(address(from), to - from, MADV_DONTNEED);
	}
	return 0;
}

void memory_init(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): called before there is a thread */
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
}

void memory_release(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(object_release, &page);
}
