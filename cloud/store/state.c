/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tenants, tokens, devices and certificates. */
#include "cloud/store/db.h"

int store_tenant_get(struct store *s, int64_t id, struct store_tenant *ret_tenant)
{
	struct store_tenant t = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_TENANT_GET, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)id);
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -EUCLEAN;
	t.id = sqlite3_column_int64(stmt, 0);
	t.policy_version = db_u64(stmt, 3);
	r = db_copy(stmt, 1, t.tenant_id, sizeof(t.tenant_id));
	if (r == 0)
		r = db_copy(stmt, 2, t.org_id, sizeof(t.org_id));
	(void)sqlite3_reset(stmt);
	if (r < 0)
		return r;
	*ret_tenant = t;
	return 0;
}

int store_token_add(struct store *s, const uint8_t hash[SHA256_SIZE],
		    const struct store_token *token)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_TOKEN_ADD, &stmt);

	if (r < 0)
		return r;
	db_bind_hash(stmt, 1, hash);
	db_bind_u64(stmt, 2, (uint64_t)token->tenant);
	db_bind_str(stmt, 3, str_of(plan_name(token->plan)));
	db_bind_u64(stmt, 4, token->created_us);
	db_bind_u64(stmt, 5, token->expires_us);
	db_bind_u64(stmt, 6, token->max_uses);
	return db_run(stmt);
}

int store_token_find(struct store *s, const uint8_t hash[SHA256_SIZE],
		     struct store_token *ret_token)
{
	struct store_token t = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_TOKEN_FIND, &stmt);

	if (r < 0)
		return r;
	db_bind_hash(stmt, 1, hash);
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	t.tenant = sqlite3_column_int64(stmt, 0);
	r = plan_parse(db_str(stmt, 1), &t.plan) < 0 ? -EUCLEAN : 0;
	t.created_us = db_u64(stmt, 2);
	t.expires_us = db_u64(stmt, 3);
	t.max_uses = db_u64(stmt, 4);
	t.uses = db_u64(stmt, 5);
	(void)sqlite3_reset(stmt);
	if (r == 0)
		*ret_token = t;
	return r;
}

int store_token_use(struct store *s, const uint8_t hash[SHA256_SIZE])
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_TOKEN_USE, &stmt);

	if (r < 0)
		return r;
	db_bind_hash(stmt, 1, hash);
	return db_run(stmt);
}

int store_device_find(struct store *s, const char *device_id, struct store_device *ret_device)
{
	struct store_device d = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_FIND, &stmt);

	if (r < 0)
		return r;
	db_bind_str(stmt, 1, str_of(device_id));
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	d.id = sqlite3_column_int64(stmt, 0);
	d.tenant = sqlite3_column_int64(stmt, 1);
	d.epoch = db_u64(stmt, 4);
	r = plan_parse(db_str(stmt, 3), &d.plan) < 0 ? -EUCLEAN : 0;
	if (r == 0)
		r = db_copy(stmt, 2, d.device_id, sizeof(d.device_id));
	if (r == 0)
		r = db_copy_hash(stmt, 5, d.key_sha256);
	(void)sqlite3_reset(stmt);
	if (r == 0)
		*ret_device = d;
	return r;
}

/* Parameters 1..11 of DEVICE_ADD and DEVICE_UPDATE are the same. */
static void device_bind(sqlite3_stmt *stmt, const struct store_device *d,
			const struct store_host *host, uint64_t now_us)
{
	db_bind_str(stmt, 1, host->machine_guid);
	db_bind_str(stmt, 2, host->hostname);
	db_bind_str(stmt, 3, host->os_id);
	db_bind_str(stmt, 4, host->os_version);
	db_bind_str(stmt, 5, host->kernel);
	db_bind_str(stmt, 6, host->arch);
	db_bind_str(stmt, 7, host->agent_version);
	db_bind_str(stmt, 8, host->boot_id);
	db_bind_str(stmt, 9, host->tags);
	db_bind_str(stmt, 10, str_of(plan_name(d->plan)));
	db_bind_u64(stmt, 11, now_us);
}

int store_device_add(struct store *s, const struct store_device *d, const struct store_host *host,
		     uint64_t now_us, int64_t *ret_id)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_ADD, &stmt);

	if (r < 0)
		return r;
	device_bind(stmt, d, host, now_us);
	db_bind_u64(stmt, 12, (uint64_t)d->tenant);
	db_bind_str(stmt, 13, str_of(d->device_id));
	db_bind_u64(stmt, 14, d->epoch);
	db_bind_hash(stmt, 15, d->key_sha256);
	r = db_run(stmt);
	if (r == 0)
		*ret_id = sqlite3_last_insert_rowid(s->db);
	return r;
}

int store_device_update(struct store *s, const struct store_device *d,
			const struct store_host *host, uint64_t now_us)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_UPDATE, &stmt);

	if (r < 0)
		return r;
	device_bind(stmt, d, host, now_us);
	db_bind_u64(stmt, 12, (uint64_t)d->id);
	return db_run(stmt);
}

int store_device_key_set(struct store *s, int64_t device, const uint8_t key_sha256[SHA256_SIZE],
			 uint64_t now_us)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_KEY_SET, &stmt);

	if (r < 0)
		return r;
	db_bind_hash(stmt, 1, key_sha256);
	db_bind_u64(stmt, 2, now_us);
	db_bind_u64(stmt, 3, (uint64_t)device);
	return db_run(stmt);
}

int store_device_heartbeat(struct store *s, int64_t device, struct str health, uint64_t now_us)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICE_HEARTBEAT, &stmt);

	if (r < 0)
		return r;
	db_bind_str(stmt, 1, health);
	db_bind_u64(stmt, 2, now_us);
	db_bind_u64(stmt, 3, (uint64_t)device);
	return db_run(stmt);
}

int store_certificate_add(struct store *s, const struct store_certificate *c)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_CERTIFICATE_ADD, &stmt);

	if (r < 0)
		return r;
	db_bind_str(stmt, 1, str_of(c->serial));
	db_bind_u64(stmt, 2, (uint64_t)c->device);
	db_bind_hash(stmt, 3, c->csr_sha256);
	db_bind_u64(stmt, 4, c->issued_us);
	db_bind_u64(stmt, 5, c->expires_us);
	db_bind_str(stmt, 6, c->pem);
	return db_run(stmt);
}

int store_certificate_find(struct store *s, int64_t device, const uint8_t csr_sha256[SHA256_SIZE],
			   uint64_t now_us, struct buf *pem)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_CERTIFICATE_FIND, &stmt);

	if (r < 0)
		return r;
	db_bind_u64(stmt, 1, (uint64_t)device);
	db_bind_hash(stmt, 2, csr_sha256);
	db_bind_u64(stmt, 3, now_us);
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	buf_add_str(pem, db_str(stmt, 0));
	(void)sqlite3_reset(stmt);
	return buf_error(pem);
}

int store_caller_find(struct store *s, const char *serial, struct store_caller *ret_caller)
{
	struct store_caller c = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_CALLER_FIND, &stmt);

	if (r < 0)
		return r;
	db_bind_str(stmt, 1, str_of(serial));
	r = db_row(stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	c.device = sqlite3_column_int64(stmt, 0);
	c.policy_version = db_u64(stmt, 3);
	c.is_revoked = db_u64(stmt, 4) != 0;
	r = db_copy(stmt, 1, c.device_id, sizeof(c.device_id));
	if (r == 0)
		r = db_copy(stmt, 2, c.tenant_id, sizeof(c.tenant_id));
	(void)sqlite3_reset(stmt);
	if (r == 0)
		*ret_caller = c;
	return r;
}
