/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/config/config.h"
#include "tests/test.h"

/* A folder of its own with etc/, etc/conf.d/ and share/ for each test. */
struct trial {
	char root[64];
	char etc[96];
	char share[96];
};

static void put(const struct trial *t, const char *name, const char *text)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", t->root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	CHECK_INT(close(fd), 0);
}

static void make_dir(const struct trial *t, const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", t->root, name);
	CHECK_INT(mkdir(path, 0755), 0);
}

static struct trial trial_begin(void)
{
	struct trial t = { .root = "/tmp/config_load_test.XXXXXX" };

	CHECK(mkdtemp(t.root) != NULL);
	(void)snprintf(t.etc, sizeof(t.etc), "%s/etc", t.root);
	(void)snprintf(t.share, sizeof(t.share), "%s/share", t.root);
	make_dir(&t, "etc");
	make_dir(&t, "etc/conf.d");
	make_dir(&t, "share");
	return t;
}

static void empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	CHECK(dir != NULL);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a test has one thread. */
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	CHECK_INT(closedir(dir), 0);
	CHECK_INT(rmdir(path), 0);
}

static void trial_end(const struct trial *t)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/conf.d", t->etc);
	if (access(path, F_OK) == 0)
		empty_dir(path);
	empty_dir(t->etc);
	empty_dir(t->share);
	CHECK_INT(rmdir(t->root), 0);
}

static void load_fails(const struct trial *t, int want, const char *words)
{
	struct config *c = NULL;
	struct diag diag = { 0 };

	CHECK_INT(config_load(t->share, t->etc, &c, &diag), want);
	CHECK(c == NULL);
	if (strstr(diag.text, words) == NULL)
		TEST_BAIL("\"%s\" lacks \"%s\"", diag.text, words);
	CHECK_INT(config_load(t->share, t->etc, &c, NULL), want);
}

static struct config *load(const struct trial *t)
{
	struct config *c = NULL;
	struct diag diag = { 0 };
	int err = config_load(t->share, t->etc, &c, &diag);

	if (err < 0)
		TEST_BAIL("%d: %s", err, diag.text);
	CHECK_STR(diag.text, "");
	return c;
}

static void nothing_there_gives_the_defaults(void)
{
	cleanup_(config_cleanup) struct config *c = NULL;

	CHECK_INT(config_load("/nonexistent/a", "/nonexistent/b", &c, NULL), 0);
	CHECK_INT(cfg_layer_of(c, CFG_LOG_LEVEL), CFG_LAYER_BUILTIN);
}

static void later_layers_win(void)
{
	struct trial t = trial_begin();

	put(&t, "share/agent.json",
	    "{\"log\":{\"level\":\"error\"},\"hunt\":{\"max_ms\":11},\"cloud\":{\"enabled\":false}"
	    "}");
	put(&t, "etc/agent.json", "{\"log\":{\"level\":\"debug\"},\"hunt\":{\"max_ms\":22}}");
	put(&t, "etc/conf.d/9.json", "{\"hunt\":{\"max_ms\":44}}");
	put(&t, "etc/conf.d/10.json", "{\"hunt\":{\"max_ms\":33}}"); /* "10" < "9" */
	cleanup_(config_cleanup) struct config *c = load(&t);
	CHECK(!cfg_bool(c, CFG_CLOUD_ENABLED));
	CHECK_INT(cfg_layer_of(c, CFG_CLOUD_ENABLED), CFG_LAYER_VENDOR);
	CHECK_STRN(cfg_text(c, CFG_LOG_LEVEL), "debug");
	CHECK_INT(cfg_layer_of(c, CFG_LOG_LEVEL), CFG_LAYER_LOCAL);
	CHECK_INT(cfg_u64(c, CFG_HUNT_MAX_MS), 44);
	CHECK_INT(cfg_layer_of(c, CFG_HUNT_MAX_MS), CFG_LAYER_DROPIN);
	trial_end(&t);
}

static void leftovers_of_editors_are_passed_over(void)
{
	static const char *const names[] = { "a.json~", ".a.json",    "a.json.bak", "#a.json#",
					     "a.jso",	"a.json.swp", "json",	    ".json" };
	struct trial t = trial_begin();
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "etc/conf.d/%s", names[i]);
		put(&t, path, "no json at all");
	}
	cleanup_(config_cleanup) struct config *c = load(&t);
	CHECK_STRN(cfg_text(c, CFG_LOG_LEVEL), "info");
	trial_end(&t);
}

static void an_error_refuses_the_whole_load(void)
{
	struct trial t = trial_begin();

	put(&t, "etc/agent.json", "{\n\"audit\":{\"source\":\"on\"}}");
	load_fails(&t, -EINVAL,
		   "agent.json:2: audit.source: expected one of auto|unicast|multicast|off");
	put(&t, "etc/agent.json", "");
	load_fails(&t, -EINVAL, "agent.json");
	put(&t, "etc/agent.json", "{\"log\":{\"level\":\"debug\"}}");
	put(&t, "etc/conf.d/5.json", "{\n\n\"nonsense\":1}");
	load_fails(&t, -EINVAL, "conf.d/5.json:3: nonsense: unknown key");
	put(&t, "etc/conf.d/5.json", "{}");
	put(&t, "share/agent.json", "{\"log\":1}");
	load_fails(&t, -EINVAL, "vendor's agent.json:1: log: expected an object");
	trial_end(&t);
}

static void files_that_others_may_write_are_refused(void)
{
	struct trial t = trial_begin();
	char path[128];

	put(&t, "etc/agent.json", "{}");
	(void)snprintf(path, sizeof(path), "%s/agent.json", t.etc);
	CHECK_INT(chmod(path, 0664), 0);
	load_fails(&t, -EPERM, "agent.json: mode 0664 lets others write");
	CHECK_INT(chmod(path, 0602), 0);
	load_fails(&t, -EPERM, "agent.json: mode 0602");
	if (geteuid() == 0) {
		CHECK_INT(chmod(path, 0644), 0);
		CHECK_INT(chown(path, 12345, 0), 0);
		load_fails(&t, -EPERM, "agent.json: owned by uid 12345, expected root");
	}
	CHECK_INT(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/conf.d", t.etc);
	CHECK_INT(chmod(path, 0777), 0);
	load_fails(&t, -EPERM, "conf.d: mode 0777");
	CHECK_INT(chmod(path, 0755), 0);
	CHECK_INT(chmod(t.etc, 0775), 0);
	load_fails(&t, -EPERM, "/etc: mode 0775");
	CHECK_INT(chmod(t.etc, 0755), 0);
	if (geteuid() == 0) {
		CHECK_INT(chown(t.etc, 12345, 0), 0);
		load_fails(&t, -EPERM, "/etc: owned by uid 12345");
	}
	trial_end(&t);
}

static void only_regular_files_are_read(void)
{
	struct trial t = trial_begin();
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/agent.json", t.etc);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	load_fails(&t, -EINVAL, "agent.json: is a symbolic link");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0); /* must not hang either */
	load_fails(&t, -EINVAL, "agent.json: expected a regular file");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkdir(path, 0755), 0);
	load_fails(&t, -EINVAL, "agent.json: expected a regular file");
	CHECK_INT(rmdir(path), 0);
	(void)snprintf(path, sizeof(path), "%s/conf.d/x.json", t.etc);
	CHECK_INT(mkdir(path, 0755), 0);
	load_fails(&t, -EINVAL, "conf.d/x.json: expected a regular file");
	trial_end(&t);
}

static void folders_must_be_folders(void)
{
	struct trial t = trial_begin();
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/conf.d", t.etc);
	CHECK_INT(rmdir(path), 0);
	put(&t, "etc/conf.d", "{}");
	load_fails(&t, -ENOTDIR, "conf.d: cannot be opened as a folder");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink(t.share, path), 0);
	load_fails(&t, -ENOTDIR, "conf.d: cannot be opened as a folder");
	CHECK_INT(unlink(path), 0);
	trial_end(&t);
}

static void too_large_and_too_many_are_refused(void)
{
	struct trial t = trial_begin();
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/agent.json", t.etc);
	put(&t, "etc/agent.json", "{}");
	CHECK_INT(truncate(path, CONFIG_FILE_MAX + 1), 0);
	load_fails(&t, -EFBIG, "agent.json: larger than 262144 bytes");
	CHECK_INT(unlink(path), 0);
	for (unsigned int i = 0; i < 65; i++) {
		(void)snprintf(path, sizeof(path), "etc/conf.d/%u.json", i);
		put(&t, path, "{}");
		if (i == 63) {
			cleanup_(config_cleanup) struct config *c = load(&t);

			CHECK(c != NULL);
		}
	}
	load_fails(&t, -E2BIG, "conf.d: more than 64 files");
	trial_end(&t);
}

TEST_MAIN({ "nothing_there_gives_the_defaults", nothing_there_gives_the_defaults },
	  { "later_layers_win", later_layers_win },
	  { "leftovers_of_editors_are_passed_over", leftovers_of_editors_are_passed_over },
	  { "an_error_refuses_the_whole_load", an_error_refuses_the_whole_load },
	  { "files_that_others_may_write_are_refused", files_that_others_may_write_are_refused },
	  { "only_regular_files_are_read", only_regular_files_are_read },
	  { "folders_must_be_folders", folders_must_be_folders },
	  { "too_large_and_too_many_are_refused", too_large_and_too_many_are_refused })
