# SPDX-License-Identifier: GPL-2.0-or-later
srcs += cloud/api.c cloud/api_error.c cloud/batch.c cloud/blob.c cloud/committer.c cloud/decode.c \
        cloud/devices.c cloud/enrol.c cloud/enrol_request.c cloud/events.c cloud/http.c \
        cloud/ingest.c cloud/onboarding.c cloud/options.c cloud/peer_cert.c cloud/pki.c \
        cloud/serve.c cloud/status.c cloud/url.c \
        cloud/store/db.c cloud/store/events.c cloud/store/list.c cloud/store/state.c

tests += cloud_batch cloud_blob cloud_committer cloud_decode cloud_enrol_request cloud_http \
         cloud_options cloud_pki cloud_store cloud_url
fuzz  += ingest enrol_request

progs += sbin/cloudd
main_sbin/cloudd := cloud/main.c
libs += -lz
