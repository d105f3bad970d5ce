#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agentd alone with programs that misbehave (hostile.c): whatever a role does,
# agentd goes on, loses no child and no descriptor, and stops when told. No audit:
# without a licence agentd leaves it alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

roles=(store hunt reporter sensor control)
work=$(mktemp -d /tmp/endpoint-agent-test.XXXXXX) || exit 1
chmod 755 "$work"
mkdir -p "$work"/{sbin,libexec/endpoint-agent,behaviour,pulses,etc/endpoint-agent/conf.d}
chmod 777 "$work/pulses" # of the roles' own users
cp "$build/sbin/agentd" "$work/sbin/"
for role in "${roles[@]}"; do
	cp "$build/tests/system/hostile" "$work/libexec/endpoint-agent/agent-$role"
done
configure() { printf '%s' "$1" >"$work/etc/endpoint-agent/conf.d/test.json"; }
quick='{"supervise": {"pulse_ms": 100, "silence_ms": 1500, "backoff_min_ms": 50, "backoff_max_ms": 100}}'
configure "$quick"

# start [COMMAND...]: agentd, run by COMMAND; its exit status will be in $work/status.
start() {
	: >"$work/agentd.log"
	read=0
	rm -f "$work/status" "$work/pid"
	{
		"$@" "$work/sbin/agentd" --prefix "$work" </dev/null >>"$work/agentd.log" 2>&1 &
		echo $! >"$work/pid"
		wait $!
		echo $? >"$work/status"
	} &
	within 5 test -s "$work/pid"
	agentd_pid=$(cat "$work/pid")
}
# stop: true when agentd ended by itself and left no process.
stop() {
	kill -TERM "$agentd_pid" 2>/dev/null
	within 30 test -e "$work/status" || { kill -KILL "$agentd_pid"; echo "agentd does not stop"; }
	not pgrep -f "^agent-.*$work" && same "$(cat "$work/status")" 0
}
agentd_pid=
trial_clean() {
	[ -z "$agentd_pid" ] || [ -e "$work/status" ] || kill -KILL "$agentd_pid"
}
trap trial_end EXIT

# said PATTERN: in the log, behind its first $read lines (none: from its start).
read=0
said() { tail -n +$((read + 1)) "$work/agentd.log" | grep -E "$1"; }
behave() { printf '%s\n' "$2" >"$work/behaviour/agent-$1"; }
pid_of() { pgrep -P "$agentd_pid" -x "agent-$1"; }
pids() { pgrep -P "$agentd_pid" | sort; }
running() { said ': all programs run'; }
no_zombie() { not pgrep -l -P "$agentd_pid" -r Z; }
count_fds() { find "/proc/$agentd_pid/fd" -mindepth 1 | wc -l; }

# A role that misbehaves is ended for it and agentd is none the worse.
endures() { # BEHAVIOUR WHY
	local fds
	fds=$(count_fds)
	read=$(wc -l <"$work/agentd.log")
	behave hunt "$1"
	kill -KILL "$(pid_of hunt)"
	within 10 said "agent-hunt .*is killed: $2" || { tail -n 5 "$work/agentd.log"; return 1; }
	behave hunt good
	within 10 renewed || { echo "agent-hunt is not started again"; return 1; }
	no_zombie && within 5 same "$(count_fds)" "$fds"
}
# What started before it was told to be good may still misbehave.
renewed() {
	local old
	old=$(pid_of hunt)
	kill -KILL "$old" && within 5 not test -d "/proc/$old" && within 5 pid_of hunt
}
answered() { stat -c %s "$work/pulses/agent-hunt"; }
answers_more() { [ "$(answered)" -ge "$1" ]; }
# survive SECONDS: all answer three pulses more within SECONDS and live.
survive() {
	local before
	before=$(pids)
	within "$1" answers_more $(($(answered) + 3)) && same "$(pids)" "$before"
}
outlives_stop() {
	kill -STOP "$agentd_pid"
	sleep 3 # twice the silence that is allowed: time itself is tried
	kill -CONT "$agentd_pid"
	survive 10
}
# What a role has of agentd: standard descriptors, its socket and, of itself, its count.
clean_start() {
	local proc fds
	within 10 running || { tail -n 5 "$work/agentd.log"; return 1; }
	for proc in $(pids); do
		fds=$(find "/proc/$proc/fd" -mindepth 1 -printf '%f ' | tr ' ' '\n' | sort -n | xargs)
		same "$fds" "0 1 2 3 4 5" && same "$(readlink "/proc/$proc/cwd")" / &&
			same "$(tr '\0' ' ' <"/proc/$proc/environ")" "" &&
			same "$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$proc/status")" 0000000000000000 &&
			same "$(sed -n 's/^Groups:[[:space:]]*//p' "/proc/$proc/status")" "" &&
			same "$(sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$proc/status")" "$(bounds "$proc")" ||
			return 1
	done
}
bounds() { if [ "$(cat "/proc/$1/comm")" = agent-sensor ]; then echo "$sensor_bounds"; else echo 0000000000000000; fi; }
sensor_bounds=0000000000080000
restarts() {
	local old
	old=$(pid_of hunt)
	kill -KILL "$old"
	within 10 said "agent-hunt ended: signal 9" && within 10 not test -d "/proc/$old" && within 10 pid_of hunt
}
kernel_is() { printf '%s\n' "$1" "$(uname -r)" | sort -V -C; }

start
check "agentd runs its programs" within 10 running
check "one that reads no more is killed" endures deaf "no sign of life"
check "an unknown message is" endures unknown "Protocol error"
check "one that closes its socket is" endures closes "closed its socket"
check "an answer to no pulse is" endures foretells "Protocol error"
check "a flood of old answers is" endures replays "Protocol error"
if kernel_is 6.16; then
	check "a descriptor whose close would wait does not arrive" endures lingers "no sign of life"
fi
check "none is killed because agentd itself was stopped" outlives_stop
configure '{"supervise": {"pulse_ms": 2000, "silence_ms": 1000}}'
kill -HUP "$agentd_pid"
check "none is killed because pulses are rare" survive 20
check "SIGTERM stops all" stop

# A debugger that does not look holds a dead role back.
stops_behind_debugger() {
	local tracer status
	mkfifo "$work/hold"
	"$build/tests/system/hostile" trace "$(pid_of hunt)" <>"$work/hold" >/dev/null 2>&1 &
	tracer=$!
	within 5 pgrep -P "$agentd_pid" -x agent-hunt -r Z || echo "no zombie"
	stop
	status=$?
	kill "$tracer"
	return "$status"
}
start
check "agentd runs its programs" within 10 running
check "a role in a debugger's hands does not keep agentd" stops_behind_debugger

# SIGTERM twice and SIGHUP while one of them is slow to leave.
stops_once() {
	local status
	kill -TERM "$agentd_pid"
	within 5 said 'stops on signal 15'
	configure '{"log": {"level": "debug"}}'
	kill -HUP "$agentd_pid"
	kill -TERM "$agentd_pid"
	stop && not said 'configuration reloaded' && same "$(said 'stops on signal' | wc -l)" 1
	status=$?
	configure "$quick"
	return "$status"
}
behave control thorough
start
check "agentd runs its programs" within 10 running
check "a stop that is asked for again is one stop" stops_once
behave control good

behave sensor mute
start
check "agentd is ready though a program is not" within 25 said 'not all programs run'
behave sensor good
check "and says when all are" within 25 running
check "SIGTERM stops all" stop

# The real agent-store between stand-ins that close every link.
links_of() { stat -c %s "$work/pulses/agent-$1.links"; }
links_come() {
	local sensor reporter before
	sensor=$(links_of sensor) reporter=$(links_of reporter) before=$(pids)
	has_more() { [ "$(links_of sensor)" -ge $((sensor + 2)) ] && [ "$(links_of reporter)" -ge $((reporter + 2)) ]; }
	within 20 has_more && same "$(pids)" "$before"
}
cp --remove-destination "$build/libexec/endpoint-agent/agent-store" "$work/libexec/endpoint-agent/"
start
check "agentd runs its programs" within 10 running
check "links that end between the living are made anew" links_come
check "SIGTERM stops all" stop
cp --remove-destination "$build/tests/system/hostile" "$work/libexec/endpoint-agent/agent-store"

# Whoever starts agentd may have left all kinds of things open, closed or ignored.
careless() { exec env --ignore-signal=CHLD --block-signal=USR1 "$@" 7<"$work" <&- >&-; }
start careless
check "roles inherit nothing from who started agentd" clean_start
check "ends are noted although SIGCHLD was ignored" restarts
check "SIGTERM stops all" stop
sensor_bounds=0000000000000000
start setpriv --bounding-set -sys_ptrace
check "roles run where agentd lacks a capability of theirs" clean_start
check "SIGTERM stops all" stop
finish
