# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the system tests share: TAP, deadlines, a trial that is always ended.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$top/build}
export BUILD=$build
# auditctl and auditd of the distribution, unpacked by make deps.
PATH=$build/peers/sbin:$PATH
tap_n=0
tap_failed=0
work=

# A test that can do without root says NEEDS_ROOT=no before it reads this file.
[ "${NEEDS_ROOT:-yes}" = no ] || [ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }

# check NAME COMMAND...: one TAP line; what a failing command said goes to its comment.
check() {
	local name=$1 out
	shift
	tap_n=$((tap_n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $tap_n - $name"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_n - $name"
		printf '%s\n' "$out" | tail -n 20 | sed 's/^/# /'
	fi
}

note() { printf '# %s\n' "$*"; }

# within SECONDS COMMAND...: true as soon as COMMAND is.
within() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}

not() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "got:    $1"; echo "wanted: $2"; return 1; }; }

# trial_start [CONFIG-JSON] [ARGS...]: a fresh trial; sets PREFIX CLOUD AGENTD AGENTCTL CLOUDD ...
# A function trial_prepare runs before it, trial_clean after it, if the test has them.
trial_start() {
	local config=${1:-} out
	[ $# -gt 0 ] && shift
	work=$(mktemp -d /tmp/endpoint-agent-test.XXXXXX) || exit 1
	chmod 755 "$work"
	mkdir -p "$work/etc/endpoint-agent/conf.d"
	[ -z "$config" ] || printf '%s\n' "$config" >"$work/etc/endpoint-agent/conf.d/test.json"
	trap trial_end EXIT
	if declare -F trial_prepare >/dev/null; then trial_prepare; fi
	out=$("$top/tests/trial" start "$work" "$@") || {
		echo "Bail out! the trial does not start"
		exit 1
	}
	eval "$out"
}

trial_end() {
	[ -n "$work" ] || return 0
	if [ -e "$work/trial.state" ]; then "$top/tests/trial" stop "$work" || tap_failed=$((tap_failed + 1)); fi
	if [ "$tap_failed" -gt 0 ]; then
		note "the agent's log:"
		tail -n 30 "$work/agentd.log" 2>/dev/null | sed 's/^/# /'
	fi
	if declare -F trial_clean >/dev/null; then trial_clean; fi
	rm -rf "$work"
	work=
}

finish() {
	trial_end
	echo "1..$tap_n"
	exit $((tap_failed > 0))
}

# role_pid NAME: of the program agent-NAME that our agentd started.
role_pid() { pgrep -P "$AGENTD_PID" -x "agent-$1"; }
role_runs() { [ -n "$(role_pid "$1")" ] && "$AGENTCTL" --prefix "$PREFIX" health --details programs |
	grep -q "^agent-$1 .*running"; }
all_run() { for r in store hunt reporter sensor control; do role_runs "$r" || return 1; done; }

health() { "$AGENTCTL" --prefix "$PREFIX" health "$@"; }
health_value() { health --details "$1" | sed -n "s/^$2 *: //p"; }
at_cloud() { "$CLOUDD" events --data "$CLOUD" --limit 10000000 --output json "$@"; }

# burst MARK N: N programs, numbered from 1.
burst() {
	local i
	for ((i = 1; i <= $2; i++)); do /bin/true "$1" $i; done
}
# stored MARK: the numbers of those programs that the cloud holds, sorted, doubles and all.
stored() {
	at_cloud --table DeviceProcessEvents |
		jq -r "select((.ProcessArgs // [])[1]==\"$1\") | .ProcessArgs[2]" | sort -n
}
# all_stored MARK N: each exactly once.
all_stored() { same "$(stored "$1")" "$(seq "$2")"; }
has_issue() { health --field health_issues | grep -q "$1"; }
