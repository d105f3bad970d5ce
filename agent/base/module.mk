# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/base/loop.c agent/base/msg.c agent/base/peer.c agent/base/sandbox.c
srcs += agent/base/str.c agent/base/buf.c agent/base/utf8.c agent/base/jsonw.c agent/base/jsonr.c \
        agent/base/diag.c agent/base/clock.c agent/base/rand.c agent/base/hash.c agent/base/log.c \
        agent/base/fs.c agent/base/map.c
tests += loop peer sandbox str buf utf8 jsonw jsonr diag clock rand hash log fs map
fuzz  += jsonr
srcs  += agent/base/rfc3339.c
tests += rfc3339
srcs  += agent/base/memory.c
tests += memory
