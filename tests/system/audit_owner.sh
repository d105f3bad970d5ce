#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agentd's audit part on the live kernel: owns the queue, loads its rules, restores
# exactly, survives kill -9, listens beside auditd, leaves alone what is another's.
# (Immutable state cannot be tried: it lasts until reboot. See audit_owner_test.)
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

driver=$build/tests/system/audit_owner

status() { auditctl -s | sed -n "s/^$1 //p"; }
# What must be as before: all but the counters.
snapshot() { auditctl -s | grep -Ev '^(lost|backlog|backlog_wait_time_actual) '; auditctl -l; }

command -v auditctl >/dev/null || { echo "1..0 # SKIP needs auditctl"; exit 0; }
[ "$(status pid)" = 0 ] || { echo "1..0 # SKIP the audit queue has an owner"; exit 0; }
[ "$(status enabled)" != 2 ] || { echo "1..0 # SKIP audit configuration is immutable"; exit 0; }

work=$(mktemp -d /tmp/endpoint-agent-test.XXXXXX) || exit 1
state=$work/run/endpoint-agent/audit.state
config=$work/etc/endpoint-agent/agent.json
said=$work/out
pids=()
mkdir -p "$work/run/endpoint-agent" "$work/etc/endpoint-agent" "$work/watched"
pristine=$(snapshot)
old_limit=$(status backlog_limit)
old_wait=$(status backlog_wait_time)

# Whatever failed: nothing of this test stays.
trial_clean() {
	local pid
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	wait 2>/dev/null
	"$driver" restore "$work" 2>/dev/null
	auditctl -d never,exit -F path=/no-such-foreign -F key=foreign >/dev/null 2>&1
	auditctl -b "$old_limit" >/dev/null
	auditctl --backlog_wait_time "$old_wait" >/dev/null
	[ "$(snapshot)" = "$pristine" ] || {
		note "audit is not as it was before the test:"
		snapshot | sed 's/^/# /'
		tap_failed=$((tap_failed + 1))
	}
	# shellcheck disable=SC2154 # of lib.sh
	[ "$tap_failed" = 0 ] || grep -v '^record ' "$said" | tail -n 30 | sed 's/^/# /'
}
trap trial_end EXIT

settings() { printf '{"audit": {%s}}\n' "$1" >"$config"; }
says() { grep -q -- "$1" "$said"; }
start() { # [hold]: sets driver_pid
	: >"$said"
	"$driver" run "$work" "$@" >>"$said" 2>&1 &
	driver_pid=$!
	pids+=("$driver_pid")
	within 10 says '^started' || true
}
end() { # SIGNAL: ends the driver
	kill "-$1" "$driver_pid"
	wait "$driver_pid" 2>/dev/null
	true
}
reload() {
	local n
	n=$(grep -c ^applied "$said")
	kill -HUP "$driver_pid"
	within 10 eval "[ \$(grep -c ^applied '$said') -gt $n ]"
}
own_rules() { auditctl -l | grep -c 'key=agentd:\|-k agentd:'; }

auditctl -a never,exit -F path=/no-such-foreign -F key=foreign >/dev/null
settings ''
before=$(snapshot)

# Owning and restoring.
start
check "takes a queue nobody owns" says '^source unicast'
check "is the registered owner" same "$(status pid)" "$driver_pid"
check "auditing is on" same "$(status enabled)" 1
check "the kernel's backlog is large and nobody waits for it" \
	same "$(status backlog_limit) $(status backlog_wait_time)" "65536 0"
check "failure mode is as before" same "$(status failure)" "$(sed -n 's/^failure //p' <<<"$before")"
check "rules are loaded" test "$(own_rules)" -ge 20
check "the report counts what is there" says "loaded=$(own_rules) "
check "a missing folder is named" \
	eval '[ -e /root/.ssh ] || says "missing file: /root/.ssh (b64): No such file"'
check "no rule has a full mask" not eval "auditctl -l | grep agentd: | grep -e '-S all' -e ' -w '"
check "the state file is there, for root only" same "$(stat -c '%a %u' "$state")" "600 0"

/bin/true marker-exec
check "programs that start are recorded" within 5 says 'record 1309 .*marker-exec'
"$driver" connect
check "a connection is recorded though it states the length of a unix address" \
	within 5 says 'record 1306 .*saddr=020000097F000001'
check "a unix connection is not" not says 'record 1306 .*saddr=0100'
touch "$work/etc/endpoint-agent/touched"
check "a file in the agent's configuration is watched" within 5 says 'record 1302 .*touched'
check "its own heartbeat comes back" within 5 says 'record 1005 .*op=agentd-heartbeat seq=4711'
mkdir -p "$work/second/run/endpoint-agent" "$work/second/etc/endpoint-agent"
first=$(snapshot)
"$driver" run "$work/second" >"$work/second/said" 2>&1 &
second_pid=$!
pids+=("$second_pid")
check "a second agent listens" within 10 grep -q '^source multicast' "$work/second/said"
within 10 grep -q '^started' "$work/second/said"
check "and leaves the queue to the first" same "$(status pid)" "$driver_pid"
kill -TERM "$second_pid"
wait "$second_pid" 2>/dev/null
check "its stop deletes none of the first one's rules" same "$(snapshot)" "$first"
end TERM
check "a clean stop restores all" same "$(snapshot)" "$before"
check "and removes the state file" not test -e "$state"

# kill -9.
start
end KILL
check "a kill leaves its traces" not same "$(snapshot)" "$before"
check "they are recorded" test -s "$state"
check "restoring without an agent" "$driver" restore "$work"
check "restores all" same "$(snapshot)" "$before"
check "there is nothing more to restore" eval "$driver restore $work; [ \$? = 2 ]"

start
end KILL
start
check "the next agent starts after a kill" says '^source unicast'
check "and owns the queue" same "$(status pid)" "$driver_pid"
check "its rules are in line" within 5 says 'wanted=\([1-9][0-9]*\) loaded=\1 \|missing file'
check "those that are as wanted were never away" not says 'record 1305 .*op=remove_rule.*agentd:exec'
check "restoring under a running agent is refused" eval "$driver restore $work; [ \$? = 16 ]"
end TERM
check "its stop restores what was before the first" same "$(snapshot)" "$before"

# A reader that outlives agentd keeps the dead owner's socket, and the queue, for a while.
start hold
holder=$(sed -n 's/^holder //p' "$said")
pids+=("$holder")
end KILL
start
check "the queue is held by the reader of a killed agent" not says '^source unicast'
check "which is said" says 'missing queue is held by another process'
kill -KILL "$holder"
check "and taken when it is gone" within 10 says '^source unicast'
end TERM
check "with everything restored at the end" same "$(snapshot)" "$before"

# A state file of an earlier boot or of nobody we trust changes nothing.
start
end KILL
cp "$state" "$work/good"
sed 's/^boot .*/boot 00000000-0000-0000-0000-000000000000/' "$work/good" >"$state"
stale=$(snapshot)
check "an earlier boot's state is dropped" "$driver" restore "$work"
check "without touching anything" same "$(snapshot)" "$stale"
cp "$work/good" "$state"
chmod 666 "$state"
check "a state file others may write is refused" eval "$driver restore $work; [ \$? = 1 ]"
chmod 600 "$state"
head -c 300 "$work/good" >"$state"
check "a torn state file is refused" eval "$driver restore $work; [ \$? = 22 ]"
cp "$work/good" "$state"
check "the right one is not" "$driver" restore "$work"
check "and restores all" same "$(snapshot)" "$before"

# Others' later changes are theirs.
start
auditctl -b 12345 >/dev/null
end TERM
check "a limit somebody else set later stays" same "$(status backlog_limit)" 12345
auditctl -b "$old_limit" >/dev/null
check "the rest is restored" same "$(snapshot)" "$before"

# Settings.
settings '"backlog_limit": 9999, "rules": "minimal"'
start
check "profile minimal watches no files" eval "not says agentd:file; [ \"$(own_rules)\" -lt 20 ]"
check "a limit from the settings" same "$(status backlog_limit)" 9999
ln -s watched "$work/link"
paths=/etc/:/etc:$work/watched:$work/watched/:$work/link:$work/late/:$work/file
settings '"watch_paths": "'"$paths"'"'
check "new settings are applied" reload
check "a path that stands twice is one rule" \
	same "$(auditctl -l | grep -c "dir=$work/watched ")" "$(auditctl -l | grep -c 'dir=/etc ')"
check "a symbolic link is refused" says "missing $work/link: a symbolic link"
check "the limit follows them" same "$(status backlog_limit)" 65536
check "the rules too" eval "auditctl -l | grep -q 'dir=$work/watched '"
check "a folder that is missing waits" says "missing file: $work/late (b64): No such file"
touch "$work/watched/one" "$work/file"
check "a watched folder is recorded" within 5 says 'record 1302 .*watched/one'
check "a watched file is recorded" within 5 says "record 1302 .*name=\"$work/file\""
mkdir "$work/late"
check "a folder that appears is watched within a pass" \
	within 12 eval "auditctl -l | grep -q 'dir=$work/late '"

# Deleted rules come back three times.
for i in 1 2 3; do
	auditctl -l | grep 'agentd:exec' | sed 's/^-a/-d/' | while read -r rule; do
		eval auditctl "$rule" >/dev/null
	done
	check "rules that somebody deletes come back, $i" \
		eval "reload && [ \$(auditctl -l | grep -c agentd:exec) = 2 ]"
done
auditctl -l | grep 'agentd:exec' | sed 's/^-a/-d/' | while read -r rule; do
	eval auditctl "$rule" >/dev/null
done
check "but not for ever" eval "reload && [ \$(auditctl -l | grep -c agentd:exec) = 0 ]"
check "which is said" says 'missing exec: .*: contested'
settings '"source": "off"'
check "the source can be switched off" reload
check "it says so" says '^source none'
check "which restores all" same "$(snapshot)" "$before"
settings '"source": "multicast"'
check "the group can be asked for" eval "reload && says '^source multicast'"
check "and changes no value" same "$(snapshot | grep -v agentd:)" "$before"
end TERM
check "its rules go too" same "$(snapshot)" "$before"
settings ''

# Beside auditd.
mkdir -p "$work/auditd/plugins.d"
cat >"$work/auditd/auditd.conf" <<-END
	local_events = yes
	write_logs = yes
	log_file = $work/auditd/audit.log
	log_format = RAW
	flush = NONE
	priority_boost = 0
	space_left = 2
	admin_space_left = 1
	space_left_action = IGNORE
	admin_space_left_action = IGNORE
	disk_full_action = IGNORE
	disk_error_action = IGNORE
	plugin_dir = $work/auditd/plugins.d
END
chmod -R go-rwx "$work/auditd"
owner_is() { [ "$(status pid)" = "$1" ]; }
if command -v auditd >/dev/null; then
	auditd -n -c "$work/auditd" >"$work/auditd/out" 2>&1 &
	auditd_pid=$!
	pids+=("$auditd_pid")
	check "auditd starts" within 10 owner_is "$auditd_pid"
	beside=$(snapshot)
	start
	check "the agent starts beside it and listens" says '^source multicast'
	check "auditd stays the owner" owner_is "$auditd_pid"
	check "which the report names" says "owner=$auditd_pid .*exe=.*/sbin/auditd"
	check "no value is changed" same "$(snapshot | grep -v agentd:)" "$beside"
	check "own rules are loaded" test "$(own_rules)" -ge 20
	/bin/true marker-beside
	check "records arrive" within 5 says 'record 1309 .*marker-beside'
	end TERM
	check "the stop leaves auditd's state alone" same "$(snapshot)" "$beside"
	start
	end KILL
	check "so does restoring after a kill" "$driver" restore "$work"
	check "to the letter" same "$(snapshot)" "$beside"

	start
	kill -TERM "$auditd_pid"
	wait "$auditd_pid" 2>/dev/null
	check "the queue is not taken at once when auditd ends" \
		eval "reload && not says '^source unicast'"
	check "but when nobody has come back for it" within 25 says '^source unicast'
	check "is the owner then" owner_is "$driver_pid"
	end TERM
	check "and leaves what auditd left" same "$(snapshot)" \
		"${beside/pid $auditd_pid/pid 0}"
	auditctl -e "$(sed -n 's/^enabled //p' <<<"$before")" >/dev/null
fi
auditctl -d never,exit -F path=/no-such-foreign -F key=foreign >/dev/null
finish
