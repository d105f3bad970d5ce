/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/textpool.h"

#include <assert.h>
#include <sys/mman.h>

#include "agent/base/hash.h"
#include "agent/base/rand.h"

#define UNIT 16u
#define BLOCK_MIN 32u
#define CLASSES 8u /* 32 .. 4096 */
#define CLASS_MAX (CLASSES - 1)
#define BUCKETS 4096u
#define SIZE_MAX_BYTES (256u * 1024u * 1024u)

static const struct str cut_mark = { "<...>", 5 };

struct block {	       /* followed by the text */
	uint32_t next; /* handle in the bucket, or of the next free block */
	uint32_t refs; /* 0: free */
	union {
		uint32_t hash; /* of the text */
		uint32_t prev; /* the free block before this one */
	};
	uint16_t len;
	uint16_t class;
};

_Static_assert(sizeof(struct block) == UNIT, "a block's header is one unit");

struct textpool {
	char *data;
	size_t size;
	size_t fresh; /* first byte never used */
	uint64_t key[2];
	uint64_t refused;
	uint32_t free_first[CLASSES];
	uint32_t buckets[BUCKETS];
};

int textpool_new(size_t size, struct textpool **ret_pool)
{
	void *data;

	if (size == 0 || size % TEXTPOOL_BLOCK_MAX != 0 || size > SIZE_MAX_BYTES)
		return -EINVAL;

	cleanup_(textpool_cleanup) struct textpool *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return -ENOMEM;
	p->data = data;
	p->size = size;
	rand_bytes(p->key, sizeof(p->key));

	*ret_pool = take_ptr(p);
	return 0;
}

void textpool_free(struct textpool *p)
{
	if (p == NULL)
		return;
	if (p->data != NULL)
		(void)munmap(p->data, p->size);
	free(p);
}

static struct block *block_at(const struct textpool *p, uint32_t handle)
{
	return (struct block *)(void *)(p->data + (size_t)(handle - 1) * UNIT);
}

static char *block_text(struct block *b)
{
	return (char *)(b + 1);
}

static uint16_t class_of(size_t len)
{
	uint16_t class = 0;

	while ((size_t)BLOCK_MIN << class < len + sizeof(struct block))
		class ++;
	return class;
}

static void free_add(struct textpool *p, uint32_t handle, uint16_t class)
{
	uint32_t next = p->free_first[class];

	*block_at(p, handle) = (struct block){ .next = next, .class = class };
	if (next != TEXTPOOL_NONE)
		block_at(p, next)->prev = handle;
	p->free_first[class] = handle;
}

static void free_remove(struct textpool *p, uint32_t handle)
{
	struct block *b = block_at(p, handle);

	if (b->prev != TEXTPOOL_NONE)
		block_at(p, b->prev)->next = b->next;
	else
		p->free_first[b->class] = b->next;
	if (b->next != TEXTPOOL_NONE)
		block_at(p, b->next)->prev = b->prev;
}

/* The other half of the block of twice the size. Blocks are aligned to their size, so that
 * a block begins there: that half, whole or split. */
static uint32_t buddy_of(uint32_t handle, uint16_t class)
{
	return ((handle - 1) ^ (BLOCK_MIN / UNIT << class)) + 1;
}

/* A free block out of the lists, split from a larger one where none has the size. */
static uint32_t block_take(struct textpool *p, uint16_t class)
{
	uint16_t from = class;
	uint32_t handle;

	while (from < CLASS_MAX && p->free_first[from] == TEXTPOOL_NONE)
		from++;
	handle = p->free_first[from];
	if (handle != TEXTPOOL_NONE) {
		free_remove(p, handle);
	} else {
		if (p->fresh == p->size)
			return TEXTPOOL_NONE;
		handle = (uint32_t)(p->fresh / UNIT) + 1;
		p->fresh += TEXTPOOL_BLOCK_MAX;
	}
	while (from > class) {
		from--;
		free_add(p, buddy_of(handle, from), from);
	}
	return handle;
}

/* Joins what became free with its free other half, up to a whole block: else a time of short
 * texts would leave no room for a long one, for ever. */
static void block_give(struct textpool *p, uint32_t handle)
{
	uint16_t class = block_at(p, handle)->class;

	for (; class < CLASS_MAX; class ++) {
		uint32_t buddy = buddy_of(handle, class);

		if (block_at(p, buddy)->refs > 0 || block_at(p, buddy)->class != class)
			break;
		free_remove(p, buddy);
		handle = handle < buddy ? handle : buddy;
	}
	free_add(p, handle, class);
}

static uint32_t text_find(const struct textpool *p, struct str s, uint32_t hash)
{
	uint32_t handle = p->buckets[hash % BUCKETS];

	while (handle != TEXTPOOL_NONE) {
		const struct block *b = block_at(p, handle);

		if (b->hash == hash && b->len == s.n && memcmp(b + 1, s.p, s.n) == 0)
			return handle;
		handle = b->next;
	}
	return TEXTPOOL_NONE;
}

static uint32_t text_put(struct textpool *p, struct str s)
{
	uint32_t hash = (uint32_t)hash_siphash(s, p->key);
	uint32_t handle = text_find(p, s, hash);
	struct block *b;

	if (handle != TEXTPOOL_NONE)
		return textpool_ref(p, handle);
	handle = block_take(p, class_of(s.n));
	if (handle == TEXTPOOL_NONE) {
		p->refused++;
		return TEXTPOOL_NONE;
	}
	b = block_at(p, handle);
	*b = (struct block){
		.next = p->buckets[hash % BUCKETS],
		.refs = 1,
		.hash = hash,
		.len = (uint16_t)s.n,
		.class = class_of(s.n),
	};
	memcpy(block_text(b), s.p, s.n);
	p->buckets[hash % BUCKETS] = handle;
	return handle;
}

uint32_t textpool_put(struct textpool *p, struct str s)
{
	char cut[TEXTPOOL_TEXT_MAX];

	if (s.n == 0)
		return TEXTPOOL_NONE;
	if (s.n <= TEXTPOOL_TEXT_MAX)
		return text_put(p, s);
	memcpy(cut, s.p, sizeof(cut) - cut_mark.n);
	memcpy(cut + sizeof(cut) - cut_mark.n, cut_mark.p, cut_mark.n);
	return text_put(p, (struct str){ .p = cut, .n = sizeof(cut) });
}

uint32_t textpool_ref(struct textpool *p, uint32_t handle)
{
	if (handle != TEXTPOOL_NONE) {
		assert(block_at(p, handle)->refs > 0);
		block_at(p, handle)->refs++;
	}
	return handle;
}

void textpool_unref(struct textpool *p, uint32_t handle)
{
	struct block *b;
	uint32_t *link;

	if (handle == TEXTPOOL_NONE)
		return;
	b = block_at(p, handle);
	assert(b->refs > 0);
	if (--b->refs > 0)
		return;
	link = &p->buckets[b->hash % BUCKETS];
	while (*link != handle)
		link = &block_at(p, *link)->next;
	*link = b->next;
	block_give(p, handle);
}

struct str textpool_get(const struct textpool *p, uint32_t handle)
{
	struct block *b;

	if (handle == TEXTPOOL_NONE)
		return (struct str){ 0 };
	b = block_at(p, handle);
	return (struct str){ .p = block_text(b), .n = b->len };
}

uint64_t textpool_refused(const struct textpool *p)
{
	return p->refused;
}
