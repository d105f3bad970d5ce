/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/ring.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "probes/audit/parse.h"

#define RING_MAGIC 0x41524e47u /* "ARNG" */
#define RING_VERSION 2u
#define RING_HEADER_SIZE 4096u
#define RING_ALIGN 16u
#define RING_NONE UINT64_MAX
#define RING_POISON_MAX 16u
#define RING_DEATHS_MAX 2u
/* Room for the longest datagram; the rest is for kernels with longer records. */
#define SLOT_DATA_MAX ((size_t)9216)
#define SLOT_SIZE_MAX (sizeof(struct slot) + SLOT_DATA_MAX)
#define SLOT_MAGIC 0xad17u
/* An emptied ring that has used more than this gives its pages back. */
#define RING_KEEP_BYTES (256u * 1024u)
#define BIAS_UNKNOWN UINT32_MAX

enum slot_flags { SLOT_PAD = 1, SLOT_CUT = 2 };

struct slot {	      /* before each record; followed by the netlink header and the payload */
	uint32_t len; /* bytes behind this header */
	uint16_t flags;
	uint16_t magic;
	uint64_t arrived_ns;
};

/* In shared memory. The stores are ordered for a reader that comes after the death of the
 * writer, so what counts is that the compiler and the processor keep their order. */
struct ring_header {
	uint32_t magic;
	uint32_t version;
	uint64_t data_size;
	_Atomic uint64_t head;
	_Atomic uint64_t tail;
	_Atomic uint64_t armed; /* position whose slot a receive may be filling */
	_Atomic uint64_t work;	/* position being worked on */
	uint64_t death_pos;
	uint32_t deaths; /* at death_pos, one after the other */
	uint32_t n_poison;
	uint64_t poison[RING_POISON_MAX];
	uint64_t fill_max;
	uint64_t counted[AUDIT_LOSSES];
	uint64_t told[AUDIT_LOSSES];
	uint32_t len_bias; /* received bytes - nlmsg_len: 16 where the kernel leaves out its header
			    */
	uint32_t lost_last;
	uint32_t has_lost;
	uint32_t is_joined;
	uint32_t has_serials;
	uint32_t serial_lowest;
	uint32_t serial_newest;
};

_Static_assert(sizeof(struct ring_header) <= RING_HEADER_SIZE, "the header is one page");
_Static_assert(sizeof(struct slot) == RING_ALIGN, "a pad fits every remainder");

struct audit_ring {
	struct ring_header *h;
	char *data;
	size_t map_size;
	size_t size;	 /* of data */
	uint64_t read;	 /* position of the next record to give */
	size_t used;	 /* highest offset written since pages were given back */
	size_t received; /* bytes in the slot at head, not yet published */
	uint16_t received_flags;
	uint64_t received_ns;
};

static uint64_t load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint64_t *p, uint64_t v)
{
	atomic_store_explicit(p, v, memory_order_release);
}

static uint64_t align_up(uint64_t n)
{
	return (n + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

int audit_ring_create(int *ret_fd)
{
	return audit_ring_create_sized(AUDIT_RING_SIZE, ret_fd);
}

int audit_ring_create_sized(size_t size, int *ret_fd)
{
	cleanup_(fd_cleanup) int fd = memfd_create("audit-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (size < AUDIT_RING_SIZE_MIN || size % RING_HEADER_SIZE != 0)
		return -EINVAL;
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	/* Without these a compromised sensor could shrink the file under the next one. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;

	struct ring_header *h =
		mmap(NULL, RING_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		return -errno;
	h->magic = RING_MAGIC;
	h->version = RING_VERSION;
	h->data_size = size - RING_HEADER_SIZE;
	h->len_bias = BIAS_UNKNOWN;
	store(&h->armed, RING_NONE);
	store(&h->work, RING_NONE);
	h->death_pos = RING_NONE;
	(void)munmap(h, RING_HEADER_SIZE);

	*ret_fd = take_fd(fd);
	return 0;
}

static struct slot *slot_at(const struct audit_ring *r, uint64_t pos)
{
	return (struct slot *)(void *)(r->data + pos % r->size);
}

static size_t room_to_end(const struct audit_ring *r, uint64_t pos)
{
	return r->size - (size_t)(pos % r->size);
}

/* Bytes from pos to the slot behind it; 0 when what stands there is no slot. */
static size_t slot_span(const struct audit_ring *r, uint64_t pos, uint64_t head)
{
	const struct slot *s = slot_at(r, pos);
	size_t span;

	if (s->magic != SLOT_MAGIC || s->len > r->size)
		return 0;
	span = (size_t)align_up(sizeof(*s) + (uint64_t)s->len);
	if (span > room_to_end(r, pos) || span > head - pos)
		return 0;
	if ((s->flags & SLOT_PAD) == 0 && (s->len < NLMSG_HDRLEN || s->len > SLOT_DATA_MAX))
		return 0;
	return span;
}

/* Empties the ring. Positions only grow: the next one is at the first byte of the data.
 * The tail goes first: a tail behind the head reads as an empty ring. */
static void ring_rewind(struct audit_ring *r)
{
	uint64_t head = load(&r->h->head);
	uint64_t start = (head + r->size - 1) / r->size * r->size;

	store(&r->h->tail, start);
	store(&r->h->head, start);
	r->read = start;
	if (r->used <= RING_KEEP_BYTES)
		return;
	/* MADV_REMOVE frees the pages of a shared mapping (madvise(2)); a failure costs
	 * memory only. */
	(void)madvise(r->data, (r->used + RING_HEADER_SIZE - 1) & ~(size_t)(RING_HEADER_SIZE - 1),
		      MADV_REMOVE);
	r->used = 0;
}

static void ring_reset(struct audit_ring *r)
{
	store(&r->h->head, 0);
	store(&r->h->tail, 0);
	r->h->n_poison = 0;
	r->read = 0;
	audit_ring_loss_add(r, AUDIT_LOSS_CORRUPT, 1);
}

static void header_check(struct audit_ring *r)
{
	struct ring_header *h = r->h;
	uint64_t head = load(&h->head), tail = load(&h->tail);

	if (tail > head && tail % r->size == 0 && tail - head < r->size) {
		/* Died inside of ring_rewind(). */
		store(&h->head, tail);
		head = tail;
	}
	if (h->n_poison > RING_POISON_MAX)
		h->n_poison = 0;
	if (tail > head || head - tail > r->size || head % RING_ALIGN != 0 ||
	    tail % RING_ALIGN != 0 || head > UINT64_MAX / 2) {
		ring_reset(r);
		return;
	}
	for (uint64_t pos = tail; pos < head;) {
		size_t span = slot_span(r, pos, head);

		if (span == 0) {
			ring_reset(r);
			return;
		}
		pos += span;
	}
	r->read = tail;
}

/* Puts a death down to the position that was being worked on. */
static void note_death(struct audit_ring *r)
{
	struct ring_header *h = r->h;
	uint64_t pos = load(&h->work);

	store(&h->work, RING_NONE);
	if (pos == RING_NONE)
		return;
	h->deaths = h->death_pos == pos ? h->deaths + 1 : 1;
	h->death_pos = pos;
	if (h->deaths < RING_DEATHS_MAX)
		return;
	h->deaths = 0;
	h->death_pos = RING_NONE;
	if (h->n_poison == RING_POISON_MAX) {
		memmove(h->poison, h->poison + 1, sizeof(h->poison) - sizeof(h->poison[0]));
		h->n_poison--;
	}
	h->poison[h->n_poison++] = pos;
	audit_ring_loss_add(r, AUDIT_LOSS_POISON, 1);
}

/* Publishes what the kernel had copied into the armed slot before the writer died. Its
 * length is in the netlink header, which was zeroed before: a kernel that left out its own
 * 16 bytes is known from earlier records (len_bias), else the slot was zeroed whole. */
static void recover_armed(struct audit_ring *r)
{
	struct ring_header *h = r->h;
	uint64_t head = load(&h->head);
	struct nlmsghdr nl;
	struct slot *s;
	size_t len;

	if (load(&h->armed) != head || room_to_end(r, head) < SLOT_SIZE_MAX)
		return;
	s = slot_at(r, head);
	memcpy(&nl, s + 1, sizeof(nl));
	len = (size_t)nl.nlmsg_len + (h->len_bias == BIAS_UNKNOWN ? NLMSG_HDRLEN : h->len_bias);
	if (!audit_type_is_event(nl.nlmsg_type) || len < NLMSG_HDRLEN ||
	    head - load(&h->tail) + SLOT_SIZE_MAX > r->size)
		return;
	r->received = len < SLOT_DATA_MAX ? len : SLOT_DATA_MAX;
	r->received_flags = len > SLOT_DATA_MAX ? SLOT_CUT : 0;
	r->received_ns = 0;
	audit_ring_publish(r);
}

int audit_ring_attach(int fd, struct audit_ring **ret_ring)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)AUDIT_RING_SIZE_MIN ||
	    st.st_size > INT32_MAX)
		return -EINVAL;

	cleanup_(audit_ring_cleanup) struct audit_ring *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r->h = map;
	r->data = (char *)map + RING_HEADER_SIZE;
	r->map_size = (size_t)st.st_size;
	r->size = r->map_size - RING_HEADER_SIZE;
	r->used = r->size; /* unknown: the first rewind gives everything back */
	if (r->h->magic != RING_MAGIC || r->h->version != RING_VERSION ||
	    r->h->data_size != r->size || r->size % RING_ALIGN != 0)
		return -EINVAL;
	header_check(r);
	note_death(r);
	recover_armed(r);
	store(&r->h->armed, RING_NONE);

	*ret_ring = take_ptr(r);
	return 0;
}

void audit_ring_free(struct audit_ring *r)
{
	if (r == NULL)
		return;
	if (r->h != NULL)
		(void)munmap(r->h, r->map_size);
	free(r);
}

/* Makes the slot at head fit for the longest record; a pad fills the end of the data. */
static int slot_prepare(struct audit_ring *r)
{
	uint64_t head = load(&r->h->head);
	size_t end = room_to_end(r, head);
	size_t fill = (size_t)(head - load(&r->h->tail));

	if (end < SLOT_SIZE_MAX) {
		struct slot *pad = slot_at(r, head);

		if (fill + end + SLOT_SIZE_MAX > r->size)
			return -ENOSPC;
		*pad = (struct slot){ .len = (uint32_t)(end - sizeof(*pad)),
				      .flags = SLOT_PAD,
				      .magic = SLOT_MAGIC };
		store(&r->h->head, head + end);
		r->used = r->size;
	} else if (fill + SLOT_SIZE_MAX > r->size) {
		return -ENOSPC;
	}
	return 0;
}

/* Zeroes the netlink header, so that whatever stands there after a death was received, and
 * touches the slot's pages: a copy that faults while the process is being killed is lost. */
static void slot_arm(struct audit_ring *r)
{
	uint64_t head = load(&r->h->head);
	char *data = (char *)(slot_at(r, head) + 1);

	if (r->h->len_bias == BIAS_UNKNOWN) {
		memset(data, 0, SLOT_DATA_MAX);
	} else {
		memset(data, 0, NLMSG_HDRLEN);
		for (size_t i = RING_HEADER_SIZE; i < SLOT_DATA_MAX; i += RING_HEADER_SIZE)
			data[i] = 0;
		data[SLOT_DATA_MAX - 1] = 0;
	}
	store(&r->h->armed, head);
}

/* Owners of the queue get records whose length leaves out the header, but also the
 * kernel's question whether they live (AUDIT_REPLACE), whose length is right: the largest
 * difference is that of the records (kernel/audit.c, audit_log_end, audit_make_reply). */
static void learn_bias(struct audit_ring *r, size_t received, size_t stated)
{
	uint32_t bias;

	if (received < stated || received - stated > NLMSG_HDRLEN)
		return;
	bias = (uint32_t)(received - stated);
	if (r->h->len_bias == BIAS_UNKNOWN || bias > r->h->len_bias)
		r->h->len_bias = bias;
}

int audit_ring_receive(struct audit_ring *r, int sock, uint64_t now_ns,
		       struct audit_ring_record *ret_record)
{
	struct sockaddr_nl from = { 0 };
	struct nlmsghdr nl;
	struct iovec iov;
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;
	int ret = slot_prepare(r);

	if (ret < 0)
		return ret;
	slot_arm(r);

	char *data = (char *)(slot_at(r, load(&r->h->head)) + 1);

	iov = (struct iovec){ .iov_base = data, .iov_len = SLOT_DATA_MAX };
	/* With MSG_TRUNC the result is the datagram's true length (recv(2)). */
	n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0) {
		ret = errno == EINTR ? -EAGAIN : -errno;
		store(&r->h->armed, RING_NONE);
		return ret;
	}
	memcpy(&nl, data, sizeof(nl));
	/* Only the kernel has port 0 (netlink(7)); a privileged process could send too. */
	if ((size_t)n < sizeof(nl) || from.nl_pid != 0 || !audit_type_is_event(nl.nlmsg_type)) {
		store(&r->h->armed, RING_NONE);
		return 0;
	}
	r->received_flags = (size_t)n > SLOT_DATA_MAX ? SLOT_CUT : 0;
	r->received = (size_t)n > SLOT_DATA_MAX ? SLOT_DATA_MAX : (size_t)n;
	r->received_ns = now_ns;
	if (r->received_flags == 0)
		learn_bias(r, (size_t)n, nl.nlmsg_len);
	*ret_record = (struct audit_ring_record){
		.pos = load(&r->h->head),
		.arrived_ns = now_ns,
		.type = nl.nlmsg_type,
		.is_cut = r->received_flags != 0,
		.payload = { .p = data + NLMSG_HDRLEN, .n = r->received - NLMSG_HDRLEN },
	};
	return 1;
}

void audit_ring_publish(struct audit_ring *r)
{
	uint64_t head = load(&r->h->head);
	struct slot *s = slot_at(r, head);
	uint64_t next = head + align_up(sizeof(*s) + r->received);
	size_t offset = (size_t)(head % r->size) + SLOT_SIZE_MAX;

	*s = (struct slot){ .len = (uint32_t)r->received,
			    .flags = r->received_flags,
			    .magic = SLOT_MAGIC,
			    .arrived_ns = r->received_ns };
	store(&r->h->head, next);
	store(&r->h->armed, RING_NONE);
	if (offset > r->used)
		r->used = offset;
	if (next - load(&r->h->tail) > r->h->fill_max)
		r->h->fill_max = next - load(&r->h->tail);
}

void audit_ring_discard(struct audit_ring *r)
{
	store(&r->h->armed, RING_NONE);
}

int audit_ring_put(struct audit_ring *r, uint16_t type, struct str payload, uint64_t now_ns)
{
	struct nlmsghdr nl = { .nlmsg_type = type };
	char *data;
	int ret;

	if (payload.n > SLOT_DATA_MAX - NLMSG_HDRLEN)
		return -EMSGSIZE;
	ret = slot_prepare(r);
	if (ret < 0)
		return ret;
	data = (char *)(slot_at(r, load(&r->h->head)) + 1);
	nl.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + payload.n);
	memcpy(data, &nl, sizeof(nl));
	if (payload.n > 0)
		memcpy(data + NLMSG_HDRLEN, payload.p, payload.n);
	r->received = nl.nlmsg_len;
	r->received_flags = 0;
	r->received_ns = now_ns;
	audit_ring_publish(r);
	return 0;
}

void audit_ring_source_changed(struct audit_ring *r)
{
	r->h->len_bias = BIAS_UNKNOWN;
}

static bool is_poison(const struct audit_ring *r, uint64_t pos)
{
	for (uint32_t i = 0; i < r->h->n_poison; i++) {
		if (r->h->poison[i] == pos)
			return true;
	}
	return false;
}

bool audit_ring_next(struct audit_ring *r, struct audit_ring_record *ret_record)
{
	uint64_t head = load(&r->h->head);

	while (r->read < head) {
		uint64_t pos = r->read;
		const struct slot *s = slot_at(r, pos);
		struct nlmsghdr nl;

		/* Checked by header_check() or written by us. */
		r->read += align_up(sizeof(*s) + (uint64_t)s->len);
		if ((s->flags & SLOT_PAD) != 0 || is_poison(r, pos))
			continue;
		memcpy(&nl, s + 1, sizeof(nl));
		*ret_record = (struct audit_ring_record){
			.pos = pos,
			.arrived_ns = s->arrived_ns,
			.type = nl.nlmsg_type,
			.is_cut = (s->flags & SLOT_CUT) != 0,
			.payload = { .p = (const char *)(s + 1) + NLMSG_HDRLEN,
				     .n = s->len - NLMSG_HDRLEN },
		};
		return true;
	}
	return false;
}

uint64_t audit_ring_read_pos(const struct audit_ring *r)
{
	return r->read;
}

bool audit_ring_is_drained(const struct audit_ring *r)
{
	return r->read >= load(&r->h->head);
}

void audit_ring_work(struct audit_ring *r, uint64_t pos)
{
	store(&r->h->work, pos);
}

void audit_ring_rest(struct audit_ring *r)
{
	store(&r->h->work, RING_NONE);
}

void audit_ring_commit(struct audit_ring *r, uint64_t pos)
{
	struct ring_header *h = r->h;
	uint32_t kept = 0;

	if (pos <= load(&h->tail) || pos > r->read)
		return;
	store(&h->tail, pos);
	for (uint32_t i = 0; i < h->n_poison; i++) {
		if (h->poison[i] >= pos)
			h->poison[kept++] = h->poison[i];
	}
	h->n_poison = kept;
	if (pos == load(&h->head))
		ring_rewind(r);
}

uint64_t audit_ring_tail(const struct audit_ring *r)
{
	return load(&r->h->tail);
}

size_t audit_ring_fill(const struct audit_ring *r)
{
	return (size_t)(load(&r->h->head) - load(&r->h->tail));
}

size_t audit_ring_fill_max(const struct audit_ring *r)
{
	return (size_t)r->h->fill_max;
}

size_t audit_ring_size(const struct audit_ring *r)
{
	return r->size;
}

void audit_ring_loss_add(struct audit_ring *r, unsigned int loss, uint64_t n)
{
	if (loss < AUDIT_LOSSES)
		r->h->counted[loss] += n;
}

uint64_t audit_ring_loss(const struct audit_ring *r, unsigned int loss)
{
	return loss < AUDIT_LOSSES ? r->h->counted[loss] : 0;
}

uint64_t audit_ring_loss_told(const struct audit_ring *r, unsigned int loss)
{
	return loss < AUDIT_LOSSES ? r->h->told[loss] : 0;
}

void audit_ring_loss_tell(struct audit_ring *r, unsigned int loss, uint64_t total)
{
	if (loss < AUDIT_LOSSES && total > r->h->told[loss])
		r->h->told[loss] = total;
}

void audit_ring_serial_came(struct audit_ring *r, uint32_t serial)
{
	struct ring_header *h = r->h;

	/* Modulo 2^32: right across the wrap. */
	if (h->has_serials == 0 || (int32_t)(serial - h->serial_lowest) < 0)
		h->serial_lowest = serial;
	if (h->has_serials == 0 || (int32_t)(serial - h->serial_newest) > 0)
		h->serial_newest = serial;
	h->has_serials = 1;
}

void audit_ring_serials_forget(struct audit_ring *r)
{
	r->h->has_serials = 0;
}

bool audit_ring_serials(const struct audit_ring *r, uint32_t *ret_lowest, uint32_t *ret_newest)
{
	if (r->h->has_serials == 0)
		return false;
	*ret_lowest = r->h->serial_lowest;
	*ret_newest = r->h->serial_newest;
	return true;
}

bool audit_ring_is_joined(const struct audit_ring *r)
{
	return r->h->is_joined != 0;
}

void audit_ring_joined(struct audit_ring *r)
{
	r->h->is_joined = 1;
}

void audit_ring_kernel_lost(struct audit_ring *r, uint32_t lost)
{
	struct ring_header *h = r->h;

	if (h->has_lost != 0 && lost > h->lost_last)
		audit_ring_loss_add(r, AUDIT_LOSS_KERNEL, lost - h->lost_last);
	h->has_lost = 1;
	h->lost_last = lost;
}
