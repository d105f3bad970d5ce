#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of each program at random points while programs are started on the
# host: what the cloud stored is what happened, nothing doubled, counted if lost.
# KILLS: how often each program dies (100).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

kills=${KILLS:-100}
mark=kill-$$-$(date +%s)
trial_start '{"supervise": {"pulse_ms": 500, "backoff_min_ms": 10, "backoff_max_ms": 50},
 "cloud": {"linger_ms": 100}, "events": {"flush_ms": 50}}'

# The main job: numbered programs, until told to stop; prints how many.
workload() {
	local i=0
	while [ ! -e "$work/stop" ]; do
		i=$((i + 1))
		/bin/true "$mark" $i
		# about 150 a second: the machine is also restarting our programs
		read -rt 0.005 <> <(:)
	done
	echo $i >"$work/happened"
}
workload &
workload_pid=$!

for ((i = 0; i < kills; i++)); do
	for role in sensor store reporter hunt control; do
		pid=$(role_pid "$role")
		[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
		sleep "0.0$((RANDOM % 9))$((RANDOM % 10))"
	done
done
touch "$work/stop"
wait $workload_pid
happened=$(cat "$work/happened")
note "$happened programs were started, $((kills * 5)) kills"

numbers() { at_cloud --table DeviceProcessEvents |
	jq -r "select((.ProcessArgs // [])[1]==\"$mark\") | .ProcessArgs[2]"; }
is_complete() { [ "$(numbers | sort -un | wc -l)" -ge "$happened" ]; }
check "all programs run again" within 60 all_run
within 120 is_complete
numbers | sort -n >"$work/stored"
seq "$happened" >"$work/wanted"
doubled=$(uniq -d "$work/stored" | wc -l)
missing=$(comm -13 <(sort -u "$work/stored") <(sort "$work/wanted") | wc -l)
dropped=$(at_cloud --table DeviceEvents |
	jq -n '[inputs | select(.ActionType=="AgentEventsDropped") | .AdditionalFields.DroppedCount] | add // 0')
note "stored $(wc -l <"$work/stored"), missing $missing, doubled $doubled, counted as dropped $dropped"
check "nothing is doubled at the cloud" same "$doubled" 0
check "what is missing was counted" test "$missing" -le "$dropped"
check "sequence numbers at the cloud are distinct" same \
	"$(at_cloud | jq -r .seq | sort -n | uniq -d | wc -l)" 0
finish
