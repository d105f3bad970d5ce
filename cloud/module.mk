# SPDX-License-Identifier: GPL-2.0-or-later
srcs += cloud/api.c cloud/api_error.c cloud/batch.c cloud/blob.c cloud/committer.c cloud/decode.c \
        cloud/devices.c cloud/enrol.c cloud/enrol_request.c cloud/events.c cloud/http.c \
        cloud/ingest.c cloud/onboarding.c cloud/options.c cloud/peer_cert.c cloud/pki.c \
        cloud/serve.c cloud/status.c cloud/url.c \
        cloud/store/db.c cloud/store/events.c cloud/store/list.c cloud/store/state.c

progs += sbin/cloudd
main_sbin/cloudd := cloud/main.c
libs += -lz
