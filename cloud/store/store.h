/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloudd's database: one SQLite file, DIR/cloud.db, WAL with synchronous=FULL, so
 * that a commit that returned is on the disk. It holds tenants, enrolment tokens,
 * devices, their certificates and cursors, and the events. A struct store is one
 * connection and belongs to one thread at a time; the server has one for its
 * committer and one for look-ups, the listing commands open their own beside it.
 * Times are microseconds of CLOCK_REALTIME. SQLite's results become:
 * -ENOSPC disk full, -EIO, -ENOMEM, -EBUSY locked for too long, -EROFS,
 * -EUCLEAN damaged, -EEXIST a constraint; "errno of SQLite" below means these.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/hash.h"
#include "agent/config/plan.h"
#include "cloud/batch.h"

#define STORE_GUID_SIZE 37u
#define STORE_DEVICE_ID_SIZE 41u
#define STORE_SERIAL_SIZE 41u /* hexadecimal serial number of a certificate */

struct store;

enum store_mode {
	STORE_CREATE, /* made when missing; the server */
	STORE_WRITE,  /* must be there */
	STORE_READ,
};

/* Opens DIR/cloud.db. -ENOENT no database, -EINVAL made by a newer version, errno
 * of SQLite; words in diag. Free with store_free(). */
must_check int store_open(const char *dir, enum store_mode mode, struct store **ret_store,
			  struct diag *diag);
void store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store, store_free)

/* A transaction that takes the write lock at once; store_rollback() is always
 * safe. Errno of SQLite. Everything below that writes belongs inside one. */
must_check int store_begin(struct store *s);
must_check int store_commit(struct store *s);
void store_rollback(struct store *s);

/* One level inside a transaction: release keeps what was done since, undo does not. */
must_check int store_savepoint(struct store *s);
must_check int store_release(struct store *s);
must_check int store_undo(struct store *s);

/* False when SQLite ended the transaction by itself (it may, on a full disk). */
bool store_in_transaction(const struct store *s);

/* ---- tenant and tokens ---- */

struct store_tenant {
	int64_t id;
	char tenant_id[STORE_GUID_SIZE];
	char org_id[STORE_GUID_SIZE];
	uint64_t policy_version; /* 0: no policy yet */
};

/* The tenant with this row number; 0: the one the database was made with. Errno of SQLite. */
must_check int store_tenant_get(struct store *s, int64_t id, struct store_tenant *ret_tenant);

struct store_token {
	int64_t tenant;
	enum plan plan;
	uint64_t created_us;
	uint64_t expires_us;
	uint64_t max_uses;
	uint64_t uses;
};

/* Tokens are kept as the SHA-256 of their text. -EEXIST, errno of SQLite. */
must_check int store_token_add(struct store *s, const uint8_t hash[SHA256_SIZE],
			       const struct store_token *token);
/* -ENOENT when there is none, errno of SQLite. */
must_check int store_token_find(struct store *s, const uint8_t hash[SHA256_SIZE],
				struct store_token *ret_token);
must_check int store_token_use(struct store *s, const uint8_t hash[SHA256_SIZE]);

/* ---- devices ---- */

/* What a host says about itself; borrowed. */
struct store_host {
	struct str machine_guid;
	struct str hostname;
	struct str os_id;
	struct str os_version;
	struct str kernel;
	struct str arch;
	struct str agent_version;
	struct str boot_id;
	struct str tags; /* JSON array of strings */
};

struct store_device {
	int64_t id;
	int64_t tenant;
	char device_id[STORE_DEVICE_ID_SIZE];
	enum plan plan;
	uint64_t epoch;
	uint8_t key_sha256[SHA256_SIZE]; /* of its public key (SubjectPublicKeyInfo) */
};

/* By device id. -ENOENT, errno of SQLite. */
must_check int store_device_find(struct store *s, const char *device_id,
				 struct store_device *ret_device);

/* Adds d (d->id is not looked at) and returns its row number. -EEXIST. */
must_check int store_device_add(struct store *s, const struct store_device *d,
				const struct store_host *host, uint64_t now_us, int64_t *ret_id);

/* A known device enrolled again: what it says about itself, and its plan. */
must_check int store_device_update(struct store *s, const struct store_device *d,
				   const struct store_host *host, uint64_t now_us);

/* The device's public key is another one from now on (renewal). */
must_check int store_device_key_set(struct store *s, int64_t device,
				    const uint8_t key_sha256[SHA256_SIZE], uint64_t now_us);

/* Last sign of life with the health object of a heartbeat (one JSON value). */
must_check int store_device_heartbeat(struct store *s, int64_t device, struct str health,
				      uint64_t now_us);

/* ---- certificates ---- */

struct store_certificate {
	int64_t device;
	char serial[STORE_SERIAL_SIZE];
	uint8_t csr_sha256[SHA256_SIZE];
	uint64_t issued_us;
	uint64_t expires_us;
	struct str pem; /* borrowed */
};

must_check int store_certificate_add(struct store *s, const struct store_certificate *c);

/* The newest certificate of `device` made from this CSR that is neither revoked
 * nor expired at now_us; its PEM text is appended to pem. -ENOENT. */
must_check int store_certificate_find(struct store *s, int64_t device,
				      const uint8_t csr_sha256[SHA256_SIZE], uint64_t now_us,
				      struct buf *pem);

/* Who holds the certificate with this serial number. */
struct store_caller {
	int64_t device;
	char device_id[STORE_DEVICE_ID_SIZE];
	char tenant_id[STORE_GUID_SIZE];
	uint64_t policy_version;
	bool is_revoked;
};

/* -ENOENT unknown, errno of SQLite. */
must_check int store_caller_find(struct store *s, const char *serial,
				 struct store_caller *ret_caller);

/* ---- events ---- */

enum store_outcome {
	STORE_STORED,	   /* rows above the cursor were written */
	STORE_DUPLICATE,   /* all of the range was there already */
	STORE_CONFLICT,	   /* the same range came before with another SHA-256 */
	STORE_STALE_EPOCH, /* the device has moved on to a higher epoch */
	STORE_GAP,	   /* numbers between the cursor and the batch never came */
};

struct store_append {
	enum store_outcome outcome;
	uint64_t epoch; /* cursor of the device after this batch */
	uint64_t seq;
	size_t stored;
};

/* Writes the rows of b above the cursor of (device, epoch), remembers the range
 * and moves the cursor (cloud protocol, section 3.2). The first batch of an epoch
 * says where its numbers start. Errno of SQLite; a refused batch is not an error. */
must_check int store_append(struct store *s, int64_t device, const struct batch *b, uint64_t rx_us,
			    struct store_append *ret_append);

/* ---- listings ---- */

struct store_device_info {
	struct str device_id;
	struct str machine_guid;
	struct str hostname;
	struct str os;
	struct str kernel;
	struct str arch;
	struct str agent_version;
	struct str plan;
	struct str tags; /* JSON array */
	uint64_t epoch;
	uint64_t acked_seq;
	uint64_t events;    /* stored */
	uint64_t dropped;   /* named by the device as lost */
	uint64_t conflicts; /* ranges that came twice with different content */
	uint64_t enrolled_us;
	uint64_t last_seen_us;
	uint64_t certificate_expires_us;
};

struct store_filter {
	const char *device_id; /* NULL: all */
	const char *table;     /* NULL: all */
	uint64_t since_us;     /* 0: all; compared with ts_norm */
	uint64_t limit;	       /* 0: all, else the newest ones */
};

struct store_event_info {
	struct str hostname;
	struct str table;
	struct str action;
	struct str summary;
	struct str body;
	uint64_t ts_us;
};

/* A negative return ends the listing with that value. */
typedef int (*store_device_fn)(void *ctx, const struct store_device_info *info);
typedef int (*store_event_fn)(void *ctx, const struct store_event_info *info);

/* Devices by host name. Errno of SQLite or of fn. */
must_check int store_devices_each(struct store *s, store_device_fn fn, void *ctx);

/* Events in the order they arrived. -ENOENT: no such device. action and summary
 * are empty without `with_summary`. */
must_check int store_events_each(struct store *s, const struct store_filter *filter,
				 bool with_summary, store_event_fn fn, void *ctx);
must_check int store_events_count(struct store *s, const struct store_filter *filter,
				  uint64_t *ret_count);
