/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/proctable.h"

#include "agent/base/hash.h"
#include "agent/sensor/procfs.h"
#include "agent/sensor/textpool.h"

#define BUCKETS 65536u /* chained by pid: the kernel hands pids out in turn */
#define NONE UINT32_MAX
#define POOL_SIZE (32u * 1024u * 1024u)
/* Audit stamps are of the coarse clock (4 ms, 10 ms at HZ=100), start times in 10 ms. */
#define SLACK_US 50000u
/* An entry that /proc confirmed so recently is not asked about again. */
#define CHECK_NS NSEC_PER_SEC
/* How long after its last trace a process that /proc no longer has may still be the one
 * that an exec event means; pids do not come round so soon. */
#define TRUST_US (10 * USEC_PER_SEC)
#define EVICT_LOOK 1024u /* entries compared to find one that may go */
#define EVICT_TEXT 4u	 /* entries that may go for one text */

struct proctable {
	int proc_fd;
	uint64_t boot_hash;
	uint64_t ticks_per_sec;
	struct textpool *pool;
	struct proc *procs;
	uint32_t fresh;	     /* entries never used begin here */
	uint32_t free_first; /* linked by `next` */
	uint32_t count;
	uint32_t sweep_at;
	uint32_t evict_at;
	uint64_t evicted;
	uint32_t buckets[BUCKETS]; /* index + 1; 0 ends the chain */
	char scratch[TEXTPOOL_TEXT_MAX + 1];
};

int proctable_new(int proc_fd, struct str boot_id, struct proctable **ret_table)
{
	long ticks = sysconf(_SC_CLK_TCK);
	int ret;

	cleanup_(proctable_cleanup) struct proctable *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	t->proc_fd = proc_fd;
	t->boot_hash = hash_fnv1a(boot_id, 0);
	t->ticks_per_sec = ticks > 0 ? (uint64_t)ticks : 100;
	t->free_first = NONE;
	/* Untouched pages of this are not in memory. */
	t->procs = calloc(PROCTABLE_MAX, sizeof(*t->procs));
	if (t->procs == NULL)
		return -ENOMEM;
	ret = textpool_new(POOL_SIZE, &t->pool);
	if (ret < 0)
		return ret;

	*ret_table = take_ptr(t);
	return 0;
}

void proctable_free(struct proctable *t)
{
	if (t == NULL)
		return;
	textpool_free(t->pool);
	free(t->procs);
	free(t);
}

static uint32_t *bucket_of(struct proctable *t, uint32_t pid)
{
	return &t->buckets[pid % BUCKETS];
}

static void proc_release(struct proctable *t, uint32_t index)
{
	struct proc *p = &t->procs[index];
	uint32_t *link = bucket_of(t, p->pid);

	while (*link != index + 1)
		link = &t->procs[*link - 1].next;
	*link = p->next;
	textpool_unref(t->pool, p->exe);
	textpool_unref(t->pool, p->command_line);
	textpool_unref(t->pool, p->cwd);
	textpool_unref(t->pool, p->tty);
	for (uint32_t i = 0; i < p->n_ancestors; i++)
		textpool_unref(t->pool, p->ancestors[i].exe);
	*p = (struct proc){ .next = t->free_first };
	t->free_first = index;
	t->count--;
}

/* True when a should go rather than b: the dead before the living, the older first. */
static bool goes_before(const struct proc *a, const struct proc *b)
{
	if ((a->dead_ns != 0) != (b->dead_ns != 0))
		return a->dead_ns != 0;
	return a->seen_us < b->seen_us;
}

/* Drops an entry, but not the one at `kept` (NONE: any). False when there is none to drop. */
static bool evict_one(struct proctable *t, uint32_t kept)
{
	uint32_t best = NONE;

	for (uint32_t i = 0; i < EVICT_LOOK && i < t->fresh; i++) {
		uint32_t index = (t->evict_at + i) % t->fresh;
		const struct proc *p = &t->procs[index];

		if (p->is_used && index != kept &&
		    (best == NONE || goes_before(p, &t->procs[best])))
			best = index;
	}
	t->evict_at += EVICT_LOOK;
	if (best == NONE)
		return false;
	proc_release(t, best);
	t->evicted++;
	return true;
}

/* Puts s in the place of one of p's texts. A full pool makes room at the price of other
 * entries, as a full table does: else who starts programs with long arguments would take the
 * texts of all others away. */
static void text_replace(struct proctable *t, const struct proc *p, uint32_t *handle, struct str s)
{
	uint32_t fresh = textpool_put(t->pool, s);

	for (unsigned int i = 0; fresh == TEXTPOOL_NONE && s.n > 0 && i < EVICT_TEXT; i++) {
		if (evict_one(t, (uint32_t)(p - t->procs)))
			fresh = textpool_put(t->pool, s);
	}
	textpool_unref(t->pool, *handle);
	*handle = fresh;
}

static uint32_t proc_take(struct proctable *t)
{
	uint32_t index = t->free_first;

	if (index == NONE && t->fresh < PROCTABLE_MAX)
		return t->fresh++;
	if (index == NONE) {
		(void)evict_one(t, NONE);
		index = t->free_first;
	}
	if (index != NONE)
		t->free_first = t->procs[index].next;
	return index;
}

static uint64_t key_make(const struct proctable *t, uint32_t pid, uint64_t ticks, uint64_t origin)
{
	/* The last word keeps a start time apart from an event that stands in for it. */
	const uint64_t words[3] = { pid, ticks != 0 ? ticks : origin, ticks != 0 };
	struct str bytes = { .p = (const char *)words, .n = sizeof(words) };
	uint64_t key = hash_fnv1a(bytes, t->boot_hash);

	return key != 0 ? key : 1;
}

static uint64_t start_boot_us(const struct proctable *t, uint64_t ticks)
{
	return ticks / t->ticks_per_sec * USEC_PER_SEC +
	       ticks % t->ticks_per_sec * USEC_PER_SEC / t->ticks_per_sec;
}

static uint64_t start_real_us(const struct proctable *t, uint64_t ticks, const struct proc_now *now)
{
	uint64_t since_boot = start_boot_us(t, ticks);

	return since_boot > now->boot_us ? now->real_us
					 : now->real_us - (now->boot_us - since_boot);
}

/* A new entry. st may be NULL: /proc knows nothing of it. */
static struct proc *proc_make(struct proctable *t, uint32_t pid, const struct procfs_stat *st,
			      const struct proc_hint *hint, const struct proc_now *now)
{
	uint32_t index = proc_take(t);
	struct proc *p;

	if (index == NONE)
		return NULL;
	p = &t->procs[index];
	*p = (struct proc){
		.is_used = true,
		.pid = pid,
		.ppid = st != NULL ? st->ppid : UINT32_MAX,
		.uid = UINT32_MAX,
		.euid = UINT32_MAX,
		.auid = UINT32_MAX,
		.ses = UINT32_MAX,
		.parent = NONE,
		.start_ticks = st != NULL ? st->start_ticks : 0,
		.start_us = st != NULL ? start_real_us(t, st->start_ticks, now) : 0,
		.first_us = hint->boot_us,
		.seen_us = hint->boot_us,
		.checked_ns = now->mono_ns,
	};
	p->key = key_make(t, pid, p->start_ticks, hint->origin);
	p->next = *bucket_of(t, pid);
	*bucket_of(t, pid) = index + 1;
	t->count++;
	return p;
}

/* Fills from /proc what a record did not say. Only right while the pid is still p's. */
static void proc_fill(struct proctable *t, struct proc *p, const struct proc_now *now)
{
	struct procfs_ids ids;
	ssize_t n;

	n = procfs_link(t->proc_fd, p->pid, "exe", t->scratch, sizeof(t->scratch));
	if (n > 0) {
		text_replace(t, p, &p->exe, (struct str){ .p = t->scratch, .n = (size_t)n });
		p->image_us = now->boot_us;
	}
	n = procfs_command_line(t->proc_fd, p->pid, t->scratch, sizeof(t->scratch));
	if (n > 0)
		text_replace(t, p, &p->command_line,
			     (struct str){ .p = t->scratch, .n = (size_t)n });
	n = procfs_link(t->proc_fd, p->pid, "cwd", t->scratch, sizeof(t->scratch));
	if (n > 0)
		text_replace(t, p, &p->cwd, (struct str){ .p = t->scratch, .n = (size_t)n });
	if (procfs_ids(t->proc_fd, p->pid, &ids) == 0) {
		p->uid = ids.uid;
		p->euid = ids.euid;
		p->auid = ids.auid;
		p->ses = ids.ses;
	}
}

static void proc_set_tty(struct proctable *t, struct proc *p, uint32_t tty_nr)
{
	char name[16];

	text_replace(t, p, &p->tty, procfs_tty_name(tty_nr, name, sizeof(name)));
}

static void proc_die(struct proc *p, const struct proc_now *now)
{
	if (p->dead_ns != 0)
		return;
	p->dead_ns = now->mono_ns;
	p->dead_us = now->boot_us;
}

/* Ties p to its parent's entry and remembers its ancestors while they are there. */
static void proc_adopt(struct proctable *t, struct proc *p, const struct proc *parent)
{
	struct proc_ancestor list[PROCTABLE_ANCESTORS];
	size_t n;

	if (parent == NULL || parent == p)
		return;
	p->parent = (uint32_t)(parent - t->procs);
	p->parent_key = parent->key;
	n = proctable_ancestors(t, p, list);
	for (size_t i = 0; i < n; i++) {
		uint32_t exe = textpool_ref(t->pool, list[i].exe);

		if (i < p->n_ancestors)
			textpool_unref(t->pool, p->ancestors[i].exe);
		p->ancestors[i] = (struct proc_ancestor){ .pid = list[i].pid, .exe = exe };
	}
	if (n > p->n_ancestors)
		p->n_ancestors = (uint32_t)n;
}

/* The entry with this pid that was there at boot_us; the living one if none is better. */
static struct proc *entry_at(struct proctable *t, uint32_t pid, uint64_t boot_us)
{
	struct proc *live = NULL, *dead = NULL;

	for (uint32_t i = *bucket_of(t, pid); i != 0; i = t->procs[i - 1].next) {
		struct proc *p = &t->procs[i - 1];

		if (p->pid != pid)
			continue;
		if (p->dead_ns == 0)
			live = p;
		else if (boot_us <= p->dead_us && boot_us + SLACK_US >= p->first_us &&
			 (dead == NULL || p->first_us > dead->first_us))
			dead = p;
	}
	if (live != NULL && dead != NULL && live->start_ticks != 0 &&
	    boot_us + SLACK_US < start_boot_us(t, live->start_ticks))
		return dead;
	return live != NULL ? live : dead;
}

/* True when p may be what the record means although /proc no longer has the pid. */
static bool fits_unseen(const struct proctable *t, const struct proc *p,
			const struct proc_hint *hint, bool is_exec)
{
	if (p->dead_ns != 0)
		return true; /* chosen by its time */
	if (hint->ppid != UINT32_MAX && p->ppid != UINT32_MAX && hint->ppid != p->ppid &&
	    hint->ppid != 1) /* an orphan's parent becomes init */
		return false;
	if (is_exec)
		return hint->boot_us < p->seen_us + TRUST_US;
	return hint->exe.n == 0 || p->exe == TEXTPOOL_NONE ||
	       str_eq(textpool_get(t->pool, p->exe), hint->exe);
}

/* The entry that a record means, or NULL when it is a process not seen before; then
 * *ret_has_stat says whether the pid is still its own in /proc. */
static struct proc *resolve(struct proctable *t, const struct proc_hint *hint, bool is_exec,
			    const struct proc_now *now, struct procfs_stat *st, bool *ret_has_stat)
{
	struct proc *p = entry_at(t, hint->pid, hint->boot_us);
	uint64_t start_us;

	*ret_has_stat = false;
	if (p != NULL && p->dead_ns == 0 && !is_exec && now->mono_ns - p->checked_ns < CHECK_NS)
		return p;
	if (procfs_stat(t->proc_fd, hint->pid, st) < 0) {
		if (p == NULL || fits_unseen(t, p, hint, is_exec))
			return p;
		proc_die(p, now);
		return NULL;
	}
	if (p != NULL && p->start_ticks == st->start_ticks) {
		p->checked_ns = now->mono_ns;
		return p;
	}
	start_us = start_boot_us(t, st->start_ticks);
	if (p != NULL && p->dead_ns == 0) {
		if (p->start_ticks == 0 && start_us <= p->first_us + SLACK_US) {
			/* Its start is known only now; the key that events bear stays. */
			p->start_ticks = st->start_ticks;
			p->start_us = start_real_us(t, st->start_ticks, now);
			p->checked_ns = now->mono_ns;
			return p;
		}
		proc_die(p, now); /* the pid is another's */
	}
	if (hint->boot_us + SLACK_US < start_us)
		return p; /* the event is older than who has the pid now */
	*ret_has_stat = true;
	return NULL;
}

static void hint_apply(struct proctable *t, struct proc *p, const struct proc_hint *hint)
{
	if (hint->uid != UINT32_MAX)
		p->uid = hint->uid;
	if (hint->euid != UINT32_MAX)
		p->euid = hint->euid;
	if (hint->auid != UINT32_MAX)
		p->auid = hint->auid;
	if (hint->ses != UINT32_MAX)
		p->ses = hint->ses;
	if (p->ppid == UINT32_MAX)
		p->ppid = hint->ppid;
	if (hint->tty.n > 0)
		text_replace(t, p, &p->tty, hint->tty);
	if (hint->boot_us > p->seen_us)
		p->seen_us = hint->boot_us;
}

/* A living parent that no record has named yet: it never called exec since the start. */
static struct proc *parent_make(struct proctable *t, uint32_t pid, const struct proc_hint *child,
				const struct proc_now *now)
{
	struct proc_hint hint = { .pid = pid,
				  .ppid = UINT32_MAX,
				  .uid = UINT32_MAX,
				  .euid = UINT32_MAX,
				  .auid = UINT32_MAX,
				  .ses = UINT32_MAX,
				  .boot_us = child->boot_us,
				  .origin = child->origin };
	struct procfs_stat st;
	bool has_stat;
	struct proc *p = resolve(t, &hint, false, now, &st, &has_stat);

	if (p != NULL || !has_stat)
		return p;
	p = proc_make(t, pid, &st, &hint, now);
	if (p != NULL) {
		proc_fill(t, p, now);
		proc_set_tty(t, p, st.tty_nr);
	}
	return p;
}

/* Ties p to its ancestors, making entries for those that only /proc knows. */
static void parents_link(struct proctable *t, struct proc *p, const struct proc_hint *hint,
			 const struct proc_now *now)
{
	struct proc *chain[PROCTABLE_ANCESTORS + 1] = { p };
	uint64_t keys[PROCTABLE_ANCESTORS + 1] = { p->key };
	size_t n = 1;

	while (n <= PROCTABLE_ANCESTORS && chain[n - 1]->parent_key == 0 &&
	       chain[n - 1]->ppid != 0 && chain[n - 1]->ppid != UINT32_MAX) {
		struct proc *parent = parent_make(t, chain[n - 1]->ppid, hint, now);

		if (parent == NULL)
			break;
		keys[n] = parent->key;
		chain[n++] = parent;
	}
	/* The eldest first: each remembers what its parent already knows. A full table may
	 * have dropped one of them meanwhile. */
	for (size_t i = n - 1; i > 0; i--) {
		if (chain[i]->key == keys[i] && chain[i - 1]->key == keys[i - 1])
			proc_adopt(t, chain[i - 1], chain[i]);
	}
}

static struct proc *find(struct proctable *t, const struct proc_hint *hint, bool is_exec,
			 const struct proc_now *now)
{
	struct procfs_stat st;
	bool has_stat;
	struct proc *p;
	uint64_t key;

	if (hint->pid == 0 || hint->pid == UINT32_MAX)
		return NULL;
	p = resolve(t, hint, is_exec, now, &st, &has_stat);
	if (p != NULL) {
		hint_apply(t, p, hint);
		return p;
	}
	p = proc_make(t, hint->pid, has_stat ? &st : NULL, hint, now);
	if (p == NULL)
		return NULL;
	if (hint->ppid != UINT32_MAX)
		p->ppid = hint->ppid; /* of that moment; /proc may say 1 by now */
	key = p->key;
	/* What called exec had its parent's image: /proc already shows the new one. */
	if (has_stat && !is_exec)
		proc_fill(t, p, now);
	if (!is_exec && hint->exe.n > 0 && !str_eq(textpool_get(t->pool, p->exe), hint->exe)) {
		/* It called exec since: the record is the truth of its time. */
		text_replace(t, p, &p->exe, hint->exe);
		text_replace(t, p, &p->command_line, (struct str){ 0 });
		p->image_us = hint->boot_us;
	}
	hint_apply(t, p, hint);
	parents_link(t, p, hint, now);
	return p->key == key ? p : NULL;
}

struct proc *proctable_find(struct proctable *t, const struct proc_hint *hint,
			    const struct proc_now *now)
{
	struct proc *p = find(t, hint, false, now);
	const struct proc *parent;

	if (p == NULL)
		return NULL;
	if (p->exe == TEXTPOOL_NONE && hint->exe.n > 0) {
		text_replace(t, p, &p->exe, hint->exe);
		p->image_us = hint->boot_us;
	}
	parent = proctable_parent(t, p);
	/* fork(2) copies the arguments: the same program below its parent has the same. */
	if (p->command_line == TEXTPOOL_NONE && parent != NULL && p->exe != TEXTPOOL_NONE &&
	    p->exe == parent->exe)
		p->command_line = textpool_ref(t->pool, parent->command_line);
	return p;
}

struct proc *proctable_find_exec(struct proctable *t, const struct proc_hint *hint,
				 const struct proc_now *now)
{
	return find(t, hint, true, now);
}

void proctable_exec(struct proctable *t, struct proc *p, const struct proc_hint *hint,
		    struct str command_line, struct str cwd)
{
	/* Read from /proc well after the event: that is what runs now. Within the slack of the
	 * stamps it may be what was there before; a later image then has its own event. */
	if (p->image_us > hint->boot_us + SLACK_US)
		return;
	text_replace(t, p, &p->exe, hint->exe);
	text_replace(t, p, &p->command_line, command_line);
	text_replace(t, p, &p->cwd, cwd);
	p->image_us = hint->boot_us;
}

bool proc_image_is_newer(const struct proc *p, uint64_t boot_us)
{
	return p->image_us > boot_us;
}

const struct proc *proctable_parent(const struct proctable *t, const struct proc *p)
{
	const struct proc *parent;

	if (p->parent_key == 0 || p->parent == NONE)
		return NULL;
	parent = &t->procs[p->parent];
	return parent->is_used && parent->key == p->parent_key ? parent : NULL;
}

size_t proctable_ancestors(const struct proctable *t, const struct proc *p,
			   struct proc_ancestor out[PROCTABLE_ANCESTORS])
{
	size_t n = 0;

	for (;;) {
		const struct proc *parent = proctable_parent(t, p);

		if (n == PROCTABLE_ANCESTORS || parent == NULL)
			break;
		out[n++] = (struct proc_ancestor){ .pid = parent->pid, .exe = parent->exe };
		p = parent;
	}
	for (uint32_t i = 0; i < p->n_ancestors && n < PROCTABLE_ANCESTORS; i++)
		out[n++] = p->ancestors[i];
	return n;
}

struct str proctable_text(const struct proctable *t, uint32_t handle)
{
	return textpool_get(t->pool, handle);
}

void proctable_key_format(uint64_t key, char out[17])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 15; i >= 0; i--) {
		out[i] = digits[key & 15];
		key >>= 4;
	}
	out[16] = '\0';
}

int proctable_seed(struct proctable *t, const struct proc_now *now)
{
	cleanup_(procfs_walk_cleanup) struct procfs_walk *w = NULL;
	uint32_t pid;
	int ret = procfs_walk_open(t->proc_fd, &w);

	if (ret < 0)
		return ret;
	while (t->count < PROCTABLE_MAX && procfs_walk_next(w, &pid)) {
		struct proc_hint hint = { .pid = pid,
					  .ppid = UINT32_MAX,
					  .uid = UINT32_MAX,
					  .euid = UINT32_MAX,
					  .auid = UINT32_MAX,
					  .ses = UINT32_MAX,
					  .boot_us = now->boot_us };
		struct proc *p = parent_make(t, pid, &hint, now);

		if (p != NULL)
			parents_link(t, p, &hint, now);
	}
	return 0;
}

void proctable_sweep(struct proctable *t, const struct proc_now *now)
{
	for (uint32_t i = 0; i < PROCTABLE_SLICE && i < t->fresh; i++) {
		uint32_t index = t->sweep_at++ % t->fresh;
		struct proc *p = &t->procs[index];
		struct procfs_stat st;

		if (!p->is_used)
			continue;
		if (p->dead_ns != 0) {
			if (now->mono_ns - p->dead_ns >= PROCTABLE_DEAD_NS)
				proc_release(t, index);
			continue;
		}
		if (now->mono_ns - p->checked_ns < CHECK_NS)
			continue;
		if (procfs_stat(t->proc_fd, p->pid, &st) < 0 || st.is_zombie ||
		    (p->start_ticks != 0 && st.start_ticks != p->start_ticks))
			proc_die(p, now);
		else
			p->checked_ns = now->mono_ns;
	}
}

uint32_t proctable_count(const struct proctable *t)
{
	return t->count;
}

uint64_t proctable_evicted(const struct proctable *t)
{
	return t->evicted;
}
