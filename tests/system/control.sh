#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The control socket and agentctl against a running agent: who may ask what, what
# scripts rely on, and that nobody (stopped, silent, greedy or malformed) keeps an
# answer from somebody else. Audit stays off: events are put into the journal here.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
trial_start '{"audit": {"source": "off", "rules": "off"}, "hunt": {"max_ms": 500}}'

journal=$PREFIX/var/lib/endpoint-agent/journal/journal.db
cp "$AGENTCTL" "$work/agentctl"
ln -s agentctl "$work/mdatp"
ctl() { "$work/agentctl" --prefix "$PREFIX" "$@"; }
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$work/agentctl" --prefix "$PREFIX" "$@"; }
exits() { # STATUS COMMAND...
	local wanted=$1 got=0
	shift
	"$@" >"$work/out" 2>"$work/err" || got=$?
	same "$got" "$wanted" || { cat "$work/out" "$work/err"; return 1; }
}
# put N COMMAND-LINE: N events of a program with these arguments.
put() {
	sqlite3 -cmd '.timeout 5000' "$journal" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO events(ts, mono, kind, body) SELECT strftime('%s','now') * 1000000, 0, 'PROCESS_CREATED',
		json_object('Table', 'DeviceProcessEvents', 'ActionType', 'ProcessCreated', 'FileName', 'probe',
		'ProcessCommandLine', '$2', 'SchemaVersion', 1) FROM n"
}

# What scripts for mdatp rely on.
check "every user may ask for health" exits 0 as_nobody health
table_is_aligned() { ! ctl health | grep -qvE '^[a-z_]+ {1,}: ' && ctl health | grep -qE '^healthy {37}: (true|false)$'; }
check "the table has 44 columns" table_is_aligned
json_is_sorted() {
	local json
	json=$(ctl health --output json)
	grep -q '^{"[$]type":"getHealthAllResult",' <<<"$json" && same "$json" "$(jq -jcS . <<<"$json")"
}
check "JSON is one line with sorted names" json_is_sorted
field() { same "$(ctl health --field "$1")" "$2"; }
check "a field alone" field licensed true
check "a field by its name in JSON" field releaseRing '"Production"'
as_mdatp() { same "$("$work/mdatp" --prefix "$PREFIX" health)" "$(ctl health)"; }
check "called mdatp it says the same" as_mdatp
check "an unknown field exits 7" exits 7 ctl health --field nothing
check "an unknown feature exits 2" exits 2 ctl health --details nothing
check "an unknown command exits 2" exits 2 ctl heatlh
check "and names the one that was meant" grep -q 'did you mean "health"' "$work/err"
json_says() { # FILTER VALUE COMMAND...: whatever the exit status
	local filter=$1 wanted=$2
	shift 2
	same "$("$@" 2>/dev/null | jq -r "$filter")" "$wanted"
}
check "a wrong command line is told in JSON too" json_says .code 2 ctl heatlh --output json
check "so are the features" json_says '.features[0]' issues ctl health --details help --output json
check "an unhealthy agent exits 9 when asked to" exits 9 ctl health --exit-code
check "no agent exits 4" exits 4 "$work/agentctl" --prefix /nonexistent health
check "and says so" grep -q 'Could not connect to the daemon' "$work/err"

# Who may read the journal.
put 1 'probe one'
check "events need root" exits 3 as_nobody events
check "queries need root" exits 3 as_nobody hunt 'SELECT 1'
check "root reads events" within 5 eval 'ctl events | grep -q "probe one"'
check "a query answers" same "$(ctl hunt --output json 'SELECT count(*) AS n FROM DeviceProcessEvents')" '[{"n":1}]'
check "an error in a query is told" exits 1 ctl hunt 'SELECT nothing'
check "a query cannot write" exits 1 ctl hunt 'DELETE FROM events'
check "a table with a long name is no other error" exits 2 ctl events --table "$(printf 'x%.0s' {1..5000})"
check "and is named" grep -q 'table must be' "$work/err"
nowhere() { not ctl events <&- >&- 2>"$work/err" && grep -q 'cannot write the output' "$work/err"; }
check "closed descriptors are told, also where the socket would take their place" nowhere
put 1 "$(printf 'probe \033]0;owned\007')"
no_escapes() { ctl events | grep -q 'x1b]0;owned' && ! ctl events | grep -q "$(printf '\033')"; }
check "what an attacker typed does not reach the terminal" no_escapes
ctl events -f >"$work/follow" 2>/dev/null &
follower=$!
# It shows what comes after it asked, and when that is only it knows.
follows() { put 1 'probe followed' && sleep 0.3 && grep -q 'probe followed' "$work/follow"; }
check "a follower sees what comes" within 10 follows

# Nobody keeps an answer from somebody else.
quick() { # COMMAND...: within two seconds
	local start=$EPOCHREALTIME
	"$@" >"$work/out" 2>&1 || return 1
	[ $((${EPOCHREALTIME/./} - ${start/./})) -lt 2000000 ]
}
kill -STOP "$(role_pid store)"
silent() { quick ctl health --field health_issues && grep -q 'program not answering: store' "$work/out"; }
check "a program that is silent is named, soon" silent
kill -CONT "$(role_pid store)"
check "and no longer when it answers" within 5 not has_issue 'program not answering'
hunter=$(role_pid hunt)
kill -STOP "$hunter"
check "a query that nobody answers is given up" exits 8 ctl hunt 'SELECT 1'
kill -CONT "$hunter"
check "and the next one answers" within 5 ctl hunt 'SELECT 1'
put 60000 'probe many'
ctl events --since 1h --output json | { sleep 3; wc -l >"$work/slow"; } &
reader=$!
check "a slow reader is in nobody's way" quick ctl health
wait $reader
check "and gets everything" same "$(tr -d ' ' <"$work/slow")" "$(sqlite3 "$journal" 'SELECT count(*) FROM events')"
# shellcheck disable=SC2016 # perl's, not the shell's
crowd='use IO::Socket::UNIX; $) = $> = 65534; chdir shift;
	@s = map { IO::Socket::UNIX->new(Peer => "control.sock") } 1 .. 40; print "ready\n"; $| = 1; close STDOUT; sleep 8'
coproc CROWD { perl -e "$crowd" "$PREFIX/run/endpoint-agent"; }
read -r _ <&"${CROWD[0]}"
check "a crowd of one user gets its share" exits 8 as_nobody health
check "and leaves room for root" quick ctl health
kill "$CROWD_PID"
check "and for itself when it has gone" within 15 as_nobody health

# Bytes that are no request.
# shellcheck disable=SC2016
garbage='use IO::Socket::UNIX; chdir shift; for $b ("GET / HTTP/1.0\r\n\r\n", "\0\0\0\0", "\xff\xff\xff\xff",
	"\0\0\0\2{}", "\0\0\0\4\xff\xfe\0\0", pack("N", 65536) . "[" x 65536, pack("N", 9) . "{\"a\":")
	{ my $s = IO::Socket::UNIX->new(Peer => "control.sock") or exit 1; print $s $b; $s->flush; shutdown $s, 1; my $x; sysread $s, $x, 4096; }'
survives() { perl -e "$garbage" "$PREFIX/run/endpoint-agent" && quick ctl health; }
check "malformed requests harm nobody" survives
check "no program has died" eval '! ctl health --details programs | grep -v " 0 deaths"'

kill -STOP "$(role_pid control)"
hangs_not() {
	local start=$SECONDS
	exits 4 ctl health && [ $((SECONDS - start)) -le 7 ]
}
check "agentctl never hangs" hangs_not
kill -CONT "$(role_pid control)"
wait $follower # it did not hang either

# A cloud that answers, but not to this device.
sqlite3 -cmd '.timeout 5000' "$CLOUD/cloud.db" "UPDATE certificates SET revoked = strftime('%s', 'now') * 1000000"
kill -KILL "$(role_pid reporter)" # the next one asks at once
check "a device that the cloud has revoked is not healthy" within 30 has_issue 'cloud refuses this device'

# Onboarding and offboarding.
check "a file that is none is refused" exits 1 ctl onboard /etc/passwd
check "and none is told" exits 7 ctl onboard /nonexistent
sed 's/sha256sig\\":\\"..../sha256sig\\":\\"AAAA/' "$PREFIX/onboarding.json" >"$work/forged.json"
check "a forged file does not license" exits 1 ctl onboard "$work/forged.json"
check "and the reason is told" grep -q signature "$work/err"
check "the right one does" exits 0 ctl onboard "$PREFIX/onboarding.json"
"$CLOUDD" offboarding --data "$CLOUD" --out "$work/offboarding.json" >/dev/null
check "an offboarding file ends it" exits 0 ctl offboard "$work/offboarding.json"
attention() { same "$(ctl health --field licensed | head -n 1)" 'ATTENTION: No license found. Contact your administrator for help.'; }
check "every table says so first" attention
check "and the journal needs a license" exits 6 ctl events
check "an offboarding file takes precedence" exits 1 ctl onboard "$PREFIX/onboarding.json"
finish
