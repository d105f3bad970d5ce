/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test plays the kernel: its replies are there before the requests, whose sequence
 * numbers count from 1. */
#include "agent/main/audit_ruleset.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/test.h"

struct fixture {
	char dir[32];
	int kernel;
	uint32_t seq; /* of the last reply */
	struct audit_netlink *netlink;
	struct audit_ruleset *set;
	struct audit_state *state;
};

static void fixture_open(struct fixture *f)
{
	const struct audit_rules_params p = { .profile = AUDIT_PROFILE_MINIMAL,
					      .config_dir = "/etc/endpoint-agent" };
	int fds[2];

	*f = (struct fixture){ .dir = "/tmp/audit-ruleset.XXXXXX" };
	CHECK(mkdtemp(f->dir) != NULL);
	/* Unlike datagrams, packets queue as long as there is room for their bytes. */
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	f->kernel = fds[0];
	CHECK_INT(audit_netlink_new(fds[1], &f->netlink), 0);
	CHECK_INT(audit_ruleset_new(&f->set), 0);
	CHECK_INT(audit_ruleset_want(f->set, &p), 0);
	f->state = calloc(1, sizeof(*f->state));
	CHECK(f->state != NULL);
	CHECK_INT(audit_state_init(f->state), 0);
}

static void fixture_close(struct fixture *f)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/" AUDIT_STATE_FILE, f->dir);
	CHECK(unlink(path) == 0 || errno == ENOENT);
	CHECK_INT(rmdir(f->dir), 0);
	(void)close(f->kernel);
	audit_netlink_free(f->netlink);
	audit_ruleset_free(f->set);
	free(f->state);
}

/* The answer to the next request; cut: shorter than an answer may be. */
static void reply(struct fixture *f, int error, bool is_cut)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = { .h = { .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = ++f->seq }, .e.error = error };

	m.h.nlmsg_len = (uint32_t)(is_cut ? sizeof(m.h) : sizeof(m));
	CHECK_INT(send(f->kernel, &m, m.h.nlmsg_len, 0), m.h.nlmsg_len);
}

static int sync_once(struct fixture *f)
{
	const struct audit_ruleset_sync with = { .netlink = f->netlink,
						 .state = f->state,
						 .run_dir = f->dir };

	return audit_ruleset_sync(f->set, &with);
}

static struct audit_report report_of(const struct fixture *f)
{
	struct audit_report r = { 0 };

	audit_ruleset_report(f->set, &r);
	return r;
}

static void adds_what_is_wanted(void)
{
	struct fixture f;

	fixture_open(&f);
	const uint32_t wanted = report_of(&f).rules_wanted;

	for (uint32_t i = 0; i < wanted; i++)
		reply(&f, 0, false);
	CHECK_INT(sync_once(&f), 0);
	CHECK_INT(f.state->n_rules, wanted);
	CHECK_INT(report_of(&f).rules_loaded, wanted);
	CHECK_INT(sync_once(&f), 0); /* asks nothing */
	fixture_close(&f);
}

static void what_others_added_is_not_ours(void)
{
	struct fixture f;

	fixture_open(&f);
	const uint32_t wanted = report_of(&f).rules_wanted;

	reply(&f, -EEXIST, false);
	reply(&f, -EINVAL, false);
	for (uint32_t i = 2; i < wanted; i++)
		reply(&f, 0, false);
	CHECK_INT(sync_once(&f), 0);
	CHECK_INT(f.state->n_rules, wanted - 2);
	CHECK_INT(report_of(&f).rules_loaded, wanted - 1);
	fixture_close(&f);
}

/* A rule for a path that is not there is none too few; one that is refused is. */
static void what_waits_for_its_path_is_not_missing(void)
{
	struct fixture f;

	fixture_open(&f);
	const uint32_t all = report_of(&f).rules_wanted;

	reply(&f, -ENOENT, false);
	reply(&f, -EINVAL, false);
	for (uint32_t i = 2; i < all; i++)
		reply(&f, 0, false);
	CHECK_INT(sync_once(&f), 0);
	CHECK_INT(report_of(&f).rules_wanted, all - 1);
	CHECK_INT(report_of(&f).rules_loaded, all - 2);
	CHECK_INT(report_of(&f).n_missing, 2);
	fixture_close(&f);
}

/* The answer to an addition is lost, but the rule is in the kernel. */
static void a_lost_answer_leaves_the_rule_ours(void)
{
	struct fixture f;

	fixture_open(&f);
	const uint32_t wanted = report_of(&f).rules_wanted;

	reply(&f, 0, true);
	CHECK_INT(sync_once(&f), -EPROTO);
	CHECK_INT(f.state->n_rules, wanted);
	reply(&f, -EEXIST, false);
	for (uint32_t i = 1; i < wanted; i++)
		reply(&f, 0, false);
	CHECK_INT(sync_once(&f), 0);
	CHECK_INT(f.state->n_rules, wanted);
	CHECK_INT(report_of(&f).rules_loaded, wanted);
	fixture_close(&f);
}

static bool is_missing(const struct fixture *f, const char *what, const char *why)
{
	struct audit_report r = report_of(f);

	for (uint32_t i = 0; i < r.n_missing; i++)
		if (strstr(r.missing[i], what) != NULL && strstr(r.missing[i], why) != NULL)
			return true;
	return false;
}

/* The kernel would load a rule for it and record nothing. */
static void a_symbolic_link_is_not_called_watched(void)
{
	struct fixture f;
	char link[64];
	uint32_t i;

	fixture_open(&f);
	(void)snprintf(link, sizeof(link), "%s/link", f.dir);
	const struct audit_rules_params p = { .profile = AUDIT_PROFILE_STANDARD,
					      .config_dir = link };

	CHECK_INT(symlink("/etc", link), 0);
	CHECK_INT(audit_ruleset_want(f.set, &p), 0);
	for (i = 0; i < report_of(&f).rules_wanted; i++)
		reply(&f, 0, false);
	CHECK_INT(sync_once(&f), 0);
	CHECK(is_missing(&f, link, "a symbolic link"));
	CHECK(!is_missing(&f, "/etc", "a symbolic link"));
	/* A folder in its place is watched. */
	CHECK_INT(unlink(link), 0);
	CHECK_INT(mkdir(link, 0700), 0);
	CHECK_INT(sync_once(&f), 0);
	CHECK(!is_missing(&f, link, ""));
	CHECK_INT(rmdir(link), 0);
	fixture_close(&f);
}

TEST_MAIN({ "adds_what_is_wanted", adds_what_is_wanted },
	  { "what_others_added_is_not_ours", what_others_added_is_not_ours },
	  { "what_waits_for_its_path_is_not_missing", what_waits_for_its_path_is_not_missing },
	  { "a_lost_answer_leaves_the_rule_ours", a_lost_answer_leaves_the_rule_ours },
	  { "a_symbolic_link_is_not_called_watched", a_symbolic_link_is_not_called_watched })
