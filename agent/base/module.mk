# SPDX-License-Identifier: GPL-2.0-or-later
srcs += agent/base/loop.c agent/base/msg.c agent/base/peer.c agent/base/sandbox.c
tests += loop peer
