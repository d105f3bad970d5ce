/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloudd onboarding, cloudd offboarding. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/rand.h"
#include "cloud/blob.h"
#include "cloud/command.h"
#include "cloud/options.h"
#include "cloud/store/store.h"
#include "cloud/url.h"

#define DAYS_MAX 3650u
#define ONBOARDING_DAYS 365u
#define OFFBOARDING_DAYS 30u
#define TOKEN_USES 10000u
#define TOKEN_BYTES 32u
#define US_PER_DAY (UINT64_C(86400) * USEC_PER_SEC)

struct request {
	const char *data;
	const char *out;
	const char *plan_name;
	const char *url;
	uint64_t days;
	uint64_t uses;
	enum plan plan;
	uint64_t now_us;
	uint64_t not_after_us;
};

/* The URL for the blob: --url, else what the server wrote when it last started. */
static int url_get(const struct request *q, const struct pki *pki, char ret_url[URL_MAX + 1],
		   struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf text = { 0 };
	char host[URL_HOST_SIZE];
	char path[4096];
	int r;

	buf_init(&text, URL_MAX + 2);
	if (q->url == NULL) {
		r = fs_path(path, sizeof(path), "%s/endpoint", q->data);
		if (r == 0)
			r = fs_read_file(AT_FDCWD, path, &text);
		if (r < 0)
			return diag_set(diag, r,
					"%s/endpoint cannot be read: start `cloudd serve` or "
					"give --url",
					q->data);
		while (text.len > 0 && text.data[text.len - 1] == '\n')
			text.len--;
	}
	r = url_parse(q->url != NULL ? q->url : buf_cstr(&text), ret_url, host, diag);
	if (r < 0)
		return r;
	if (!pki_server_names(pki, host))
		(void)fprintf(stderr,
			      "cloudd onboarding: warning: the server's certificate does not name "
			      "%s: start `cloudd serve` with --url %s\n",
			      host, ret_url);
	return 0;
}

/* A fresh token, kept as its hash. */
static int token_make(struct store *store, const struct request *q, int64_t tenant,
		      char ret_token[2 * TOKEN_BYTES + 1])
{
	const struct store_token row = { .tenant = tenant,
					 .plan = q->plan,
					 .created_us = q->now_us,
					 .expires_us = q->not_after_us,
					 .max_uses = q->uses };
	uint8_t secret[TOKEN_BYTES];
	uint8_t hash[SHA256_SIZE];
	int r;

	rand_bytes(secret, sizeof(secret));
	hex_encode(secret, sizeof(secret), ret_token);
	r = sha256(str_of(ret_token), hash);
	if (r == 0)
		r = store_begin(store);
	if (r < 0)
		return r;
	r = store_token_add(store, hash, &row);
	if (r == 0)
		r = store_commit(store);
	if (r < 0)
		store_rollback(store);
	return r;
}

static int onboarding_body(const struct request *q, struct store *store, const struct pki *pki,
			   struct buf *body, struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf ca_pem = { 0 };
	char token[2 * TOKEN_BYTES + 1];
	struct store_tenant tenant = { 0 };
	char url[URL_MAX + 1];
	int r;

	buf_init(&ca_pem, PKI_PEM_MAX);
	r = url_get(q, pki, url, diag);
	if (r < 0)
		return r;
	if ((r = store_tenant_get(store, 0, &tenant)) < 0 ||
	    (r = token_make(store, q, tenant.id, token)) < 0)
		return diag_set(diag, r, "the token cannot be stored: %s", strerrordesc_np(-r));
	r = pki_certificate_pem(pki, PKI_TLS_ROOT, &ca_pem);
	if (r < 0)
		return r;
	blob_onboarding_format(
		&(struct blob_content){
			.org_id = tenant.org_id,
			.tenant_id = tenant.tenant_id,
			.url = url,
			.ca_pem = buf_cstr(&ca_pem),
			.token = token,
			.plan = q->plan,
			.not_after_us = q->not_after_us,
		},
		body);
	return buf_error(body);
}

static int offboarding_body(const struct request *q, struct store *store, struct buf *body,
			    struct diag *diag)
{
	struct store_tenant tenant = { 0 };
	int r = store_tenant_get(store, 0, &tenant);

	if (r < 0)
		return diag_set(diag, r, "the tenant cannot be read: %s", strerrordesc_np(-r));
	blob_offboarding_format(tenant.org_id, q->not_after_us, body);
	return buf_error(body);
}

/* The file is made beside its name and renamed over it, which would turn /dev/null or
 * /dev/stdout into a file. */
static int out_check(const struct request *q, struct diag *diag)
{
	struct stat st;

	if (lstat(q->out, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	return diag_set(diag, -EEXIST, "%s is there and is not a regular file", q->out);
}

static int file_make(const struct request *q, bool is_offboarding, struct diag *diag)
{
	cleanup_(store_cleanup) struct store *store = NULL;
	cleanup_(pki_cleanup) struct pki *pki = NULL;
	cleanup_(buf_cleanup) struct buf body = { 0 };
	cleanup_(buf_cleanup) struct buf file = { 0 };
	int r;

	buf_init(&body, BLOB_MAX);
	buf_init(&file, BLOB_MAX);
	r = out_check(q, diag);
	if (r == 0)
		r = store_open(q->data, STORE_WRITE, &store, diag);
	if (r == 0)
		r = pki_open(q->data, PKI_RENEW, q->now_us, &pki, diag);
	if (r == 0)
		r = is_offboarding ? offboarding_body(q, store, &body, diag)
				   : onboarding_body(q, store, pki, &body, diag);
	if (r == 0)
		r = blob_sign(pki, buf_str(&body), &file);
	if (r < 0)
		return r;
	buf_add_char(&file, '\n');
	r = buf_error(&file);
	if (r == 0)
		r = fs_write_file_atomic(AT_FDCWD, q->out, buf_str(&file), 0600);
	if (r < 0)
		return diag_set(diag, r, "%s cannot be written: %s", q->out, strerrordesc_np(-r));
	return 0;
}

/* Both commands; the rows of the second are the first n_rows. */
static int run(const char *name, int argc, char **argv, bool is_offboarding)
{
	struct request q = { .plan_name = "P2",
			     .days = is_offboarding ? OFFBOARDING_DAYS : ONBOARDING_DAYS,
			     .uses = TOKEN_USES,
			     .now_us = clock_real_us() };
	const struct option_row rows[] = {
		{ "--data", OPTION_STR, 0, 0, &q.data },
		{ "--out", OPTION_STR, 0, 0, &q.out },
		{ "--days", OPTION_U64, 1, DAYS_MAX, &q.days },
		{ "--plan", OPTION_STR, 0, 0, &q.plan_name },
		{ "--url", OPTION_STR, 0, 0, &q.url },
		{ "--uses", OPTION_U64, 1, UINT32_MAX, &q.uses },
	};
	struct diag diag = { 0 };
	int r;

	r = options_parse(argc, argv, rows, is_offboarding ? 3 : ARRAY_LEN(rows), q.now_us, &diag);
	if (r < 0)
		return command_fail(name, COMMAND_USAGE, r, &diag);
	if (q.data == NULL || q.out == NULL)
		return command_needs(name, q.data == NULL ? "--data DIR" : "--out FILE");
	if (plan_parse(str_of(q.plan_name), &q.plan) < 0 || q.plan == PLAN_NONE) {
		(void)diag_set(&diag, -EINVAL, "--plan takes P1 or P2, not \"%.80s\"", q.plan_name);
		return command_fail(name, COMMAND_USAGE, -EINVAL, &diag);
	}
	q.not_after_us = q.now_us + q.days * US_PER_DAY;
	r = file_make(&q, is_offboarding, &diag);
	if (r < 0)
		return command_fail(name, COMMAND_FAILED, r, &diag);
	(void)printf("%s\n", q.out);
	return command_end(name);
}

int onboarding_command(int argc, char **argv)
{
	return run("onboarding", argc, argv, false);
}

int offboarding_command(int argc, char **argv)
{
	return run("offboarding", argc, argv, true);
}
