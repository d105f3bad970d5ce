/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/blob.h"

#include "agent/base/jsonw.h"

/* What the vendor's files call version; ours is the version of this layout. */
#define BLOB_VERSION "1.35"

void blob_onboarding_format(const struct blob_content *content, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_key(&w, STR("previousOrgIds"));
	jsonw_array_begin(&w);
	jsonw_array_end(&w);
	jsonw_kv_str(&w, "orgId", str_of(content->org_id));
	jsonw_kv_str(&w, "geoLocationUrl", str_of(content->url));
	/* One endpoint is one place: it has no regions to name. */
	jsonw_kv_str(&w, "datacenter", STR("local"));
	jsonw_kv_str(&w, "vortexGeoLocation", STR("local"));
	jsonw_kv_str(&w, "version", STR(BLOB_VERSION));
	jsonw_kv_str(&w, "deviceType", STR("Server"));
	jsonw_kv_str(&w, "plan", str_of(plan_name(content->plan)));
	jsonw_key(&w, STR("endpoints"));
	jsonw_array_begin(&w);
	jsonw_str(&w, str_of(content->url));
	jsonw_array_end(&w);
	jsonw_kv_str(&w, "ca_pem", str_of(content->ca_pem));
	jsonw_kv_str(&w, "enroll_token", str_of(content->token));
	jsonw_kv_str(&w, "tenant_id", str_of(content->tenant_id));
	jsonw_key(&w, STR("notAfter"));
	jsonw_time_us(&w, content->not_after_us);
	jsonw_object_end(&w);
}

void blob_offboarding_format(const char *org_id, uint64_t not_after_us, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "orgId", str_of(org_id));
	jsonw_kv_bool(&w, "offboard", true);
	jsonw_key(&w, STR("notAfter"));
	jsonw_time_us(&w, not_after_us);
	jsonw_object_end(&w);
}

/* The signature as the files have it: last byte first, in base64. */
static int signature_format(const struct pki *pki, struct str body, struct buf *out)
{
	uint8_t signature[PKI_SIGNATURE_SIZE];
	uint8_t reversed[PKI_SIGNATURE_SIZE];
	int r = pki_sign(pki, body, signature);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(signature); i++)
		reversed[i] = signature[sizeof(signature) - 1 - i];
	return pki_base64((struct str){ .p = (const char *)reversed, .n = sizeof(reversed) }, out);
}

/* A certificate's DER in base64 as the next JSON value. */
static int certificate_write(const struct pki *pki, enum pki_entity e, struct jsonw *w)
{
	cleanup_(buf_cleanup) struct buf der = { 0 };
	cleanup_(buf_cleanup) struct buf text = { 0 };
	int r;

	buf_init(&der, PKI_PEM_MAX);
	buf_init(&text, PKI_PEM_MAX);
	if ((r = pki_certificate_der(pki, e, &der)) < 0 ||
	    (r = pki_base64(buf_str(&der), &text)) < 0)
		return r;
	jsonw_str(w, buf_str(&text));
	return 0;
}

static int envelope_format(const struct pki *pki, struct str body, struct buf *out)
{
	cleanup_(buf_cleanup) struct buf signature = { 0 };
	struct jsonw w;
	int r;

	buf_init(&signature, BLOB_MAX);
	r = signature_format(pki, body, &signature);
	if (r < 0)
		return r;
	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "body", body);
	jsonw_kv_str(&w, "sig", buf_str(&signature));
	jsonw_kv_str(&w, "sha256sig", buf_str(&signature));
	jsonw_key(&w, STR("cert"));
	r = certificate_write(pki, PKI_ONBOARDING_LEAF, &w);
	if (r < 0)
		return r;
	jsonw_key(&w, STR("chain"));
	jsonw_array_begin(&w);
	if ((r = certificate_write(pki, PKI_ONBOARDING_ISSUING, &w)) < 0 ||
	    (r = certificate_write(pki, PKI_ONBOARDING_ROOT, &w)) < 0)
		return r;
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	return buf_error(out);
}

int blob_sign(const struct pki *pki, struct str body, struct buf *out)
{
	cleanup_(buf_cleanup) struct buf envelope = { 0 };
	struct jsonw w;
	int r;

	buf_init(&envelope, BLOB_MAX);
	r = envelope_format(pki, body, &envelope);
	if (r < 0)
		return r;
	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "onboardingInfo", buf_str(&envelope));
	jsonw_object_end(&w);
	return buf_error(out);
}
