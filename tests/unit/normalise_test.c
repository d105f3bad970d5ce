/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/normalise.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/test.h"

#define CALL                                                                                       \
	" items=%d ppid=10 pid=11 auid=1000 uid=1000 gid=0 euid=0 suid=0 fsuid=0 egid=0 "          \
	"sgid=0 fsgid=0 tty=pts1 ses=3 comm=\"x\" exe=\"/usr/bin/x\" key=\"a\""

static struct normaliser *normaliser;
static struct proctable *procs;
static struct users *users;
static struct event *event;
static char folder[64];
static int dir_fd = -1;
static uint64_t second = 1700000000;		/* what the clock says */
static uint64_t uptime_base = 1700000000 - 900; /* second - this: seconds since boot */

static void up(void)
{
	struct normaliser_options o = { .hostname = STR("host") };

	(void)snprintf(folder, sizeof(folder), "/tmp/normalise-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fs_write_file_atomic(dir_fd, "passwd",
				       STR("root:x:0:0::/:/\nann:x:1000:0::/:/\n"), 0644),
		  0);
	CHECK_INT(proctable_new(dir_fd, STR("boot"), &procs), 0);
	CHECK_INT(users_new(dir_fd, &users), 0);
	o.procs = procs;
	o.users = users;
	o.proc_fd = dir_fd;
	CHECK_INT(normaliser_new(&o, &normaliser), 0);
	CHECK_INT(event_new(&event), 0);
}

static void down(void)
{
	normaliser_free(normaliser);
	event_free(event);
	proctable_free(procs);
	users_free(users);
	(void)unlinkat(dir_fd, "passwd", 0);
	(void)close(take_fd(dir_fd));
	CHECK_INT(rmdir(folder), 0);
}

/* Gives an event of these parts to the normaliser. */
struct part {
	uint16_t type;
	const char *text;
};

static bool give(const struct part *list, size_t n)
{
	struct audit_part parts[80];
	struct audit_event ae = { .sec = second, .msec = 7, .serial = 42, .parts = parts };
	struct proc_now now = { .mono_ns = (second - uptime_base) * NSEC_PER_SEC,
				.real_us = second * USEC_PER_SEC + 500000,
				.boot_us = (second - uptime_base) * USEC_PER_SEC };

	CHECK(n <= ARRAY_LEN(parts));
	for (size_t i = 0; i < n; i++)
		parts[ae.n_parts++] =
			(struct audit_part){ .type = list[i].type, .text = str_of(list[i].text) };
	return normaliser_event(normaliser, &ae, &now, event);
}

#define GIVE(...)                                                                                  \
	give((const struct part[]){ __VA_ARGS__ },                                                 \
	     sizeof((const struct part[]){ __VA_ARGS__ }) / sizeof(struct part))

static struct str text_of(enum event_field f)
{
	struct str s = { 0 };

	(void)event_get_str(event, f, &s);
	return s;
}

static uint64_t number_of(enum event_field f)
{
	uint64_t v = UINT64_MAX;

	(void)event_get_u64(event, f, &v);
	return v;
}

static bool is_set(enum event_field f)
{
	bool v = false;

	return event_get_bool(event, f, &v) && v;
}

static void an_exec_is_a_process_created(void)
{
	size_t iter = 0;
	struct str key;

	CHECK(GIVE({ 1300,
		     "arch=c000003e syscall=59 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=3 "
		     "ppid=10 pid=11 auid=1000 uid=1000 gid=0 euid=0 suid=0 fsuid=0 egid=0 "
		     "sgid=0 fsgid=0 tty=pts1 ses=3 comm=\"x\" exe=\"/usr/bin/bash\" "
		     "key=6B3101"
		     "6B32" },
		   { 1309, "argc=2 a0=\"/bin/bash\" a1=\"./s.sh\"" }, { 1307, "cwd=\"/w\"" },
		   { 1302, "item=1 name=\"/bin/bash\" inode=5 dev=fe:00 mode=0100755 ouid=0 ogid=0 "
			   "nametype=NORMAL" },
		   { 1302, "item=0 name=\"./s.sh\" inode=6 dev=fe:00 mode=0100700 ouid=1 ogid=0 "
			   "nametype=NORMAL" },
		   { 1302, "item=2 name=\"/lib64/ld-linux-x86-64.so.2\" nametype=NORMAL" }));
	CHECK_INT(event_kind(event), EVENT_KIND_PROCESS_CREATED);
	CHECK_INT(event_origin(event), second << 32 | 42);
	CHECK_INT(event_real_us(event), second * USEC_PER_SEC + 7000);
	CHECK_INT(event_mono_us(event), 900 * USEC_PER_SEC - 493000);
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/usr/bin/bash");
	CHECK_STRN(text_of(EVENT_FILE_NAME), "bash");
	CHECK_STRN(text_of(EVENT_SCRIPT), "/w/s.sh");
	CHECK_INT(number_of(EVENT_INODE), 5); /* of the program, not of the script */
	CHECK_STRN(text_of(EVENT_PROCESS_COMMAND_LINE), "/bin/bash ./s.sh");
	CHECK_STRN(text_of(EVENT_ACCOUNT_NAME), "ann");
	CHECK_STRN(text_of(EVENT_ACCOUNT_SID), "1000");
	CHECK_STRN(text_of(EVENT_PROCESS_TOKEN_ELEVATION), "TokenElevationTypeFull");
	CHECK_STRN(text_of(EVENT_PROCESS_TTY), "pts1");
	CHECK_INT(number_of(EVENT_LOGON_ID), 3);
	CHECK_INT(number_of(EVENT_INITIATING_PROCESS_ID), 10);
	CHECK(event_next_str(event, EVENT_AUDIT_KEYS, &iter, &key));
	CHECK_STRN(key, "k1");
	CHECK(event_next_str(event, EVENT_AUDIT_KEYS, &iter, &key));
	CHECK_STRN(key, "k2");
	CHECK(!is_set(EVENT_PARTIAL));
	/* Its child knows it as parent. */
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=11 pid=12 "
			   "uid=0 euid=0 exe=\"/bin/ls\"" },
		   { 1309, "argc=1 a0=\"ls\"" }));
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/usr/bin/bash");
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_COMMAND_LINE), "/bin/bash ./s.sh");
	CHECK_STRN(text_of(EVENT_PROCESS_TOKEN_ELEVATION), "TokenElevationTypeDefault");
	CHECK_INT(text_of(EVENT_PREVIOUS_IMAGE).n, 0);
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=11 pid=12 "
			   "uid=0 euid=0 exe=\"/bin/cat\"" },
		   { 1309, "argc=1 a0=\"cat\"" }));
	CHECK_STRN(text_of(EVENT_PREVIOUS_IMAGE), "/bin/ls");
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/usr/bin/bash");
}

/* Who sets the clock back must not hide behind the image that was there before. */
static void a_clock_that_is_set_back_changes_no_order(void)
{
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=10 pid=40 "
			   "uid=0 euid=0 exe=\"/bin/good\"" },
		   { 1309, "argc=1 a0=\"good\"" }));
	second -= 3600;
	uptime_base -= 3600;
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=10 pid=40 "
			   "uid=0 euid=0 exe=\"/tmp/evil\"" },
		   { 1309, "argc=1 a0=\"evil\"" }));
	CHECK_STRN(text_of(EVENT_PREVIOUS_IMAGE), "/bin/good");
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=40 pid=41 "
			   "uid=0 euid=0 exe=\"/bin/ls\"" },
		   { 1309, "argc=1 a0=\"ls\"" }));
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/tmp/evil");
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_COMMAND_LINE), "evil");
	second += 3600;
	uptime_base += 3600;
}

static void missing_records_are_said(void)
{
	second += 100;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=2 ppid=10 pid=50 "
			   "exe=\"/bin/x\"" }));
	CHECK(is_set(EVENT_PARTIAL));
	CHECK_INT(text_of(EVENT_PROCESS_COMMAND_LINE).n, 0);
	CHECK_INT(text_of(EVENT_ACCOUNT_SID).n, 0); /* not stated, not guessed */
	/* Without its SYSCALL nobody is known to have done it. */
	CHECK(!GIVE({ 1309, "argc=1 a0=\"x\"" }, { 1307, "cwd=\"/\"" }));
	/* Failures are no processes. */
	CHECK(!GIVE({ 1300, "arch=c000003e syscall=59 success=no exit=-13 ppid=1 pid=50 "
			    "exe=\"/bin/sh\"" }));
}

static void long_arguments_keep_both_ends(void)
{
	static char execve[70000];
	static struct part parts[2] = { { 1300,
					  "arch=c000003e syscall=59 success=yes exit=0 items=0 "
					  "ppid=1 pid=60 exe=\"/bin/x\"" },
					{ 1309, execve } };
	int n = snprintf(execve, sizeof(execve), "argc=3 a0=\"first\" a1=\"");
	struct str line;

	second += 100;
	memset(execve + n, 'm', 60000);
	(void)snprintf(execve + n + 60000, 32, "\" a2=\"last\"");
	CHECK(give(parts, 2));
	line = text_of(EVENT_PROCESS_COMMAND_LINE);
	CHECK(line.n <= EVENT_STR_MAX);
	CHECK(line.n > EVENT_STR_MAX / 2);
	CHECK(str_starts(line, STR("first mmmm")));
	CHECK(str_ends(line, STR("m <...> last")));
	CHECK(is_set(EVENT_COMMAND_LINE_TRUNCATED));
	CHECK_INT(number_of(EVENT_ARGC), 3);
}

static bool connect_to(const char *saddr, const char *result)
{
	char call[512];

	second += 1;
	(void)snprintf(call, sizeof(call), "arch=c000003e syscall=42 %s" CALL, result, 0);
	return GIVE({ 1300, call }, { 1306, saddr });
}

static void connections_by_result(void)
{
	CHECK(connect_to("saddr=020001BB08080808", "success=yes exit=0") == false); /* too short */
	CHECK(connect_to("saddr=020001BB080808080000000000000000", "success=yes exit=0"));
	CHECK_INT(event_kind(event), EVENT_KIND_CONNECTION_SUCCESS);
	CHECK_STRN(text_of(EVENT_REMOTE_IP), "8.8.8.8");
	CHECK_INT(number_of(EVENT_REMOTE_PORT), 443);
	CHECK_STRN(text_of(EVENT_REMOTE_IP_TYPE), "Public");
	CHECK_INT(text_of(EVENT_PROTOCOL).n, 0); /* not known */
	CHECK_STRN(text_of(EVENT_RESULT), "success");
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/usr/bin/x");
	CHECK(connect_to("saddr=020001BB080808080000000000000000", "success=no exit=-115"));
	CHECK_INT(event_kind(event), EVENT_KIND_CONNECTION_REQUEST);
	CHECK_STRN(text_of(EVENT_PROTOCOL), "Tcp");
	CHECK(connect_to("saddr=020001BB080808080000000000000000", "success=no exit=-111"));
	CHECK_INT(event_kind(event), EVENT_KIND_CONNECTION_FAILED);
	CHECK_STRN(text_of(EVENT_RESULT), "ECONNREFUSED");
	CHECK(connect_to("saddr=01002F72756E2F78", "success=yes exit=0"));
	CHECK_STRN(text_of(EVENT_PROTOCOL), "Unix");
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/run/x");
	/* Port 0, nobody there, other families. */
	CHECK(!connect_to("saddr=02000000080808080000000000000000", "success=yes exit=0"));
	CHECK(!connect_to("saddr=01002F72756E2F78", "success=no exit=-2"));
	CHECK(!connect_to("saddr=100000000000000000000000", "success=yes exit=0"));
	CHECK(!connect_to("saddr=0000", "success=yes exit=0"));
	second++;
	CHECK(!GIVE({ 1300, "arch=c000003e syscall=42 success=yes exit=0 pid=11 ppid=10" }));
	/* How 32-bit programs do it, and what else they do by that call. */
	second++;
	CHECK(GIVE({ 1300, "arch=40000003 syscall=102 success=yes exit=0 a0=3 pid=11 ppid=10" },
		   { AUDIT_REC_SOCKADDR, "saddr=020001BB080808080000000000000000" }));
	CHECK_INT(event_kind(event), EVENT_KIND_CONNECTION_SUCCESS);
	CHECK_STRN(text_of(EVENT_REMOTE_IP), "8.8.8.8");
	CHECK(!GIVE({ 1300, "arch=40000003 syscall=102 success=yes exit=0 a0=2 pid=11 ppid=10" },
		    { AUDIT_REC_SOCKADDR, "saddr=020001BB080808080000000000000000" }));
}

static void ip_types(void)
{
	static const char *const rows[][2] = {
		{ "1.1.1.1", "Public" },
		{ "10.255.0.1", "Private" },
		{ "172.15.0.1", "Public" },
		{ "172.31.255.255", "Private" },
		{ "192.168.0.1", "Private" },
		{ "127.9.9.9", "Loopback" },
		{ "169.254.1.1", "LinkLocal" },
		{ "224.0.0.251", "Multicast" },
		{ "255.255.255.255", "Reserved" },
		{ "0.0.0.0", "Reserved" },
		{ "100.64.0.1", "Private" },
		{ "203.0.113.9", "Reserved" },
		{ "::1", "Loopback" },
		{ "::", "Reserved" },
		{ "fe80::1", "LinkLocal" },
		{ "fd00::1", "Private" },
		{ "ff02::1", "Multicast" },
		{ "2a00::1", "Public" },
		{ "2001:db8::1", "Reserved" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_v6 = strchr(rows[i][0], ':') != NULL;
		uint8_t ip[16] = { 0 };

		CHECK_INT(inet_pton(is_v6 ? AF_INET6 : AF_INET, rows[i][0], ip), 1);
		CHECK_STR(normaliser_ip_type(ip, is_v6), rows[i][1]);
	}
}

static bool file_call(const char *call, const char *path1, const char *path2)
{
	char text[512];

	second++;
	(void)snprintf(text, sizeof(text), "arch=c000003e success=yes exit=3 %s" CALL, call, 1);
	return GIVE({ 1300, text }, { 1307, "cwd=\"/w\"" }, { 1302, path1 },
		    { 1302, path2 != NULL ? path2 : "item=9 name=(null) nametype=PARENT" });
}

#define INODE " inode=5 dev=fe:00 mode=0100644 ouid=1 ogid=2 "

static void files_by_call(void)
{
	/* Read only: nothing changed. */
	CHECK(!file_call("syscall=257 a0=ffffff9c a2=0", "item=0 name=\"/etc/x\" nametype=NORMAL",
			 NULL));
	CHECK(file_call("syscall=257 a0=ffffff9c a2=1",
			"item=0 name=\"/etc/x\"" INODE "nametype=NORMAL", NULL));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_MODIFIED);
	CHECK_STRN(text_of(EVENT_FILE_MODE), "0644");
	CHECK(file_call("syscall=257 a0=ffffff9c a2=241", "item=1 name=\"new\" nametype=CREATE",
			"item=0 name=\"/w\" nametype=PARENT"));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_CREATED);
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/w/new");
	CHECK_STRN(text_of(EVENT_FILE_NAME), "new");
	CHECK(file_call("syscall=263 a0=ffffff9c", "item=1 name=\"../gone\" nametype=DELETE",
			NULL));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_DELETED);
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/w/../gone");
	CHECK(file_call("syscall=82", "item=0 name=\"a\" nametype=DELETE",
			"item=1 name=\"b\" nametype=CREATE"));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_RENAMED);
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/w/b");
	CHECK_STRN(text_of(EVENT_PREVIOUS_FOLDER_PATH), "/w/a");
	CHECK(file_call("syscall=90 a1=1ed", "item=0 name=\"/f\"" INODE "nametype=NORMAL", NULL));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_ATTRIBUTES_CHANGED);
	CHECK_STRN(text_of(EVENT_FILE_MODE), "0755"); /* the new one */
	CHECK(file_call("syscall=92 a1=7 a2=ffffffff", "item=0 name=\"/f\"" INODE "nametype=NORMAL",
			NULL));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_OWNER_CHANGED);
	CHECK_INT(number_of(EVENT_FILE_OWNER_UID), 7);
	CHECK_INT(number_of(EVENT_FILE_GROUP_GID), 2); /* unchanged */
}

static void an_overlay_copy_is_a_change(void)
{
	CHECK(file_call("syscall=257 a0=ffffff9c a2=2", "item=0 name=\"/etc/x\" nametype=NORMAL",
			"item=4 name=(null) inode=9 nametype=CREATE"));
	CHECK_INT(event_kind(event), EVENT_KIND_FILE_MODIFIED);
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/etc/x");
}

static void folder_descriptors_are_approximate(void)
{
	CHECK(file_call("syscall=263 a0=5", "item=1 name=\"gone\" nametype=DELETE", NULL));
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "gone");
	CHECK(is_set(EVENT_PATH_APPROX));
	CHECK_INT(mkdirat(dir_fd, "11", 0700), 0);
	CHECK_INT(mkdirat(dir_fd, "11/fd", 0700), 0);
	CHECK_INT(symlinkat("/srv", dir_fd, "11/fd/5"), 0);
	CHECK(file_call("syscall=263 a0=5", "item=1 name=\"gone\" nametype=DELETE", NULL));
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/srv/gone");
	CHECK(is_set(EVENT_PATH_APPROX)); /* the descriptor may be another by now */
	CHECK_INT(unlinkat(dir_fd, "11/fd/5", 0), 0);
	CHECK_INT(unlinkat(dir_fd, "11/fd", AT_REMOVEDIR), 0);
	CHECK_INT(unlinkat(dir_fd, "11", AT_REMOVEDIR), 0);
	/* A descriptor of a file that the process opened by name just before. */
	CHECK(file_call("syscall=257 a0=ffffff9c a2=1",
			"item=0 name=\"/etc/x\"" INODE "nametype=NORMAL", NULL));
	CHECK(file_call("syscall=91 a0=3 a1=180", "item=0 name=(null)" INODE "nametype=NORMAL",
			NULL));
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/etc/x");
	CHECK(!is_set(EVENT_PATH_APPROX));
}

static bool user(uint16_t type, uint32_t pid, const char *inner)
{
	char text[1024];

	second++;
	(void)snprintf(text, sizeof(text), "pid=%u uid=1000 auid=1000 ses=3 msg='%s'", pid, inner);
	return GIVE({ type, text });
}

#define SSHD "exe=\"/usr/sbin/sshd\" hostname=10.1.1.1 addr=10.1.1.1 terminal=ssh res="

static void one_attempt_is_one_event(void)
{
	/* A wrong password as Red Hat's sshd writes it. */
	CHECK(user(AUDIT_REC_USER_AUTH, 900,
		   "op=PAM:authentication grantors=? acct=\"ann\" " SSHD "failed"));
	CHECK_INT(event_kind(event), EVENT_KIND_LOGON_FAILED);
	CHECK_STRN(text_of(EVENT_ACCOUNT_NAME), "ann");
	CHECK_STRN(text_of(EVENT_ACCOUNT_SID), "1000");
	CHECK_STRN(text_of(EVENT_LOGON_TYPE), "RemoteInteractive");
	CHECK_STRN(text_of(EVENT_REMOTE_IP), "10.1.1.1");
	CHECK_STRN(text_of(EVENT_REMOTE_IP_TYPE), "Private");
	CHECK_INT(text_of(EVENT_REMOTE_DEVICE_NAME).n, 0); /* only the address again */
	CHECK(!user(AUDIT_REC_USER_LOGIN, 900, "op=login acct=\"ann\" " SSHD "failed"));
	/* The second one, then success: four records, one event. */
	CHECK(user(AUDIT_REC_USER_AUTH, 900, "op=PAM:authentication acct=\"ann\" " SSHD "failed"));
	CHECK(!user(AUDIT_REC_USER_LOGIN, 900, "op=login acct=\"ann\" " SSHD "failed"));
	CHECK(!user(AUDIT_REC_USER_AUTH, 900,
		    "op=PAM:authentication acct=\"ann\" " SSHD "success"));
	CHECK(!user(AUDIT_REC_USER_ACCT, 900, "op=PAM:accounting acct=\"ann\" " SSHD "success"));
	CHECK(user(AUDIT_REC_USER_START, 900, "op=PAM:session_open acct=\"ann\" " SSHD "success"));
	CHECK_INT(event_kind(event), EVENT_KIND_LOGON_SUCCESS);
	CHECK(!user(AUDIT_REC_USER_LOGIN, 901, "op=login id=1000 " SSHD "success"));
	CHECK(!user(AUDIT_REC_USER_START, 901, "op=login id=1000 " SSHD "success"));
	CHECK(!user(AUDIT_REC_USER_END, 901, "op=login id=1000 " SSHD "success"));
	CHECK(user(AUDIT_REC_USER_END, 900, "op=PAM:session_close acct=\"ann\" " SSHD "success"));
	CHECK_INT(event_kind(event), EVENT_KIND_LOGOFF);
	/* sshd without PAM's word: the login record is all there is. */
	second += 100;
	CHECK(user(AUDIT_REC_USER_LOGIN, 950, "op=login acct=\"(unknown)\" " SSHD "failed"));
	CHECK_INT(text_of(EVENT_ACCOUNT_NAME).n, 0);
	CHECK(user(AUDIT_REC_USER_LOGIN, 951, "op=login acct=\"ann\" " SSHD "success"));
}

static void su_and_sudo_name_both_accounts(void)
{
	CHECK(user(AUDIT_REC_USER_AUTH, 970,
		   "op=PAM:authentication acct=\"root\" exe=\"/usr/bin/su\" hostname=? addr=? "
		   "terminal=pts/0 res=failed"));
	CHECK_STRN(text_of(EVENT_LOGON_TYPE), "Su");
	CHECK_STRN(text_of(EVENT_ACCOUNT_NAME), "ann");
	CHECK_STRN(text_of(EVENT_TARGET_ACCOUNT_NAME), "root");
	CHECK(user(AUDIT_REC_USER_START, 971,
		   "op=PAM:session_open acct=\"root\" exe=\"/usr/bin/sudo\" hostname=? addr=? "
		   "terminal=pts/0 res=success"));
	CHECK_STRN(text_of(EVENT_LOGON_TYPE), "Sudo");
	CHECK_STRN(text_of(EVENT_TARGET_ACCOUNT_NAME), "root");
	CHECK_INT(text_of(EVENT_REMOTE_IP).n, 0);
}

static void what_a_writer_claims_is_not_believed(void)
{
	second++;
	CHECK(GIVE({ 1300, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=10 pid=980 "
			   "uid=1000 euid=1000 exe=\"/tmp/evil\"" },
		   { 1309, "argc=1 a0=\"sshd\"" }));
	/* It says it is sshd, that it is root, and another result. */
	CHECK(user(AUDIT_REC_USER_START, 980,
		   "op=PAM:session_open uid=0 pid=1 acct=\"ann\" exe=\"/usr/sbin/sshd\" "
		   "hostname=x res=success addr=1.2.3.4 terminal=ssh res=failed"));
	CHECK_INT(event_kind(event), EVENT_KIND_LOGON_FAILED);
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/tmp/evil");
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_ACCOUNT_SID), "1000");
	CHECK_INT(text_of(EVENT_LOGON_TYPE).n, 0);
	CHECK_INT(number_of(EVENT_INITIATING_PROCESS_ID), 980);
	/* Nothing inside, no inside at all. */
	CHECK(!user(AUDIT_REC_USER_START, 980, ""));
	second++;
	CHECK(!GIVE({ AUDIT_REC_USER_START, "pid=980 uid=0 op=PAM:session_open res=success" }));
	CHECK(!user(AUDIT_REC_USER, 980, "op=PAM:session_open res=success"));
}

static void changes_of_audit_are_events(void)
{
	second++;
	CHECK(GIVE(
		{ AUDIT_REC_CONFIG_CHANGE,
		  "auid=4242 ses=5op=remove_rule path=\"/etc/shadow\" key=\"k\" list=4 res=1" }));
	CHECK_INT(event_kind(event), EVENT_KIND_AUDIT_CONFIG_CHANGED);
	CHECK_STRN(text_of(EVENT_OPERATION), "remove_rule");
	CHECK_STRN(text_of(EVENT_FOLDER_PATH), "/etc/shadow");
	CHECK_STRN(text_of(EVENT_RESULT), "success");
	second++;
	CHECK(GIVE({ AUDIT_REC_CONFIG_CHANGE, "op=set audit_enabled=0 old=1 auid=0 ses=1 res=0" },
		   { 1300, "arch=c000003e syscall=44 success=yes exit=60 ppid=10 pid=990 uid=0 "
			   "exe=\"/usr/sbin/auditctl\" key=(null)" }));
	CHECK_STRN(text_of(EVENT_RESULT), "failed");
	CHECK_INT(number_of(EVENT_INITIATING_PROCESS_ID), 990);
	CHECK_STRN(text_of(EVENT_INITIATING_PROCESS_FOLDER_PATH), "/usr/sbin/auditctl");
	second++;
	CHECK(GIVE({ AUDIT_REC_CONFIG_CHANGE, "" }));
}

static void others_are_counted(void)
{
	uint64_t before = normaliser_ignored(normaliser);

	second++;
	CHECK(!GIVE({ 1300, "arch=c000003e syscall=1 success=yes exit=1 ppid=10 pid=11" }));
	CHECK(!GIVE({ 1300, "" }));
	CHECK(!GIVE({ AUDIT_REC_LOGIN, "pid=990 uid=0 old-auid=1 auid=7 tty=(none) ses=9 res=1" }));
	CHECK_INT(normaliser_ignored(normaliser), before + 3);
	CHECK(GIVE({ 1300, "arch=c000003e syscall=87 success=yes exit=0 ppid=10 pid=990 "
			   "exe=\"/usr/sbin/auditctl\"" }));
	CHECK_INT(number_of(EVENT_INITIATING_PROCESS_LOGIN_UID), 7); /* learnt from LOGIN */
	CHECK(is_set(EVENT_PARTIAL));
	down();
}

static void set_up(void)
{
	up();
	CHECK(normaliser != NULL);
}

TEST_MAIN({ "set_up", set_up }, { "an_exec_is_a_process_created", an_exec_is_a_process_created },
	  { "a_clock_that_is_set_back_changes_no_order",
	    a_clock_that_is_set_back_changes_no_order },
	  { "missing_records_are_said", missing_records_are_said },
	  { "long_arguments_keep_both_ends", long_arguments_keep_both_ends },
	  { "connections_by_result", connections_by_result }, { "ip_types", ip_types },
	  { "files_by_call", files_by_call },
	  { "an_overlay_copy_is_a_change", an_overlay_copy_is_a_change },
	  { "folder_descriptors_are_approximate", folder_descriptors_are_approximate },
	  { "one_attempt_is_one_event", one_attempt_is_one_event },
	  { "su_and_sudo_name_both_accounts", su_and_sudo_name_both_accounts },
	  { "what_a_writer_claims_is_not_believed", what_a_writer_claims_is_not_believed },
	  { "changes_of_audit_are_events", changes_of_audit_are_events },
	  { "others_are_counted", others_are_counted })
