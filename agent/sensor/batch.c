/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/batch.h"

#include "agent/event/messages.h"

#define HEAD_SIZE 12u	    /* u64 batch, u32 count: MSG_EVENTS_PUT */
#define RECORD_HEAD_MAX 64u /* fields of an event_record beside its body */
#define RESERVE 16384u	    /* most batches of a quiet host fit */
#define SPARE_MAX 2u	    /* empty buffers kept */

struct batch {
	uint64_t number;
	uint32_t count;
	bool is_sent;
	struct buf payload;
	struct batch_mark mark;
};

/* A circular queue of sealed batches, the open one behind the last. */
struct batches {
	uint64_t next_number;
	uint32_t first;
	uint32_t sealed;
	bool has_open;
	uint32_t n_spare;
	struct buf spare[SPARE_MAX];
	struct batch slots[BATCH_HARD_MAX + 1];
};

int batches_new(struct batches **ret_batches)
{
	struct batches *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return -ENOMEM;
	b->next_number = 1;
	*ret_batches = b;
	return 0;
}

void batches_free(struct batches *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(b->slots); i++)
		buf_done(&b->slots[i].payload);
	for (size_t i = 0; i < b->n_spare; i++)
		buf_done(&b->spare[i]);
	free(b);
}

static struct batch *batch_at(struct batches *b, uint32_t i)
{
	return &b->slots[(b->first + i) % ARRAY_LEN(b->slots)];
}

bool batches_is_full(const struct batches *b)
{
	return b->sealed >= BATCH_WINDOW;
}

static int batch_open(struct batches *b)
{
	struct batch *open;
	const char head[HEAD_SIZE] = { 0 };

	if (b->sealed >= BATCH_HARD_MAX)
		return -ENOBUFS;
	open = batch_at(b, b->sealed);
	*open = (struct batch){ 0 };
	if (b->n_spare > 0)
		open->payload = b->spare[--b->n_spare];
	else
		buf_init(&open->payload, MSG_PAYLOAD_MAX);
	buf_clear(&open->payload);
	(void)buf_reserve(&open->payload, RESERVE);  /* a failure shows in the next call */
	buf_add(&open->payload, head, sizeof(head)); /* filled in when it is sealed */
	if (buf_error(&open->payload) < 0) {
		buf_done(&open->payload);
		*open = (struct batch){ 0 };
		return -ENOMEM;
	}
	b->has_open = true;
	return 0;
}

int batches_add(struct batches *b, const struct event_record *rec)
{
	struct batch *open;
	size_t len;

	if (!b->has_open) {
		int ret = batch_open(b);

		if (ret < 0)
			return ret;
	}
	open = batch_at(b, b->sealed);
	len = open->payload.len;
	if (open->count >= BATCH_EVENTS_MAX ||
	    len + RECORD_HEAD_MAX + rec->body.n > MSG_PAYLOAD_MAX)
		return -EAGAIN;
	event_record_put(&open->payload, rec);
	if (buf_error(&open->payload) < 0) {
		/* Out of memory: what was there before stays whole. */
		open->payload.error = 0;
		open->payload.len = len;
		return -ENOMEM;
	}
	open->count++;
	return 0;
}

uint32_t batches_open_events(const struct batches *b)
{
	if (!b->has_open)
		return 0;
	return b->slots[(b->first + b->sealed) % ARRAY_LEN(b->slots)].count;
}

void batches_seal(struct batches *b, const struct batch_mark *mark)
{
	struct batch *open;

	if (batches_open_events(b) == 0)
		return;
	open = batch_at(b, b->sealed);
	open->number = b->next_number++;
	open->mark = *mark;
	memcpy(open->payload.data, &open->number, sizeof(open->number));
	memcpy(open->payload.data + sizeof(open->number), &open->count, sizeof(open->count));
	b->sealed++;
	b->has_open = false;
}

void batches_send(struct batches *b, struct peer *store)
{
	for (uint32_t i = 0; i < b->sealed && store != NULL; i++) {
		struct batch *batch = batch_at(b, i);

		if (batch->is_sent)
			continue;
		/* Refused (its queue is full, or it is gone): later, in the same order. */
		if (peer_send_buf(store, MSG_EVENTS_PUT, &batch->payload) < 0)
			return;
		batch->is_sent = true;
	}
}

void batches_unsend(struct batches *b)
{
	for (uint32_t i = 0; i < b->sealed; i++)
		batch_at(b, i)->is_sent = false;
}

static void batch_release(struct batches *b, struct batch *batch)
{
	if (b->n_spare < SPARE_MAX)
		b->spare[b->n_spare++] = batch->payload;
	else
		buf_done(&batch->payload);
	*batch = (struct batch){ 0 };
}

int batches_ack(struct batches *b, uint64_t number, struct batch_mark *ret_mark)
{
	int settled = 0;

	if (number >= b->next_number)
		return -EPROTO;
	while (b->sealed > 0 && batch_at(b, 0)->number <= number) {
		struct batch *batch = batch_at(b, 0);

		*ret_mark = batch->mark;
		batch_release(b, batch);
		b->first = (b->first + 1) % (uint32_t)ARRAY_LEN(b->slots);
		b->sealed--;
		settled++;
	}
	return settled;
}

uint32_t batches_waiting(const struct batches *b)
{
	return b->sealed;
}
