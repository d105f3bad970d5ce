/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agentctl onboard and offboard: put the file where agentd looks for it, then
 * watch health until the agent has judged it. Whether the file is genuine is not
 * decided here: only the reporter verifies signatures.
 */
#include "agent/ctl/ctl.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "agent/ctl/ask_health.h"
#include "agent/ctl/text.h"

#define BLOB_MAX ((size_t)64 * 1024)
#define WAIT_NS (10 * NSEC_PER_SEC)
#define POLL_NS (200 * NSEC_PER_MSEC)
/* Verdicts come within a second; one that does not change in this time stands. */
#define SETTLE_NS (2 * NSEC_PER_SEC)
#define TEXT_MAX 256u

/* What health says about the licence. */
struct standing {
	bool is_known; /* agentd answered */
	bool is_licensed;
	char state[32];
	char reason[TEXT_MAX];
	char org[64];
};

static void copy(struct str s, char *out, size_t size)
{
	if (str_copy(s, out, size) < 0)
		out[0] = '\0';
}

static void ask_standing(struct ctl *c, struct standing *ret_standing)
{
	cleanup_(view_cleanup) struct view *v = NULL;
	struct standing s = { 0 };

	if (ask_health(c, true, &v) == 0) {
		s.is_known = true;
		s.is_licensed = view_is_licensed(v);
		copy(view_text(v, "licence_state"), s.state, sizeof(s.state));
		copy(view_text(v, "licence_reason"), s.reason, sizeof(s.reason));
		copy(view_text(v, "org_id"), s.org, sizeof(s.org));
	}
	*ret_standing = s;
}

static bool is_same(const struct standing *a, const struct standing *b)
{
	return a->is_known == b->is_known && a->is_licensed == b->is_licensed &&
	       strcmp(a->state, b->state) == 0 && strcmp(a->reason, b->reason) == 0 &&
	       strcmp(a->org, b->org) == 0;
}

/* Waits until the agent has judged the file: the standing has changed, or stays
 * what it was for SETTLE_NS; at most WAIT_NS. */
static void await_standing(struct ctl *c, const struct standing *before, bool wanted,
			   struct standing *ret_now)
{
	uint64_t start_ns = clock_mono_ns();

	for (;;) {
		uint64_t waited_ns = clock_mono_ns() - start_ns;
		const struct timespec pause = { .tv_nsec = (long)POLL_NS };

		ask_standing(c, ret_now);
		bool has_changed = !is_same(before, ret_now);
		bool is_final = strcmp(ret_now->state, "none") != 0;

		if (ret_now->is_known && (ret_now->is_licensed == wanted || is_final) &&
		    (has_changed || waited_ns > SETTLE_NS))
			return;
		if (waited_ns > WAIT_NS)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* Reads the file and looks whether it can be an onboarding file at all, for a
 * clear word before anything is replaced. */
static int read_blob(struct ctl *c, const char *path, struct buf *blob)
{
	static const struct jsonr_limits limits = { .max_bytes = BLOB_MAX, .max_depth = 8 };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct diag diag = { 0 };
	struct str info;
	int r = fs_read_file(AT_FDCWD, path, blob);

	if (r == -ENOENT)
		return ctl_fail(c, CONTROL_NOT_FOUND, "%s: there is no such file", path);
	if (r == -EFBIG)
		return ctl_fail(c, CONTROL_FAILED, "%s: larger than %zu bytes", path, BLOB_MAX);
	if (r < 0)
		return ctl_fail(c, CONTROL_FAILED, "%s: %s", path, strerrordesc_np(-r));
	r = jsonr_parse(buf_str(blob), &limits, &doc, &diag);
	if (r < 0)
		return ctl_fail(c, CONTROL_FAILED, "%s: not JSON: %s", path, diag.text);
	if (jsonr_type(jsonr_root(doc)) != JSONR_OBJECT ||
	    jsonr_get_str(jsonr_member(jsonr_root(doc), "onboardingInfo"), &info) < 0)
		return ctl_fail(c, CONTROL_FAILED, "%s: has no \"onboardingInfo\"", path);
	return 0;
}

static int install(struct ctl *c, const char *from, const char *name)
{
	cleanup_(buf_cleanup) struct buf blob = { 0 };
	char path[PATHS_MAX];

	if (geteuid() != 0)
		return ctl_fail(c, CONTROL_NEEDS_ROOT, "this needs root");
	buf_init(&blob, BLOB_MAX);
	int r = read_blob(c, from, &blob);
	if (r != 0)
		return r;
	r = fs_path(path, sizeof(path), "%s/%s", c->paths.etc, name);
	if (r == 0)
		r = fs_mkdirs(c->paths.etc, 0755);
	if (r == 0)
		r = fs_write_file_atomic(AT_FDCWD, path, buf_str(&blob), 0600);
	if (r < 0)
		return ctl_fail(c, CONTROL_FAILED, "%s/%s: %s", c->paths.etc, name,
				strerrordesc_np(-r));
	return 0;
}

static int print_done(struct ctl *c, const char *type, const char *text, const char *org)
{
	struct jsonw w;

	if (!c->is_json) {
		buf_add_str(&c->out, str_of(text));
		(void)text_add(&c->out, str_of(org), 0);
		buf_add_char(&c->out, '\n');
		return 0;
	}
	jsonw_init(&w, &c->out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "$type", str_of(type));
	jsonw_kv_bool(&w, "licensed", org[0] != '\0');
	if (org[0] != '\0')
		jsonw_kv_str(&w, "orgId", str_of(org));
	jsonw_object_end(&w);
	return 0;
}

static int not_running(struct ctl *c, const char *name)
{
	return ctl_fail(c, CONTROL_UNREACHABLE,
			"Could not connect to the daemon: %s/%s is in place and takes effect when "
			"agentd starts",
			c->paths.etc, name);
}

static int onboard_run(struct ctl *c, const struct ctl_args *a)
{
	struct standing before;
	struct standing now;

	ask_standing(c, &before);
	int r = install(c, a->operands[0], "onboard.json");
	if (r != 0)
		return r;
	await_standing(c, &before, true, &now);
	if (!now.is_known)
		return not_running(c, "onboard.json");
	if (now.is_licensed)
		return print_done(c, "onboardResult", "Onboarded to organisation ", now.org);
	if (strcmp(now.state, "offboarded") == 0)
		return ctl_fail(c, CONTROL_FAILED,
				"not licensed: the host is offboarded; remove %s/offboard.json to "
				"onboard it again",
				c->paths.etc);
	if (strcmp(now.state, "none") == 0)
		return ctl_fail(c, CONTROL_BUSY,
				"agentd has not judged the file within %u s; see \"%s health "
				"--details license\"",
				(unsigned int)(WAIT_NS / NSEC_PER_SEC), c->program);
	return ctl_fail(c, CONTROL_FAILED, "not licensed: %s%s%s", now.state,
			now.reason[0] != '\0' ? ": " : "", now.reason);
}

static int offboard_run(struct ctl *c, const struct ctl_args *a)
{
	struct standing before;
	struct standing now;

	ask_standing(c, &before);
	int r = install(c, a->operands[0], "offboard.json");
	if (r != 0)
		return r;
	await_standing(c, &before, false, &now);
	if (!now.is_known)
		return not_running(c, "offboard.json");
	if (now.is_licensed)
		return ctl_fail(c, CONTROL_FAILED,
				"the agent is still licensed%s%s; its log says why the file was "
				"not taken",
				now.reason[0] != '\0' ? ": " : "", now.reason);
	return print_done(c, "offboardResult", "Offboarded", "");
}

const struct ctl_command ctl_onboard = {
	.name = "onboard",
	.operand = "FILE",
	.summary = "Give the agent its onboarding file and wait until it is licensed.",
	.text = "FILE is copied to onboard.json in the configuration folder; the result comes "
		"within 10 seconds. An offboarding file there takes precedence. Needs root.",
	.run = onboard_run,
};

const struct ctl_command ctl_offboard = {
	.name = "offboard",
	.operand = "FILE",
	.summary = "Give the agent its offboarding file: sending stops.",
	.text = "FILE is copied to offboard.json in the configuration folder. To onboard the host "
		"again, remove that file first. Needs root.",
	.run = offboard_run,
};
