/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the onboarding and offboarding files to the licence (mdatp text set,
 * section 5.2). An offboarding file goes before an onboarding file. The first good
 * onboarding file pins its root in the reporter's folder; a root that the
 * administrator put below the configuration's trust folder goes before that pin.
 * Time and the identity's organisation are parameters; no timer lives here.
 */
#pragma once

#include "agent/config/plan.h"
#include "agent/config/policy.h"

#define ONBOARDER_PIN_FILE "onboarding-ca.pem"
#define ONBOARDER_MARK_FILE "offboarded"

/* As MSG_ONBOARD_FILE has it. */
enum onboarder_file { ONBOARDER_FILE_ABSENT, ONBOARDER_FILE_PRESENT, ONBOARDER_FILE_UNSAFE };

struct onboarder;

/* cloud_fd: the reporter's folder (borrowed); trust_path: the administrator's root, as it
 * would be named, copied. -ENOMEM, -ENAMETOOLONG. */
must_check int onboarder_new(int cloud_fd, const char *trust_path,
			     struct onboarder **ret_onboarder);
void onboarder_free(struct onboarder *o);
DEFINE_CLEANUP(struct onboarder *, onboarder, onboarder_free)

/* What agentd found; fd_taken is -1 unless the file is PRESENT. */
void onboarder_set_file(struct onboarder *o, bool is_offboarding, enum onboarder_file state,
			int fd_taken);

/* Looks at both files anew. identity_org: of the identity this host has, "" for none.
 * Returns 1 when the licence or the accepted file changed, else 0; before both files were set it
 * does nothing. */
int onboarder_evaluate(struct onboarder *o, uint64_t now_us, const char *identity_org);

/* The result: device_id is left empty. */
const struct licence *onboarder_licence(const struct onboarder *o);

/* The accepted onboarding file, NULL unless the licence is active. Valid until the next
 * onboarder_evaluate() that returns 1. */
const struct onboarding *onboarder_blob(const struct onboarder *o);

/* True when a file that is there but cannot be accepted should be looked at again later
 * (a clock that gets set may change the answer). */
bool onboarder_is_pending(const struct onboarder *o);

/* True while an offboarding file lies there that was refused. */
bool onboarder_has_bad_offboarding(const struct onboarder *o);
