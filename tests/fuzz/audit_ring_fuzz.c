/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring whose bytes a dead or hostile sensor left in any state. */
#include <assert.h>

#include "probes/audit/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(fd_cleanup) int fd = -1;
	cleanup_(audit_ring_cleanup) struct audit_ring *r = NULL;
	struct audit_ring_record rec;

	if (audit_ring_create_sized(AUDIT_RING_SIZE_MIN, &fd) < 0)
		return 0;
	/* Behind magic, version and size, which a sensor cannot attach without. */
	if (pwrite(fd, data, size < 65536 ? size : 65536, 16) < 0 || audit_ring_attach(fd, &r) < 0)
		return 0;
	while (audit_ring_next(r, &rec))
		audit_ring_commit(r, rec.pos);
	audit_ring_commit(r, audit_ring_read_pos(r));
	assert(audit_ring_fill(r) <= audit_ring_size(r));
	return 0;
}
