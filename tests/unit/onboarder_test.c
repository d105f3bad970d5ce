/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/onboarder.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "agent/base/fs.h"
#include "tests/blob.h"
#include "tests/folder.h"

#define ORG "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_ORG "11234567-89ab-cdef-0123-456789abcdef"
#define OFFBOARD "{\"orgId\":\"" ORG "\",\"offboard\":true,\"notAfter\":\"2026-06-28T00:00:00Z\"}"
#define DAY_US ((uint64_t)BLOB_DAY_S * USEC_PER_SEC)

static struct blob_pki pki, other;

/* A host: the reporter's folder, and its view of the files. */
struct host {
	struct folder folder;
	struct folder etc;
	struct onboarder *o;
};

static void host_restart(struct host *h)
{
	char trust[128];

	onboarder_free(h->o);
	(void)snprintf(trust, sizeof(trust), "%s/trust.pem", h->etc.path);
	CHECK_INT(onboarder_new(h->folder.fd, trust, &h->o), 0);
}

static void host_make(struct host *h)
{
	*h = (struct host){ .folder = folder_make(), .etc = folder_make() };
	host_restart(h);
}

static void host_done(struct host *h)
{
	onboarder_free(h->o);
	folder_done(&h->folder);
	folder_done(&h->etc);
}

static int text_fd(struct str text)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(fs_write_all(fd, text.p, text.n), 0);
	return fd;
}

/* body NULL: no such file; "": the file is unsafe; one that begins with '!' is not
 * signed but the file's text itself. */
static void file_set(struct host *h, bool is_offboarding, const struct blob_pki *p,
		     const char *body)
{
	cleanup_(buf_cleanup) struct buf file;

	buf_init(&file, 1u << 20);
	if (body == NULL) {
		onboarder_set_file(h->o, is_offboarding, ONBOARDER_FILE_ABSENT, -1);
		return;
	}
	if (body[0] == '\0') {
		onboarder_set_file(h->o, is_offboarding, ONBOARDER_FILE_UNSAFE, -1);
		return;
	}
	if (body[0] == '!')
		buf_add_str(&file, str_of(body + 1));
	else
		blob_make(p, body, NULL, &file);
	onboarder_set_file(h->o, is_offboarding, ONBOARDER_FILE_PRESENT, text_fd(buf_str(&file)));
}

static void onboard(struct host *h, const struct blob_pki *p, const char *extra)
{
	cleanup_(buf_cleanup) struct buf body;

	buf_init(&body, 1u << 20);
	blob_body(p, extra, &body);
	file_set(h, false, p, buf_cstr(&body));
}

static enum licence_state state(const struct host *h)
{
	return onboarder_licence(h->o)->state;
}

static void asks_for_both_files_first(void)
{
	cleanup_(host_done) struct host h;

	host_make(&h);
	onboard(&h, &pki, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 0);
	file_set(&h, true, NULL, NULL);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

static void licenses_and_pins(void)
{
	cleanup_(host_done) struct host h;
	cleanup_(buf_cleanup) struct buf pin;
	cleanup_(free_cleanup) char *root = blob_pem(pki.root);

	buf_init(&pin, 65536);
	host_make(&h);
	file_set(&h, false, NULL, NULL);
	file_set(&h, true, NULL, NULL);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_NONE);
	CHECK_STR(onboarder_licence(h.o)->reason, "not onboarded");
	CHECK(onboarder_blob(h.o) == NULL);

	onboard(&h, &pki, "\"plan\":\"P2\",");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 0);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
	CHECK_INT(onboarder_licence(h.o)->plan, PLAN_P2);
	CHECK_STR(onboarder_licence(h.o)->org_id, ORG);
	CHECK_STR(onboarder_licence(h.o)->reason, "");
	CHECK_STR(onboarder_blob(h.o)->org_id, ORG);
	CHECK_INT(fs_read_file(h.folder.fd, ONBOARDER_PIN_FILE, &pin), 0);
	CHECK_STRN(buf_str(&pin), root);

	/* The same licence by another file is a change: its token and addresses count. */
	onboard(&h, &pki, "\"plan\":\"P2\",\"x\":1,");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

static void another_root_is_refused_from_then_on(void)
{
	cleanup_(host_done) struct host h;

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	onboard(&h, &pki, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	onboard(&h, &other, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
	CHECK(onboarder_blob(h.o) == NULL);
	CHECK(onboarder_is_pending(h.o));
	host_restart(&h);
	file_set(&h, true, NULL, NULL);
	onboard(&h, &other, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
	onboard(&h, &pki, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

static void administrators_root_goes_first(void)
{
	cleanup_(host_done) struct host h;
	cleanup_(free_cleanup) char *root = blob_pem(other.root);

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	CHECK_INT(fs_write_file_atomic(h.etc.fd, "trust.pem", str_of(root), 0644), 0);
	onboard(&h, &pki, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
	onboard(&h, &other, "");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
	CHECK_INT(faccessat(h.folder.fd, ONBOARDER_PIN_FILE, F_OK, 0), -1);

	/* One that says nothing is not as good as none. */
	CHECK_INT(fs_write_file_atomic(h.etc.fd, "trust.pem", STR(""), 0644), 0);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
}

static void offboarding_goes_first(void)
{
	cleanup_(host_done) struct host h;

	host_make(&h);
	onboard(&h, &pki, "");
	file_set(&h, true, &pki, OFFBOARD);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ORG), 1);
	CHECK_INT(state(&h), LICENCE_OFFBOARDED);
	CHECK_INT(onboarder_licence(h.o)->plan, PLAN_NONE);
	CHECK_STR(onboarder_licence(h.o)->org_id, ORG);
	CHECK(onboarder_blob(h.o) == NULL);

	/* It took effect in time: its date passes, it stays. */
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 100 * DAY_US, ORG), 0);
	host_restart(&h);
	onboard(&h, &pki, "");
	file_set(&h, true, &pki, OFFBOARD);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 100 * DAY_US, ORG), 1);
	CHECK_INT(state(&h), LICENCE_OFFBOARDED);

	/* Without it the host is onboarded again, and the old file does nothing any more. */
	file_set(&h, true, NULL, NULL);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 100 * DAY_US, ORG), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
	file_set(&h, true, &pki, OFFBOARD);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 100 * DAY_US, ORG), 0);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
	CHECK(onboarder_has_bad_offboarding(h.o));
}

static void refuses_bad_offboarding(void)
{
	static const char *const bodies[] = {
		"",
		"!",
		"!{}",
		"{\"orgId\":\"" OTHER_ORG
		"\",\"offboard\":true,\"notAfter\":\"2026-06-28T00:00:00Z\"}",
		"{\"orgId\":\"" ORG "\",\"offboard\":true,\"notAfter\":\"2026-05-01T00:00:00Z\"}",
		"{\"orgId\":\"" ORG "\",\"offboard\":false,\"notAfter\":\"2026-06-28T00:00:00Z\"}",
	};
	cleanup_(host_done) struct host h;

	host_make(&h);
	onboard(&h, &pki, "");
	file_set(&h, true, NULL, NULL);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ORG), 1);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		file_set(&h, true, &pki, bodies[i]);
		CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ORG), 0);
		CHECK_INT(state(&h), LICENCE_ACTIVE);
		CHECK(onboarder_has_bad_offboarding(h.o));
	}
	file_set(&h, true, &other, OFFBOARD);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ORG), 0);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
	file_set(&h, true, NULL, NULL);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ORG), 0);
	CHECK(!onboarder_has_bad_offboarding(h.o));
}

static void refuses_bad_onboarding(void)
{
	static const char offboard[] = OFFBOARD;
	static const char *const bodies[] = {
		"", "!", "!{", "!{\"onboardingInfo\":\"{}\"}", "{}", offboard,
	};
	cleanup_(host_done) struct host h;

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		file_set(&h, false, &pki, bodies[i]);
		CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
		CHECK_INT(state(&h), LICENCE_INVALID);
		CHECK(onboarder_licence(h.o)->reason[0] != '\0');
		CHECK_STR(onboarder_licence(h.o)->org_id, "");
	}
	CHECK_INT(faccessat(h.folder.fd, ONBOARDER_PIN_FILE, F_OK, 0), -1);
}

static void expires_with_time(void)
{
	cleanup_(host_done) struct host h;

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	onboard(&h, &pki, "\"notAfter\":\"2026-06-28T00:00:00Z\",");
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 10 * DAY_US, ""), 0);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US + 50 * DAY_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_EXPIRED);
	CHECK_STR(onboarder_licence(h.o)->org_id, ORG);
	CHECK_INT(onboarder_licence(h.o)->plan, PLAN_NONE);
	/* A clock that was wrong and is set: as if nothing had been. */
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

/* The leaf is valid for a year: after it, only hosts that are of the organisation
 * already may go on. */
static void expired_leaf_licenses_old_hosts_only(void)
{
	cleanup_(host_done) struct host h;
	uint64_t later_us = BLOB_NOW_US + 400 * DAY_US;

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	onboard(&h, &pki, "");
	CHECK_INT(onboarder_evaluate(h.o, later_us, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
	CHECK_STR(onboarder_licence(h.o)->reason, "the signing certificate has expired");
	CHECK_INT(onboarder_evaluate(h.o, later_us, OTHER_ORG), 0);
	CHECK_INT(onboarder_evaluate(h.o, later_us, ORG), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

static void does_not_license_what_it_cannot_pin(void)
{
	cleanup_(host_done) struct host h;

	host_make(&h);
	file_set(&h, true, NULL, NULL);
	onboard(&h, &pki, "");
	CHECK_INT(mkdirat(h.folder.fd, ONBOARDER_PIN_FILE ".tmp", 0700), 0);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_INVALID);
	CHECK_INT(unlinkat(h.folder.fd, ONBOARDER_PIN_FILE ".tmp", AT_REMOVEDIR), 0);
	CHECK_INT(onboarder_evaluate(h.o, BLOB_NOW_US, ""), 1);
	CHECK_INT(state(&h), LICENCE_ACTIVE);
}

static void pki_make(void)
{
	blob_pki_init(&pki, 365);
	blob_pki_init(&other, 365);
}

static void pki_end(void)
{
	blob_pki_done(&pki);
	blob_pki_done(&other);
}

TEST_MAIN({ "pki_make", pki_make }, { "asks_for_both_files_first", asks_for_both_files_first },
	  { "licenses_and_pins", licenses_and_pins },
	  { "another_root_is_refused_from_then_on", another_root_is_refused_from_then_on },
	  { "administrators_root_goes_first", administrators_root_goes_first },
	  { "offboarding_goes_first", offboarding_goes_first },
	  { "refuses_bad_offboarding", refuses_bad_offboarding },
	  { "refuses_bad_onboarding", refuses_bad_onboarding },
	  { "expires_with_time", expires_with_time },
	  { "expired_leaf_licenses_old_hosts_only", expired_leaf_licenses_old_hosts_only },
	  { "does_not_license_what_it_cannot_pin", does_not_license_what_it_cannot_pin },
	  { "pki_end", pki_end })
