#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cloudd alone, spoken to by curl as agents do: enrolment, who may post what, the
# cursor, hostile bodies, kill -9, a full disk (cloud protocol, sections 2, 3, 8).
# shellcheck disable=SC2016,SC2317 # jq and sed scripts; functions that check calls
# Mounts of this test end with its namespace, however it ends.
if [ "$(id -u)" = 0 ] && [ -z "${CLOUDD_TEST_NS:-}" ]; then
	CLOUDD_TEST_NS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

cloudd=$build/sbin/cloudd
work=$(mktemp -d /tmp/endpoint-cloudd-test.XXXXXX) || exit 1
data=$work/data
port=0
cloud_pid=

cloud_start() { # returns when it serves $data
	local dir=$data
	rm -f "$dir/endpoint"
	"$cloudd" serve --data "$dir" --listen "127.0.0.1:$port" >>"$work/cloudd.log" 2>&1 &
	cloud_pid=$!
	within 20 test -s "$dir/endpoint" || { echo "Bail out! cloudd does not start"; tail "$work/cloudd.log"; exit 1; }
	url=$(cat "$dir/endpoint")
	port=${url##*:}
}

cloud_stop() { # SIGNAL: its exit status
	[ -n "$cloud_pid" ] || return 0
	kill "-$1" "$cloud_pid"
	wait "$cloud_pid" 2>/dev/null
	local status=$?
	cloud_pid=
	return $status
}
trial_clean() {
	cloud_stop KILL
	[ "$tap_failed" = 0 ] || tail -n 20 "$work/cloudd.log" | sed 's/^/# /'
}
trap trial_end EXIT

# blob FILE KEY: a member of the onboarding file's body.
blob() { jq -r .onboardingInfo "$1" | jq -r .body | jq -r ".$2"; }

# req WHO METHOD PATH [CURL-ARGS...]: status on standard output, body in $work/answer.
# WHO names a certificate, "-" is none.
req() {
	local who=$1 method=$2 path=$3
	shift 3
	set -- -X "$method" -H "Agent-Protocol: ${protocol:-1}" -H 'Expect:' "$@"
	[ "$who" = - ] || set -- --cert "$work/$who.pem" --key "$work/$who.key" "$@"
	curl -sS --max-time 30 --cacert "$work/ca.pem" -o "$work/answer" -D "$work/head" \
		-w '%{http_code}' "$@" "$url$path"
}
answer() { jq -r "$1" "$work/answer"; }
# said STATUS CODE WHO METHOD PATH ...: the request is refused with exactly that.
said() {
	local want="$1 $2" got
	shift 2
	got=$(req "$@") || return 1
	same "$got $(answer '.error.code // "-"')" "$want" || { cat "$work/answer"; return 1; }
}

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key" 2>/dev/null; }
csr() { openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr" 2>/dev/null; }
enrol_body() { # GUID CSR-FILE
	jq -n --arg guid "$1" --rawfile csr "$2" '{machine_guid: $guid, hostname: "web-\u001b[31m1",
		csr: $csr, os: {id: "debian", version: "12"}, kernel: "6.1.0", arch: "x86_64",
		agent_version: "1.0.0", boot_id: "5e", tags: ["prod"], plan_requested: "P2"}'
}
# enrol NAME GUID [TOKEN]: status; on success NAME.pem and NAME.id are there.
enrol() {
	local name=$1 status
	enrol_body "$2" "$work/$name.csr" >"$work/enrol.json"
	status=$(req - POST /v1/enroll -H "Authorization: Bearer ${3:-$token}" \
		--data-binary "@$work/enrol.json" -H "Idempotency-Key: $(sha256sum <"$work/$name.csr" | cut -c1-64)")
	case $status in
	200 | 201)
		answer .certificate >"$work/$name.pem"
		answer .chain >"$work/chain.pem"
		answer .device_id >"$work/$name.id"
		;;
	esac
	echo "$status"
}

header='{"v":1,"schema":"event/1","boot_id":"5e","clock_offset_ms":-12'
# lines FIRST LAST [DROPPED]: a batch body.
lines() {
	printf '%s%s}\n' "$header" "${3:+,\"dropped\":[$3]}"
	for ((i = $1; i <= $2; i++)); do
		printf '{"seq":%d,"ts":%d,"mono":%d,"Table":"DeviceProcessEvents","ActionType":"ProcessCreated","FileName":"true","ProcessCommandLine":"/bin/true %d"}\n' \
			$i $((1760000000000000 + i)) $((1000 + i)) $i
	done
}
# post WHO EPOCH FIRST LAST COUNT FILE [CURL-ARGS...]: uncompressed unless the arguments say.
post() { req_post "$1" "$(cat "$work/$1.id")" "${@:2}"; }
req_post() {
	local who=$1 id=$2 epoch=$3 first=$4 last=$5 count=$6 file=$7
	shift 7
	req "$who" POST "/v1/devices/$id/events" -H 'Content-Type: application/x-ndjson' \
		-H "Batch-Epoch: $epoch" -H "Batch-First: $first" -H "Batch-Last: $last" \
		-H "Batch-Count: $count" -H "Batch-SHA256: $(sha256sum <"$file" | cut -c1-64)" \
		--data-binary "@$file" "$@"
}
posted() { # STATUS CODE WHO EPOCH FIRST LAST COUNT FILE ...
	local want="$1 $2" got
	shift 2
	got=$(post "$@") || return 1
	same "$got $(answer '.error.code // "-"')" "$want" || { cat "$work/answer"; return 1; }
}
acked() { same "$(answer '"\(.acked.epoch) \(.acked.seq) \(.duplicate)"')" "$1"; }
stored() { "$cloudd" events --data "$data" --output json "$@" | jq -r .seq; }
status_of() { "$@" >/dev/null 2>"$work/err"; echo $?; }
usage() { # WORDS ARGS...: exit status 2 and one line that has the words
	local words=$1
	shift
	same "$(status_of "$cloudd" "$@")" 2 && same "$(wc -l <"$work/err")" 1 && grep -q -- "$words" "$work/err"
}

# ---- command line ----
check "no command is bad usage" usage "command is needed"
check "an unknown command is bad usage" usage "unknown command" nonsense
check "an unknown option is bad usage" usage "unknown argument" serve --data x --nonsense
check "a missing --data is bad usage" usage "--data DIR is needed" events
check "a missing value is bad usage" usage "needs a value" devices --data
check "a bad plan is bad usage" usage "P1 or P2" onboarding --data x --out y --plan P3
check "a bad time is bad usage" usage "--since takes" events --data x --since yesterday
check "a bad address is bad usage" usage "ADDRESS:PORT" serve --data x --listen 1.2.3.4
check "a missing folder is said" same "$(status_of "$cloudd" events --data "$work/none")" 1
check "... in words" grep -q 'run `cloudd serve` first' "$work/err"
: >"$work/file"
check "a folder that cannot be made is said" same "$(status_of "$cloudd" serve --data "$work/file/x" --listen 127.0.0.1:0)" 1
check "... in words" grep -q 'Not a directory' "$work/err"

# ---- start ----
cloud_start
check "keys are private" same "$(find "$data" -name '*.pem' -perm /077 | wc -l) $(find "$data/pki" -name '*.pem' | wc -l)" "0 6"
check "a second server on the folder refuses" same "$(status_of "$cloudd" serve --data "$data" --listen 127.0.0.1:0)" 1
check "... in words" grep -q "another cloudd serves" "$work/err"
check "an onboarding file is issued" "$cloudd" onboarding --data "$data" --out "$work/blob.json" --plan P2
blob "$work/blob.json" ca_pem >"$work/ca.pem"
token=$(blob "$work/blob.json" enroll_token)
check "... with the endpoint" same "$(blob "$work/blob.json" 'endpoints[0]')" "$url"
ln -s /dev/null "$work/null"
check "nothing but a file is replaced by one" same "$(status_of "$cloudd" onboarding --data "$data" --out "$work/null") $(readlink "$work/null")" "1 /dev/null"
check "... in words" grep -q "not a regular file" "$work/err"
jq -r .onboardingInfo "$work/blob.json" | jq -j .body >"$work/body"
jq -r .onboardingInfo "$work/blob.json" | jq -r .cert | base64 -d | openssl x509 -inform DER -pubkey -noout >"$work/leaf.pub"
jq -r .onboardingInfo "$work/blob.json" | jq -r .sha256sig | base64 -d | perl -0777 -pe '$_ = reverse' >"$work/sig"
check "... whose reversed signature verifies" openssl dgst -sha256 -verify "$work/leaf.pub" -signature "$work/sig" "$work/body"
check "the token is not stored in clear" not grep -rq "$token" "$data"
check "healthz answers anybody" same "$(req - GET /healthz) $(answer .status)" "200 ok"

# ---- enrolment ----
for d in a b rsa; do key $d; csr $d; done
check "a device enrols" same "$(enrol a 8f0c0000-0000-4000-8000-00000000000a)" 201
check "... with an id of 40 digits" grep -Eqx '[0-9a-f]{40}' "$work/a.id"
check "... with a certificate of the device CA" openssl verify -CAfile "$work/chain.pem" -purpose sslclient "$work/a.pem"
check "... for 30 days" openssl x509 -in "$work/a.pem" -checkend $((30 * 86400 - 100)) -noout
check "... that names tenant and device" same \
	"$(openssl x509 -in "$work/a.pem" -noout -ext subjectAltName | sed -n 's/^ *URI://p')" \
	"urn:endpoint-agent:$(blob "$work/blob.json" tenant_id):$(cat "$work/a.id")"
cp "$work/a.pem" "$work/a.first"
check "the same request again is the same device" same "$(enrol a 8f0c0000-0000-4000-8000-00000000000a)" 200
check "... with the same certificate" cmp "$work/a.pem" "$work/a.first"
check "the machine with another key is refused" same "$(enrol b 8f0c0000-0000-4000-8000-00000000000a) $(answer .error.code)" "409 device_exists"
check "another machine enrols" same "$(enrol b 8f0c0000-0000-4000-8000-00000000000b)" 201
"$cloudd" onboarding --data "$data" --out "$work/short.json" >/dev/null
sqlite3 "$data/cloud.db" "UPDATE tokens SET expires=1 WHERE created=(SELECT max(created) FROM tokens)"
check "a token that has expired is refused" same "$(enrol b 8f0c0000-0000-4000-8000-00000000000c "$(blob "$work/short.json" enroll_token)") $(answer .error.code)" "401 token_expired"
check "a wrong token is refused" same "$(enrol b 8f0c0000-0000-4000-8000-00000000000c "$(printf %064d 0)") $(answer .error.code)" "401 bad_token"
"$cloudd" onboarding --data "$data" --out "$work/once.json" --uses 1 >/dev/null
once=$(blob "$work/once.json" enroll_token)
key c; csr c
check "a token of one use works once" same "$(enrol c 8f0c0000-0000-4000-8000-00000000000d "$once")" 201
check "... and again for the same device" same "$(enrol c 8f0c0000-0000-4000-8000-00000000000d "$once")" 200
check "... but for no other" same "$(enrol c 8f0c0000-0000-4000-8000-00000000000e "$once") $(answer .error.code)" "401 token_used_up"
openssl req -new -newkey rsa:2048 -nodes -keyout "$work/rsa.key" -subj /CN=x -out "$work/rsa.csr" 2>/dev/null
check "an RSA key is refused" same "$(enrol rsa 8f0c0000-0000-4000-8000-00000000000f) $(answer .error.code)" "400 bad_csr"
check "a body that is no JSON is refused" said 400 bad_request - POST /v1/enroll -H "Authorization: Bearer $token" -d '{"machine_guid":'
check "a body with a double key is refused" said 400 bad_request - POST /v1/enroll -H "Authorization: Bearer $token" -d '{"a":1,"a":2}'
enrol_body 8f0c0000-0000-4000-8000-00000000000a "$work/a.csr" >"$work/enrol.json"
check "a wrong Idempotency-Key is refused" said 400 bad_header - POST /v1/enroll -H "Authorization: Bearer $token" \
	-H "Idempotency-Key: $(printf %064d 1)" --data-binary "@$work/enrol.json"

# ---- who may post ----
lines 1 100 >"$work/b1"
a=$(cat "$work/a.id")
check "no certificate: refused" said 401 no_certificate - POST "/v1/devices/$a/events" -d x
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/other.key" -subj "/CN=$a" -days 2 -out "$work/other.pem" 2>/dev/null
check "another CA's certificate: refused" said 401 bad_certificate other POST "/v1/devices/$a/events" -d x
cp "$work/a.key" "$work/forged.key"
openssl x509 -req -in "$work/a.csr" -CA "$data/pki/device-ca.pem" -CAkey "$data/pki/device-ca.pem" -set_serial 77 -days 2 -out "$work/forged.pem" 2>/dev/null
cp "$work/a.key" "$work/old.key"
openssl x509 -req -in "$work/a.csr" -CA "$data/pki/device-ca.pem" -CAkey "$data/pki/device-ca.pem" -set_serial 78 -days -1 -out "$work/old.pem" 2>/dev/null
check "an expired certificate: refused" said 401 cert_expired old POST "/v1/devices/$a/events" -d x
revoked() { sqlite3 "$data/cloud.db" "UPDATE certificates SET revoked=$1 WHERE device=(SELECT id FROM devices WHERE device_id='$a')"; }
revoked 1
check "a revoked certificate: refused" said 401 revoked a POST "/v1/devices/$a/events" -d x
revoked NULL
check "a serial that was never issued: refused" said 401 bad_certificate forged POST "/v1/devices/$a/events" -d x
check "another device's path: refused" same "$(req_post b "$a" 1 1 100 100 "$work/b1") $(answer .error.code)" "403 wrong_device"
check "another device's Agent-Device: refused" same "$(post a 1 1 100 100 "$work/b1" -H "Agent-Device: $(cat "$work/b.id")") $(answer .error.code)" "403 wrong_device"
check "nothing of it is stored" same "$("$cloudd" events --data "$data" --count)" 0
check "an unknown path" said 404 not_found a POST /v1/nothing -d x
check "a wrong method" said 405 method_not_allowed a GET "/v1/devices/$a/events"
check "... names the right one" grep -qi '^allow: POST' "$work/head"
protocol=2
check "another protocol version" said 426 protocol a POST "/v1/devices/$a/events" -d x
protocol=1
check "a well-formed Request-Id comes back" same "$(req - GET /healthz -H 'Request-Id: 11111111-2222-4333-8444-555555555555' >/dev/null; grep -ci '^request-id: 11111111-2222-4333-8444-555555555555' "$work/head")" 1
check "another one does not" same "$(req - GET /healthz -H 'Request-Id: <script>' >/dev/null; grep -c script "$work/head")" 0

# ---- the cursor ----
zstd -q -f "$work/b1" -o "$work/b1.zst"
post_zstd() { # FIRST LAST FILE: of device a in epoch 1, its digest that of the text
	req a POST "/v1/devices/$a/events" -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: zstd' \
		-H 'Batch-Epoch: 1' -H "Batch-First: $1" -H "Batch-Last: $2" -H "Batch-Count: $(($2 - $1 + 1))" \
		-H "Batch-SHA256: $(sha256sum <"$3" | cut -c1-64)" --data-binary "@$3.zst" -H "Agent-Device: $a"
}
check "a zstd batch is stored" same "$(post_zstd 1 100 "$work/b1")" 200
check "... and acknowledged" acked "1 100 false"
check "... and listed as it came" same "$("$cloudd" events --data "$data" --device "$a" --output json | sha256sum)" "$(tail -n +2 "$work/b1" | sha256sum)"
check "the same batch again is a duplicate" same "$(post_zstd 1 100 "$work/b1") $(acked "1 100 true")" "200 "
lines 90 150 >"$work/b2"
check "an overlap is taken" posted 200 - a 1 90 150 61 "$work/b2"
check "... above the cursor only" same "$(stored --device "$a")" "$(seq 150)"
lines 90 150 | sed 's/true 99/true 98/' >"$work/b3"
check "the range with another content conflicts" posted 409 range_conflict a 1 90 150 61 "$work/b3"
lines 160 170 >"$work/b4"
check "a gap to the cursor is refused" posted 409 gap a 1 160 170 11 "$work/b4"
check "... and told where it begins" same "$(answer .acked.seq)" 150
lines 160 170 '{"kind":"file","n":9,"first":151,"last":159}' >"$work/b5"
check "a gap that dropped explains is taken" posted 200 - a 1 151 170 11 "$work/b5"
check "... and shown" same "$("$cloudd" devices --data "$data" --output json | jq -r 'select(.device_id=="'"$a"'")|"\(.acked_seq) \(.events) \(.dropped) \(.conflicts)"')" "170 161 9 1"
lines 171 172 >"$work/b6"
sed 's/"seq":172/"seq":173/' "$work/b6" >"$work/b7"
check "a gap inside that nothing explains is refused" posted 400 bad_batch a 1 171 173 2 "$work/b7"
lines 1 5 >"$work/e2"
check "a higher epoch becomes current" posted 200 - a 2 1 5 5 "$work/e2"
check "... and the old one is over" posted 409 stale_epoch a 1 171 172 2 "$work/b6"
check "... and the cursor is the new one's" same "$(answer '"\(.acked.epoch) \(.acked.seq)"')" "2 5"

# A client that sends a byte a second; looked at when the bodies are through.
{ printf 'GET /healthz HTTP/1.1\r\n'; while sleep 1; do printf 'X'; done; } 2>/dev/null |
	openssl s_client -quiet -CAfile "$work/ca.pem" -connect "127.0.0.1:$port" >/dev/null 2>&1 &

# ---- hostile bodies: every one refused, the cursor unmoved ----
lines 6 10 >"$work/good"
bad() { # CODE LINE SED-SCRIPT: line numbers count the header object
	LC_ALL=C sed "$3" "$work/good" >"$work/bad"
	posted 400 "$1" a 2 6 10 5 "$work/bad" && same "$(answer '.error.line // "-"')" "$2"
}
check "a line that is no JSON, with its number" bad bad_batch 4 '4s/}$//'
check "bytes behind the object" bad bad_batch 4 '4s/$/ x/'
check "a line without seq" bad bad_batch 3 '3s/"seq"/"sek"/'
check "seq twice" bad bad_batch 3 '3s/{/{"seq":7,/'
check "seq in disguise" bad bad_batch 3 '3s/{/{"\\u0073eq":9,/'
check "seq as text" bad bad_batch 3 '3s/"seq":7/"seq":"7"/'
check "a negative ts" bad bad_batch 3 '3s/"ts":/"ts":-/'
check "a line without mono" bad bad_batch 3 '3s/"mono"/"nomo"/'
check "a Table that is no name" bad bad_batch 3 "3s/DeviceProcessEvents/x';--/"
check "seq that falls" bad bad_batch 4 '4s/"seq":8/"seq":7/'
check "seq beyond Batch-Last" bad bad_batch 6 '6s/"seq":10/"seq":11/'
check "another device's id" bad bad_batch 5 '5s/{/{"DeviceId":"x",/'
check "bytes that are not UTF-8" bad bad_batch 5 '5s/true/\xc3\x28/'
check "a NUL" bad bad_batch 5 '5s/true/\x00/'
check "an empty line" bad bad_batch 3 '3s/.*//'
check "a line more" bad bad_batch - '$p'
check "a line less" bad bad_batch - '$d'
check "a header object of another version" bad bad_batch - '1s/"v":1/"v":2/'
check "a header object that is no object" bad bad_batch - '1s/.*/[]/'
check "an empty body" bad bad_batch - 'd'
# raw STATUS CODE [CURL-ARGS...]: a post of device a with headers of its own making.
raw() {
	local status=$1 code=$2
	shift 2
	said "$status" "$code" a POST "/v1/devices/$a/events" -H 'Content-Type: application/x-ndjson' -H 'Batch-Epoch: 2' "$@"
}
range() { printf -- '-HBatch-First: %s\n-HBatch-Last: %s\n-HBatch-Count: %s\n-HBatch-SHA256: %s\n' "$@"; }
digest() { sha256sum <"$1" | cut -c1-64; }
mapfile -t good < <(range 6 10 5 "$(digest "$work/good")")
mapfile -t wrong < <(range 6 10 5 "$(printf %064d 0)")
mapfile -t many < <(range 6 1006 1001 "$(digest "$work/good")")
check "a wrong digest" raw 400 bad_digest "${wrong[@]}" --data-binary "@$work/good"
check "a missing header" raw 400 bad_header --data-binary "@$work/good"
check "Batch-Last below Batch-First" raw 400 bad_header "${good[@]:0:1}" -H 'Batch-Last: 5' --data-binary "@$work/good"
check "more than 1000 events" raw 413 too_large "${many[@]}" --data-binary "@$work/good"
check "another content type" said 400 bad_content_type a POST "/v1/devices/$a/events" -H 'Content-Type: text/html' --data-binary "@$work/good"
check "an unknown encoding" raw 415 unsupported_encoding "${good[@]}" -H 'Content-Encoding: br' --data-binary "@$work/good"
head -c 3000000 /dev/zero >"$work/large"
check "a body over 2 MiB" raw 413 too_large "${good[@]}" --data-binary "@$work/large"
check "... without Content-Length" raw 413 too_large "${good[@]}" -H 'Transfer-Encoding: chunked' --data-binary "@$work/large"
head -c 1000000000 /dev/zero | zstd -q -19 --long=23 >"$work/bomb.zst"
check "a zstd bomb" raw 413 too_large "${good[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/bomb.zst"
head -c 1000 /dev/zero | zstd -q --long=27 >"$work/window.zst"
check "a zstd window over 8 MiB" raw 413 too_large "${good[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/window.zst"
check "zstd that is none" raw 400 bad_encoding "${good[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/good"
zstd -q -c "$work/good" | head -c 60 >"$work/cut.zst"
check "zstd that is cut short" raw 400 bad_encoding "${good[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/cut.zst"
head -c 1000000000 /dev/zero | gzip -9 >"$work/bomb.gz"
check "a gzip bomb" raw 413 too_large "${good[@]}" -H 'Content-Encoding: gzip' --data-binary "@$work/bomb.gz"
{ gzip -c "$work/good"; echo; } >"$work/trail.gz"
check "gzip with bytes behind it" raw 400 bad_encoding "${good[@]}" -H 'Content-Encoding: gzip' --data-binary "@$work/trail.gz"
long_line() { # BYTES: a batch of one event whose line is that long
	local line='{"seq":6,"ts":1,"mono":1,"Table":"DeviceEvents","x":""}'
	printf '%s}\n' "$header"
	printf '%s%*s%s\n' "${line%??}" $(($1 - ${#line})) '' '"}' | tr ' ' x
}
long_line 65537 >"$work/long"
check "a line of 64 KiB + 1" posted 400 bad_batch a 2 6 6 1 "$work/long"
check "... has its number" same "$(answer .error.line)" 2
lines 6 10 | sed '1s/}$/,"tenant":"00000000-0000-4000-8000-000000000000"}/' >"$work/tenant"
check "another tenant in the header object" posted 403 wrong_tenant a 2 6 10 5 "$work/tenant"
for n in $(seq 40); do printf -- '-HX-%s: 1\n' "$n"; done >"$work/headers"
mapfile -t headers <"$work/headers"
check "forty headers" raw 431 too_many_headers "${headers[@]}" --data-binary "@$work/good"
check "the cursor did not move" same "$(stored --device "$a" | tail -n 1) $("$cloudd" devices --data "$data" --output json | jq -r 'select(.device_id=="'"$a"'").acked_seq')" "5 5"
long_line 65536 >"$work/long"
check "a line of 64 KiB is taken" posted 200 - a 2 6 6 1 "$work/long"
lines 7 10 >"$work/b8"
gzip -c "$work/b8" >"$work/b8.gz"
mapfile -t good < <(range 7 10 4 "$(digest "$work/b8")")
check "a gzip batch is taken" raw 200 - "${good[@]}" -H 'Content-Encoding: gzip' --data-binary "@$work/b8.gz"
# A batch that compresses better than 64 to 1 is still one.
{ printf '%s}\n' "$header"; for ((i = 11; i <= 1010; i++)); do printf '{"seq":%d,"ts":1,"mono":1,"Table":"DeviceEvents","x":"%0500d"}\n' $i 0; done; } >"$work/b9"
zstd -q -19 -f "$work/b9" -o "$work/b9.zst"
mapfile -t good < <(range 11 1010 1000 "$(digest "$work/b9")")
note "ratio $(($(stat -c %s "$work/b9") / $(stat -c %s "$work/b9.zst")))"
check "a batch that compresses very well is taken" raw 200 - "${good[@]}" -H 'Content-Encoding: zstd' --data-binary "@$work/b9.zst"

# ---- heartbeat and renewal ----
check "a heartbeat" said 200 - a POST "/v1/devices/$a/heartbeat" -H 'Content-Type: application/json' -d '{"health":{"healthy":true},"queue_depth":3}'
check "... says when the next is due" same "$(answer .next_heartbeat_s)" 60
check "a heartbeat that is no object" said 400 bad_request a POST "/v1/devices/$a/heartbeat" -d '[1]'
check "a heartbeat for another device" said 403 wrong_device b POST "/v1/devices/$a/heartbeat" -d '{"a":1}'
key new; csr new
jq -n --rawfile csr "$work/new.csr" '{csr: $csr}' >"$work/renew.json"
check "a renewal with a new key" said 200 - a POST /v1/renew --data-binary "@$work/renew.json"
answer .certificate >"$work/new.pem"
cp "$work/a.id" "$work/new.id"
lines 1011 1012 >"$work/b10"
check "... whose certificate works" posted 200 - new 2 1011 1012 2 "$work/b10"
lines 1013 1014 >"$work/b11"
check "... and the old one until it ends" posted 200 - a 2 1013 1014 2 "$work/b11"

# ---- listings ----
check "the table escapes what a terminal would obey" not grep -q $'\033' <("$cloudd" devices --data "$data"; "$cloudd" events --data "$data")
check "--limit shows the newest" same "$(stored --limit 2 | tr '\n' ' ')" "1013 1014 "
check "--table by name" same "$("$cloudd" events --data "$data" --table DeviceProcessEvents --count)" $((161 + 5 + 4 + 4))
check "--table shows actions this build does not know" same "$("$cloudd" events --data "$data" --table DeviceEvents --count)" 1001
check "--since" same "$("$cloudd" events --data "$data" --since 2025-10-09T08:53:19.989013Z --table DeviceProcessEvents --count)" 2
check "an unknown device is said" same "$(status_of "$cloudd" events --data "$data" --device nobody)" 1
check "the hunting views are there" same "$(sqlite3 "$data/cloud.db" "select count(*), min(DeviceName) from DeviceProcessEvents where ProcessCommandLine='/bin/true 99'" | tr -d '\033')" "1|web-[31m1"
key v; csr v
enrol v 8f0c0000-0000-4000-8000-00000000001b >"$work/status"
{ printf '%s}\n{"seq":1,"ts":1,"mono":1,"Table":"DeviceEvents","ActionType":"' "$header"; printf '%60000s' '' | tr ' ' '\177'; printf '"}\n'; } >"$work/wide"
check "an event whose action fills its line is taken" posted 200 - v 1 1 1 1 "$work/wide"
check "... and does not end the table" same "$(status_of "$cloudd" events --data "$data" --device "$(cat "$work/v.id")")" 0

# ---- deadlines ----
late() { req - GET /healthz >/dev/null && [ "$(answer .late_connections)" -ge 1 ]; }
check "a client that drips is cut" within 30 late

# ---- kill -9 ----
batch_no=0 batches=40 next=1
key k; csr k
check "a device for the kills" same "$(enrol k 8f0c0000-0000-4000-8000-00000000001a)" 201
kill_later() { # at any moment of the batches to come
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	kill -9 "$cloud_pid" 2>/dev/null
}
kills=0
while [ $batch_no -lt $batches ]; do
	if [ $((batch_no % 8)) = 0 ] && [ $kills -lt $((batch_no / 8 + 1)) ]; then
		kill_later &
		killer=$!
		kills=$((kills + 1))
	fi
	lines $next $((next + 99)) >"$work/k"
	# The kill may fall between the head and the body of an answer: curl's word counts too.
	if status=$(post k 1 $next $((next + 99)) 100 "$work/k" 2>/dev/null) && [ "$status" = 200 ]; then
		next=$(($(answer .acked.seq) + 1))
		batch_no=$((batch_no + 1))
	elif ! kill -0 "$cloud_pid" 2>/dev/null || ! req - GET /healthz >/dev/null 2>&1; then
		wait "$killer" "$cloud_pid" 2>/dev/null
		cloud_start
	fi
done
wait "$killer" 2>/dev/null
req - GET /healthz >/dev/null 2>&1 || { wait "$cloud_pid" 2>/dev/null; cloud_start; }
check "$kills kills of cloudd: acknowledged = stored, none doubled" same "$(stored --device "$(cat "$work/k.id")" | sha256sum)" "$(seq $((batches * 100)) | sha256sum)"

# ---- the stop ----
cloud_stop TERM
check "SIGTERM stops it cleanly" same $? 0
port=0
cloud_start
check "events survive a restart" same "$(stored --device "$a" | tail -n 1)" 1014
check "an offboarding file is issued" "$cloudd" offboarding --data "$data" --out "$work/off.json" --days 7
check "... for the same organisation" same "$(blob "$work/off.json" orgId) $(blob "$work/off.json" offboard)" "$(blob "$work/blob.json" orgId) true"
cloud_stop TERM

# ---- a full disk ----
mkdir "$work/full"
mount -t tmpfs -o size=24m tmpfs "$work/full"
data=$work/full port=0
cloud_start
"$cloudd" onboarding --data "$data" --out "$work/blob.json" >/dev/null
blob "$work/blob.json" ca_pem >"$work/ca.pem"
token=$(blob "$work/blob.json" enroll_token)
key f; csr f
check "a device of the small disk" same "$(enrol f 8f0c0000-0000-4000-8000-00000000002a)" 201
next=1 refused=0
fill() { { printf '%s}\n' "$header"; for ((i = $1; i < $1 + 100; i++)); do
	printf '{"seq":%d,"ts":1,"mono":1,"Table":"DeviceEvents","x":"%09000d"}\n' $i 0; done; } >"$work/fill"; }
while [ $next -lt 5000 ]; do
	fill $next
	[ "$(post f 1 $next $((next + 99)) 100 "$work/fill")" = 200 ] || { refused=1; break; }
	next=$((next + 100))
done
check "a full disk is refused as storage" same "$refused $(answer .error.code) $(grep -ci '^retry-after' "$work/head")" "1 storage 1"
check "... and said in healthz" said 503 - - GET /healthz
check "what was acknowledged is there, nothing else" same "$(stored)" "$(seq $((next - 1)))"
mount -o remount,size=64m "$work/full"
check "with room again it goes on" posted 200 - f 1 $next $((next + 99)) 100 "$work/fill"
check "... with no gap" same "$(stored)" "$(seq $((next + 99)))"
check "... and healthz is well" said 200 - - GET /healthz

# ---- a database that is damaged under a running server ----
sqlite3 "$data/cloud.db" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
dd if=/dev/urandom of="$data/cloud.db" bs=16384 seek=1 count=30 conv=notrunc status=none
fill $((next + 100))
check "a damaged database is refused as storage" posted 503 storage f 1 $((next + 100)) $((next + 199)) 100 "$work/fill"
check "... and said in healthz" said 503 - - GET /healthz
check "... and in the log" within 5 grep -q "nothing can be stored: Structure needs cleaning" "$work/cloudd.log"
cloud_stop TERM
umount "$work/full"
finish
