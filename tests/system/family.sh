#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agentd's own promises: one agent a prefix, restarts, the silent killed, a bad
# configuration refused while the old one runs, a clean stop.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

trial_start '{"supervise": {"pulse_ms": 100, "silence_ms": 1500, "backoff_min_ms": 100, "backoff_max_ms": 400}}'
check "all programs run" within 20 all_run

second_refuses() {
	local out status
	out=$("$AGENTD" --prefix "$PREFIX" 2>&1)
	status=$?
	echo "$out"
	[ "$status" -ne 0 ] && [[ $out == *"another agentd (pid $AGENTD_PID) runs on"* ]]
}
check "a second agent on the same prefix refuses to start" second_refuses
check "and the first one still answers" health --field licensed

restarts() { # ROLE SIGNAL
	local old
	within 20 role_runs "$1" || return 1
	old=$(role_pid "$1")
	kill "-$2" "$old"
	within 20 not test -d "/proc/$old" || { echo "$1 lives on"; return 1; }
	within 20 role_runs "$1"
}
for role in store hunt reporter sensor control; do
	check "agent-$role is started again after SIGKILL" restarts "$role" KILL
	check "agent-$role is killed and started again when it stops answering" restarts "$role" STOP
done
check "all programs run again" within 20 all_run

level() { health --field log_level; }
config=$PREFIX/etc/endpoint-agent/conf.d/reload.json
reload() { kill -HUP "$AGENTD_PID"; }
level_is() { [ "$(level)" = "\"$1\"" ]; }
reloads() { printf '%s' "$1" >"$config"; reload; within 5 level_is "$2"; }
check "SIGHUP takes a new configuration" reloads '{"log": {"level": "verbose"}}' verbose

refuses() { # TEXT PATTERN: named in log and health, what ran keeps running
	local lines
	lines=$(wc -l <"$work/agentd.log")
	printf '%b' "$1" >"$config"
	reload
	# shellcheck disable=SC2317 # called by within
	said() { tail -n +"$((lines + 1))" "$work/agentd.log" | grep -E "configuration refused.*$2"; }
	# shellcheck disable=SC2317
	in_health() { health --field health_issues | grep -E "configuration refused.*$2"; }
	within 5 said "$1" "$2" || { tail -n 3 "$work/agentd.log"; return 1; }
	within 5 in_health "$1" "$2" || { health --field health_issues; return 1; }
	level_is verbose
}
deep=$(printf '{"a":%.0s' $(seq 60))
check "an unknown key is refused" refuses '{"log": {"levle": "debug"}}' 'reload.json:1: log.levle'
check "a wrong type is refused" refuses '{"log":\n {"level": 7}}' 'reload.json:2: log.level'
check "a value out of range is refused" refuses '{"hunt": {"max_ms": 1}}' 'reload.json:1: hunt.max_ms'
check "a truncated file is refused" refuses '{"log": {"level": "de' 'reload.json:1'
check "a duplicate key is refused" refuses '{"log": {"level": "info", "level": "debug"}}' 'reload.json'
check "a deep file is refused" refuses "$deep" 'reload.json'
check "a NUL byte is refused" refuses '{"log": {"level": "in\0fo"}}' 'reload.json'
check "bytes that are not UTF-8 are refused" refuses '{"log": {"level": "\xff"}}' 'reload.json'
check "an oversized file is refused" refuses "$(head -c 300000 /dev/zero | tr '\0' ' '){}" 'reload.json'
check "a sound file ends the refusal" reloads '{"log": {"level": "info"}}' info
no_issue() { ! health --field health_issues | grep -q "configuration refused"; }
check "and its issue is gone from health" within 5 no_issue

files_before=$(cd "$work" && find . -type s -o -type p)
stops() {
	local start=$SECONDS
	"$top/tests/trial" stop "$work" || return 1
	[ $((SECONDS - start)) -lt 15 ] || { echo "took $((SECONDS - start)) s"; return 1; }
	! pgrep -f "$build/libexec/endpoint-agent/agent-" || return 1
}
check "SIGTERM stops all cleanly" stops
no_kill() { ! grep -E 'is killed: (does not stop|no sign)' "$work/agentd.log" | tail -n 3 | grep -q "does not stop"; }
check "and none had to be killed for it" no_kill
note "sockets before the stop: $files_before"
finish
