/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/onboarder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/fs.h"
#include "agent/base/log.h"

#define PATH_SIZE 512u
#define BOTH_FLAGS (POLICY_EXPIRED_LEAF_OK | POLICY_EXPIRED_OK)

struct file {
	bool is_known; /* agentd said something */
	enum onboarder_file state;
	int fd;
};

/* What one file came to. */
struct reading {
	struct onboarding *said; /* NULL when it was refused */
	char digest[SHA256_HEX_SIZE];
	bool is_pinned; /* verified against a root that was there before */
	struct diag why;
};

struct onboarder {
	int cloud_fd;
	char trust_path[PATH_SIZE];
	struct file files[2]; /* onboarding, offboarding */
	struct licence licence;
	struct onboarding *blob;
	char blob_digest[SHA256_HEX_SIZE];
	bool has_bad_offboarding;
};

int onboarder_new(int cloud_fd, const char *trust_path, struct onboarder **ret_onboarder)
{
	struct onboarder *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	o->cloud_fd = cloud_fd;
	o->files[0].fd = -1;
	o->files[1].fd = -1;
	if (str_copy(str_of(trust_path), o->trust_path, sizeof(o->trust_path)) < 0) {
		free(o);
		return -ENAMETOOLONG;
	}
	*ret_onboarder = o;
	return 0;
}

void onboarder_free(struct onboarder *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(o->files); i++)
		fd_cleanup(&o->files[i].fd);
	onboarding_free(o->blob);
	free(o);
}

void onboarder_set_file(struct onboarder *o, bool is_offboarding, enum onboarder_file state,
			int fd_taken)
{
	struct file *f = &o->files[is_offboarding ? 1 : 0];

	fd_cleanup(&f->fd);
	*f = (struct file){ .is_known = true, .state = state, .fd = fd_taken };
}

static void reading_done(struct reading *r)
{
	onboarding_free(r->said);
}

/* The pinned root(s): the administrator's, else the reporter's own pin; empty without any. */
static int anchors_read(const struct onboarder *o, struct buf *pem, struct diag *why)
{
	const char *name = o->trust_path;
	int r = fs_read_file(AT_FDCWD, name, pem);

	if (r == -ENOENT) {
		name = ONBOARDER_PIN_FILE;
		r = fs_read_file(o->cloud_fd, name, pem);
	}
	if (r == -ENOENT) {
		buf_clear(pem);
		return 0;
	}
	if (r == 0 && pem->len == 0)
		r = -ENODATA;
	/* A pin that cannot be read must not count as no pin. */
	return r < 0 ? diag_set(why, r, "%s: %s", name, strerrordesc_np(-r)) : 0;
}

static int file_read(const struct file *f, struct buf *text)
{
	return lseek(f->fd, 0, SEEK_SET) < 0 ? -errno : fs_read_fd(f->fd, text);
}

/* Reads and verifies one file; out->said is NULL and out->why says why when it is refused. */
static void file_verify(const struct onboarder *o, const struct file *f, uint64_t now_us,
			struct reading *out)
{
	cleanup_(buf_cleanup) struct buf text, anchors;
	int r;

	buf_init(&text, POLICY_FILE_MAX);
	buf_init(&anchors, POLICY_FILE_MAX);
	if (f->state == ONBOARDER_FILE_UNSAFE) {
		(void)diag_set(&out->why, -EPERM,
			       "not a regular file of root that only root may write");
		return;
	}
	r = file_read(f, &text);
	if (r == 0)
		r = sha256_hex(buf_str(&text), out->digest);
	if (r < 0) {
		(void)diag_set(&out->why, r, "cannot be read: %s", strerrordesc_np(-r));
		return;
	}
	if (anchors_read(o, &anchors, &out->why) < 0)
		return;
	out->is_pinned = anchors.len > 0;
	(void)!policy_verify(buf_str(&text), buf_str(&anchors), now_us, BOTH_FLAGS, &out->said,
			     &out->why);
}

/* The first good file decides whose files count from then on. */
static int pin(const struct onboarder *o, struct reading *in)
{
	int r;

	if (in->is_pinned)
		return 0;
	r = fs_write_file_atomic(o->cloud_fd, ONBOARDER_PIN_FILE, buf_str(&in->said->root_pem),
				 0600);
	if (r < 0)
		return diag_set(&in->why, r, "the root cannot be stored: %s", strerrordesc_np(-r));
	log_info("onboarding root pinned: SHA-256 %s", in->said->root_fingerprint);
	return 0;
}

static void licence_set(struct licence *l, enum licence_state state, const struct onboarding *said,
			const char *reason)
{
	*l = (struct licence){ .state = state };
	if (said != NULL) {
		(void)!str_copy(str_of(said->org_id), l->org_id, sizeof(l->org_id));
		l->plan = state == LICENCE_ACTIVE ? said->plan : PLAN_NONE;
	}
	(void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

/* The licence the onboarding file alone gives. */
static void judge_onboarding(const struct onboarder *o, uint64_t now_us, const char *identity_org,
			     struct reading *in, struct licence *l)
{
	const struct file *f = &o->files[0];

	if (f->state == ONBOARDER_FILE_ABSENT) {
		licence_set(l, LICENCE_NONE, NULL, "not onboarded");
		return;
	}
	file_verify(o, f, now_us, in);

	const struct onboarding *said = in->said;
	bool is_expired = said != NULL && !said->is_offboarding && said->is_expired;

	if (said != NULL && said->is_offboarding)
		(void)diag_set(&in->why, -EINVAL, "onboard.json is an offboarding file");
	else if (is_expired)
		(void)diag_set(&in->why, -EKEYEXPIRED, "the onboarding file has expired");
	else if (said != NULL && said->is_leaf_expired && strcmp(said->org_id, identity_org) != 0)
		(void)diag_set(&in->why, -EKEYEXPIRED, "the signing certificate has expired");
	else if (said != NULL && pin(o, in) == 0)
		licence_set(l, LICENCE_ACTIVE, said, "");
	if (in->why.text[0] != '\0')
		licence_set(l, is_expired ? LICENCE_EXPIRED : LICENCE_INVALID,
			    is_expired ? said : NULL, in->why.text);
}

/* True when this very offboarding file took effect before: its date is then no
 * longer asked for, only its removal ends what it did. */
static bool mark_is(const struct onboarder *o, const char *digest)
{
	cleanup_(buf_cleanup) struct buf mark;

	buf_init(&mark, SHA256_HEX_SIZE);
	return fs_read_file(o->cloud_fd, ONBOARDER_MARK_FILE, &mark) == 0 &&
	       str_eq(buf_str(&mark), str_of(digest));
}

static void mark_set(const struct onboarder *o, const char *digest)
{
	int r = fs_write_file_atomic(o->cloud_fd, ONBOARDER_MARK_FILE, str_of(digest), 0600);

	if (r < 0)
		log_error("%s: %s", ONBOARDER_MARK_FILE, strerrordesc_np(-r));
}

/* True when the offboarding file holds for the organisation `org`; *ret_why is "" or says
 * why a file that is there does not. */
static bool is_offboarded(const struct onboarder *o, uint64_t now_us, const char *org,
			  struct diag *ret_why)
{
	cleanup_(reading_done) struct reading in = { 0 };
	const struct file *f = &o->files[1];

	if (f->state == ONBOARDER_FILE_ABSENT) {
		if (unlinkat(o->cloud_fd, ONBOARDER_MARK_FILE, 0) < 0 && errno != ENOENT)
			log_error("%s: %s", ONBOARDER_MARK_FILE, strerrordesc_np(errno));
		return false;
	}
	file_verify(o, f, now_us, &in);
	if (in.said == NULL) {
		*ret_why = in.why;
		return false;
	}
	if (!in.said->is_offboarding) {
		(void)diag_set(ret_why, -EINVAL, "offboard.json is an onboarding file");
		return false;
	}
	if (org[0] == '\0') /* nothing to take back yet */
		return false;
	if (strcmp(in.said->org_id, org) != 0) {
		(void)diag_set(ret_why, -EINVAL, "it is for another organisation");
		return false;
	}
	if (mark_is(o, in.digest))
		return true;
	if (in.said->is_expired || in.said->is_leaf_expired) {
		(void)diag_set(ret_why, -EKEYEXPIRED, "it has expired");
		return false;
	}
	mark_set(o, in.digest);
	return true;
}

static bool take_result(struct onboarder *o, const struct licence *l, struct reading *in)
{
	bool is_active = l->state == LICENCE_ACTIVE;
	bool has_changed = !licence_eq(l, &o->licence) ||
			   strcmp(is_active ? in->digest : "", o->blob_digest) != 0;

	if (!has_changed)
		return false;
	o->licence = *l;
	onboarding_free(take_ptr(o->blob));
	memset(o->blob_digest, 0, sizeof(o->blob_digest));
	if (is_active) {
		o->blob = take_ptr(in->said);
		memcpy(o->blob_digest, in->digest, sizeof(o->blob_digest));
	}
	return true;
}

int onboarder_evaluate(struct onboarder *o, uint64_t now_us, const char *identity_org)
{
	cleanup_(reading_done) struct reading in = { 0 };
	struct licence l = { 0 };
	struct diag why = { 0 };

	if (!o->files[0].is_known || !o->files[1].is_known)
		return 0;
	judge_onboarding(o, now_us, identity_org, &in, &l);
	if (is_offboarded(o, now_us, l.org_id[0] != '\0' ? l.org_id : identity_org, &why))
		licence_set(&l, LICENCE_OFFBOARDED, in.said, "offboarded");
	if (why.text[0] != '\0' && !o->has_bad_offboarding)
		log_warning("offboarding file refused: %s", why.text);
	o->has_bad_offboarding = why.text[0] != '\0';
	return take_result(o, &l, &in) ? 1 : 0;
}

const struct licence *onboarder_licence(const struct onboarder *o)
{
	return &o->licence;
}

const struct onboarding *onboarder_blob(const struct onboarder *o)
{
	return o->blob;
}

bool onboarder_is_pending(const struct onboarder *o)
{
	return o->has_bad_offboarding || o->licence.state == LICENCE_INVALID;
}

bool onboarder_has_bad_offboarding(const struct onboarder *o)
{
	return o->has_bad_offboarding;
}
