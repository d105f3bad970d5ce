#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` makes runs where it lies: below DESTDIR, and as the system's
# own agent. In a mount namespace with copies of the system's folders, which go
# with it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
[ "$(id -u)" != 0 ] || [ -n "${IS_PRIVATE:-}" ] || IS_PRIVATE=1 exec unshare --mount "$0"
. "$(dirname "$0")/lib.sh"

install_to() { # DESTDIR
	env -u MAKEFLAGS -u MAKELEVEL make --silent -C "$top" O="$build" DESTDIR="$1" install
}
end() { kill "$1" && within 20 not test -d "/proc/$1"; }

tree=$(mktemp -d /tmp/endpoint-agent-tree.XXXXXX)
chmod 755 "$tree"
trap 'rm -rf "$tree"' EXIT
check "an install below DESTDIR" install_to "$tree"
# Every file, and the folders that hold none.
expected() {
	cat <<-END
		755 etc/endpoint-agent/conf.d
		755 usr/bin/agentctl
		755 usr/libexec/endpoint-agent/agent-control
		755 usr/libexec/endpoint-agent/agent-hunt
		755 usr/libexec/endpoint-agent/agent-reporter
		755 usr/libexec/endpoint-agent/agent-sensor
		755 usr/libexec/endpoint-agent/agent-store
		755 usr/sbin/agentd
		755 usr/sbin/cloudd
		755 usr/share/endpoint-agent
		644 usr/share/man/man5/agent.json.5
		644 usr/share/man/man8/agentctl.8
		644 usr/share/man/man8/agentd.8
		644 usr/share/man/man8/cloudd.8
	END
}
found() { find "$tree" \( -type f -o -type d -empty \) -printf '%m %P\n' | LC_ALL=C sort -k 2; }
check "holds these files and no other" same "$(found)" "$(expected)"

# A trial of that tree.
system_build=$build
export BUILD=$tree/usr
trial_start
from_tree() { same "$(readlink "/proc/$1/exe")" "$tree/usr/$2"; }
check "agentd runs from the tree" from_tree "$AGENTD_PID" sbin/agentd
roles_from_tree() {
	for role in store hunt reporter sensor control; do
		from_tree "$(role_pid "$role")" "libexec/endpoint-agent/agent-$role" || return 1
	done
}
check "and its programs do" roles_from_tree
burst tree 10
check "what happens reaches the cloud" within 30 all_stored tree 10
trial_end
export BUILD=$system_build

# The system's own, without --prefix.
work=$(mktemp -d /tmp/endpoint-agent-test.XXXXXX)
chmod 755 "$work"
mount -t tmpfs tmpfs "$work"
trap 'kill $AGENTD_PID $CLOUDD_PID 2>/dev/null; umount "$work"; rm -rf "$work" "$tree"' EXIT
AGENTD_PID='' CLOUDD_PID=''
for d in usr etc var run; do
	mkdir "$work/$d" "$work/$d.work"
	mount -t overlay -o "lowerdir=/$d,upperdir=$work/$d,workdir=$work/$d.work" overlay "/$d"
done
check "an install into the system" install_to ''
AGENTCTL=/usr/bin/agentctl CLOUDD=/usr/sbin/cloudd PREFIX=/ CLOUD=/var/lib/endpoint-cloud
$CLOUDD serve --data $CLOUD --listen 127.0.0.1:0 >"$work/cloudd.log" 2>&1 &
CLOUDD_PID=$!
check "cloudd serves" within 20 test -s $CLOUD/endpoint
agentd >"$work/agentd.log" 2>&1 &
AGENTD_PID=$!
check "agentd and its programs run" within 20 all_run
check "an onboarding file for it" $CLOUDD onboarding --data $CLOUD --plan P1 --out "$work/onboarding.json"
check "is taken" $AGENTCTL onboard "$work/onboarding.json"
licensed() { same "$($AGENTCTL health --field licensed)" true; }
check "and licenses" within 5 licensed
connected() { same "$(health_value reporter cloud_state)" '"connected"'; }
check "it reaches the cloud" within 30 connected
burst system 10
check "what happens reaches the cloud" within 30 all_stored system 10
check "agentd ends when told" end "$AGENTD_PID"
check "and has left audit as it was" agentd --restore-audit
check "cloudd ends when told" end "$CLOUDD_PID"
[ "$tap_failed" = 0 ] || sed 's/^/# /' "$work/agentd.log" "$work/cloudd.log"
echo "1..$tap_n"
exit $((tap_failed > 0))
