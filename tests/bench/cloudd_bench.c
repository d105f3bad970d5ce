/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many events a second cloudd acknowledges: the real program on loopback, a
 * few devices that enrol and post compressed batches of 1000 events over mTLS on
 * connections they keep. An event counts when the answer to its batch is there,
 * which follows the commit. Client and server share the machine's cores.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <zstd.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/hash.h"
#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "agent/config/policy.h"

#define DEVICES ((size_t)4)
#define RUNS ((size_t)5)
#define BATCHES ((size_t)20) /* of a device in a run */
#define EVENTS ((size_t)1000)
#define EVENT_SIZE 1024u
#define LIMIT 30000.0
#define ZSTD_LEVEL 3
#define BODY_MAX 2097152u /* 2 MiB */

struct batch {
	char *data; /* compressed */
	size_t n;
	char sha256[SHA256_HEX_SIZE];
};

struct device {
	char id[41];
	char key_path[512];
	char cert_path[512];
	CURL *curl;
	struct curl_slist *headers;
	struct buf answer;
	struct batch batches[RUNS * BATCHES];
	size_t next; /* batch to send */
};

struct bench {
	char dir[256];
	char program[512];
	char ca_path[300];
	struct onboarding *blob;
	pid_t server;
	struct device devices[DEVICES];
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "cloudd bench: %s\n", what);
	exit(1);
}

static void path_make(char *out, size_t size, const char *dir, const char *name)
{
	if (fs_path(out, size, "%s/%s", dir, name) < 0)
		die("path too long");
}

static void file_write(const char *path, struct str text)
{
	if (fs_write_file_atomic(AT_FDCWD, path, text, 0600) < 0)
		die("cannot write a file");
}

/* --- the server --- */

static pid_t spawn(char *const argv[], int out)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(out < 0 ? null : out, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* Returns when the server has printed its endpoint. */
static void server_start(struct bench *b)
{
	char serve[] = "serve", data[] = "--data", listen[] = "--listen", at[] = "127.0.0.1:0";
	char *argv[] = { b->program, serve, data, b->dir, listen, at, NULL };
	char line[256];
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe");
	b->server = spawn(argv, fds[1]);
	(void)close(fds[1]);
	if (read(fds[0], line, sizeof(line)) <= 0)
		die("cloudd does not start");
	(void)close(fds[0]);
}

static void blob_get(struct bench *b)
{
	char path[512];
	char onboarding[] = "onboarding", data[] = "--data", out[] = "--out";
	char *argv[] = { b->program, onboarding, data, b->dir, out, path, NULL };
	struct diag diag = { 0 };
	struct buf text;
	int status = 1;

	path_make(path, sizeof(path), b->dir, "blob.json");
	(void)waitpid(spawn(argv, -1), &status, 0);
	buf_init(&text, POLICY_FILE_MAX);
	if (status != 0 || fs_read_file(AT_FDCWD, path, &text) < 0 ||
	    policy_verify(buf_str(&text), (struct str){ 0 }, clock_real_us(), 0, &b->blob, &diag) <
		    0)
		die("no onboarding file");
	buf_done(&text);
	path_make(b->ca_path, sizeof(b->ca_path), b->dir, "ca.pem");
	file_write(b->ca_path, buf_str(&b->blob->ca_pem));
}

/* --- devices --- */

static size_t answer_add(char *data, size_t size, size_t n, void *ctx)
{
	struct device *d = ctx;

	buf_add(&d->answer, data, size * n);
	return size * n;
}

static char *bio_text(BIO *bio)
{
	char *data = NULL;
	size_t n = (size_t)BIO_get_mem_data(bio, &data);
	char *copy = strndup(data, n);

	(void)BIO_free(bio);
	if (copy == NULL)
		die("memory");
	return copy;
}

/* A key into its file and the certificate request for it as text. */
static char *csr_make(struct device *d)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_REQ *csr = X509_REQ_new();
	BIO *key_bio = BIO_new(BIO_s_mem());
	BIO *csr_bio = BIO_new(BIO_s_mem());
	char *text;

	if (key == NULL || csr == NULL || X509_REQ_set_pubkey(csr, key) != 1 ||
	    X509_REQ_sign(csr, key, EVP_sha256()) == 0 ||
	    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509_REQ(csr_bio, csr) != 1)
		die("no certificate request");
	text = bio_text(key_bio);
	file_write(d->key_path, str_of(text));
	free(text);
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	return bio_text(csr_bio);
}

static void enrol_body(struct buf *out, size_t i, const char *csr)
{
	char guid[40];
	struct jsonw w;

	(void)snprintf(guid, sizeof(guid), "00000000-0000-4000-8000-%012zu", i);
	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "machine_guid", str_of(guid));
	jsonw_kv_str(&w, "hostname", STR("bench"));
	jsonw_kv_str(&w, "csr", str_of(csr));
	jsonw_object_end(&w);
}

static void answer_take(struct device *d)
{
	const struct jsonr_limits limits = { .max_bytes = BODY_MAX, .max_depth = 8 };
	struct jsonr *doc = NULL;
	struct str id = { 0 };
	struct str cert = { 0 };

	if (jsonr_parse(buf_str(&d->answer), &limits, &doc, NULL) < 0 ||
	    jsonr_get_str(jsonr_member(jsonr_root(doc), "device_id"), &id) < 0 ||
	    jsonr_get_str(jsonr_member(jsonr_root(doc), "certificate"), &cert) < 0 ||
	    str_copy(id, d->id, sizeof(d->id)) < 0)
		die("enrolment was refused");
	file_write(d->cert_path, cert);
	jsonr_free(doc);
}

static void device_enrol(struct bench *b, size_t i)
{
	struct device *d = &b->devices[i];
	struct curl_slist *headers = NULL;
	char authorization[128];
	char url[POLICY_ENDPOINT_MAX + 32];
	struct buf body;
	char *csr;

	if (fs_path(d->key_path, sizeof(d->key_path), "%s/%zu.key", b->dir, i) < 0 ||
	    fs_path(d->cert_path, sizeof(d->cert_path), "%s/%zu.pem", b->dir, i) < 0)
		die("path too long");
	csr = csr_make(d);
	buf_init(&body, BODY_MAX);
	buf_init(&d->answer, BODY_MAX);
	enrol_body(&body, i, csr);
	(void)snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
		       b->blob->enroll_token);
	(void)snprintf(url, sizeof(url), "%s/v1/enroll", b->blob->endpoints[0]);
	headers = curl_slist_append(headers, authorization);
	headers = curl_slist_append(headers, "Agent-Protocol: 1");
	d->curl = curl_easy_init();
	(void)curl_easy_setopt(d->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(d->curl, CURLOPT_CAINFO, b->ca_path);
	(void)curl_easy_setopt(d->curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(d->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	(void)curl_easy_setopt(d->curl, CURLOPT_POSTFIELDS, body.data);
	(void)curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, answer_add);
	(void)curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, d);
	if (curl_easy_perform(d->curl) != CURLE_OK)
		die("enrolment failed");
	answer_take(d);
	curl_slist_free_all(headers);
	curl_easy_reset(d->curl);
	buf_done(&body);
	free(csr);
}

/* --- batches --- */

/* Text that compresses like command lines: words from a small generator. */
static void event_add(struct buf *out, uint64_t seq, uint64_t *state)
{
	size_t start = out->len;

	buf_printf(out,
		   "{\"seq\":%llu,\"ts\":%llu,\"mono\":%llu,\"Table\":\"DeviceProcessEvents\","
		   "\"ActionType\":\"ProcessCreated\",\"FileName\":\"bench\","
		   "\"InitiatingProcessFileName\":\"bash\",\"ProcessCommandLine\":\"",
		   (unsigned long long)seq, 1760000000000000ULL + (unsigned long long)seq,
		   (unsigned long long)seq);
	while (out->len - start < EVENT_SIZE - 16) {
		*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		buf_printf(out, "--option-%llu=/usr/lib/%llx ", (unsigned long long)(*state >> 60),
			   (unsigned long long)(*state >> 44));
	}
	buf_printf(out, "\"}\n");
}

static void batch_make(struct batch *batch, uint64_t first, uint64_t *state)
{
	struct buf body;
	size_t size = ZSTD_compressBound(BODY_MAX);
	char *out = malloc(size);

	buf_init(&body, BODY_MAX);
	buf_printf(&body, "{\"v\":1,\"schema\":\"event/1\",\"boot_id\":\"b\"}\n");
	for (uint64_t i = 0; i < EVENTS; i++)
		event_add(&body, first + i, state);
	if (out == NULL || buf_error(&body) < 0 || sha256_hex(buf_str(&body), batch->sha256) < 0)
		die("memory");
	batch->n = ZSTD_compress(out, size, body.data, body.len, ZSTD_LEVEL);
	batch->data = realloc(out, batch->n);
	if (batch->data == NULL)
		die("memory");
	buf_done(&body);
}

/* The next batch of d into its handle. */
static void batch_arm(struct bench *b, struct device *d)
{
	struct batch *batch = &d->batches[d->next];
	uint64_t first = d->next * EVENTS + 1;
	char url[POLICY_ENDPOINT_MAX + 128];
	char ranges[4][128];

	(void)snprintf(ranges[0], sizeof(ranges[0]), "Batch-First: %llu",
		       (unsigned long long)first);
	(void)snprintf(ranges[1], sizeof(ranges[1]), "Batch-Last: %llu",
		       (unsigned long long)(first + EVENTS - 1));
	(void)snprintf(ranges[2], sizeof(ranges[2]), "Batch-Count: %zu", EVENTS);
	(void)snprintf(ranges[3], sizeof(ranges[3]), "Batch-SHA256: %s", batch->sha256);
	(void)snprintf(url, sizeof(url), "%s/v1/devices/%s/events", b->blob->endpoints[0], d->id);
	curl_slist_free_all(d->headers);
	d->headers = curl_slist_append(NULL, "Agent-Protocol: 1");
	d->headers = curl_slist_append(d->headers, "Content-Type: application/x-ndjson");
	d->headers = curl_slist_append(d->headers, "Content-Encoding: zstd");
	d->headers = curl_slist_append(d->headers, "Expect:");
	d->headers = curl_slist_append(d->headers, "Batch-Epoch: 1");
	for (size_t i = 0; i < 4; i++)
		d->headers = curl_slist_append(d->headers, ranges[i]);
	buf_clear(&d->answer);
	(void)curl_easy_setopt(d->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(d->curl, CURLOPT_CAINFO, b->ca_path);
	(void)curl_easy_setopt(d->curl, CURLOPT_SSLCERT, d->cert_path);
	(void)curl_easy_setopt(d->curl, CURLOPT_SSLKEY, d->key_path);
	(void)curl_easy_setopt(d->curl, CURLOPT_HTTPHEADER, d->headers);
	(void)curl_easy_setopt(d->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)batch->n);
	(void)curl_easy_setopt(d->curl, CURLOPT_POSTFIELDS, batch->data);
	(void)curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, answer_add);
	(void)curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, d);
	(void)curl_easy_setopt(d->curl, CURLOPT_PRIVATE, d);
}

/* Looks at finished posts and starts the next ones; returns how many ended. */
static size_t posts_finish(struct bench *b, CURLM *multi, size_t end)
{
	CURLMsg *message;
	size_t done = 0;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		struct device *d = NULL;
		long status = 0;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&d);
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		if (message->data.result != CURLE_OK || status != 200) {
			(void)fprintf(stderr, "status %ld: %s\n", status, buf_cstr(&d->answer));
			die("a batch was refused");
		}
		done++;
		d->next++;
		(void)curl_multi_remove_handle(multi, d->curl);
		if (d->next < end) {
			batch_arm(b, d);
			(void)curl_multi_add_handle(multi, d->curl);
		}
	}
	return done;
}

/* One run: each device posts its next BATCHES; events a second. */
static double run_once(struct bench *b, CURLM *multi, size_t end)
{
	size_t left = DEVICES * BATCHES;
	uint64_t start_ns = clock_mono_ns();

	for (size_t i = 0; i < DEVICES; i++) {
		batch_arm(b, &b->devices[i]);
		(void)curl_multi_add_handle(multi, b->devices[i].curl);
	}
	while (left > 0) {
		int running = 0;

		if (curl_multi_perform(multi, &running) != CURLM_OK)
			die("curl_multi_perform");
		left -= posts_finish(b, multi, end);
		if (left > 0)
			(void)curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	return (double)(DEVICES * BATCHES * EVENTS) /
	       ((double)(clock_mono_ns() - start_ns) / (double)NSEC_PER_SEC);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void bench_open(struct bench *b)
{
	ssize_t n = readlink("/proc/self/exe", b->program, sizeof(b->program) - 32);
	char *end;

	if (n < 0)
		die("/proc/self/exe");
	b->program[n] = '\0';
	/* build/tests/bench/cloudd_bench -> build/sbin/cloudd */
	for (int i = 0; i < 3; i++) {
		end = strrchr(b->program, '/');
		if (end == NULL)
			die("not in a build tree");
		*end = '\0';
	}
	(void)memcpy(end, "/sbin/cloudd", sizeof("/sbin/cloudd"));
	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/endpoint-cloudd-bench.XXXXXX");
	if (mkdtemp(b->dir) == NULL)
		die("no temporary folder");
	server_start(b);
	blob_get(b);
	for (size_t i = 0; i < DEVICES; i++) {
		uint64_t state = i + 1;

		device_enrol(b, i);
		for (size_t k = 0; k < RUNS * BATCHES; k++)
			batch_make(&b->devices[i].batches[k], k * EVENTS + 1, &state);
	}
}

static void bench_close(struct bench *b)
{
	char rm[] = "/bin/rm", all[] = "-rf";
	char *argv[] = { rm, all, b->dir, NULL };

	(void)kill(b->server, SIGTERM);
	(void)waitpid(b->server, NULL, 0);
	(void)waitpid(spawn(argv, -1), NULL, 0);
}

int main(void)
{
	static struct bench b;
	double rates[RUNS];
	CURLM *multi;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die("curl");
	bench_open(&b);
	multi = curl_multi_init();
	for (size_t i = 0; i < RUNS; i++)
		rates[i] = run_once(&b, multi, (i + 1) * BATCHES);
	bench_close(&b);
	qsort(rates, RUNS, sizeof(rates[0]), compare);
	(void)printf(
		"cloudd events acknowledged after commit: median %.0f events/s (%zu runs of %zu "
		"events of 1 KB from %zu devices, slowest %.0f), limit %.0f: %s\n",
		rates[RUNS / 2], RUNS, DEVICES * BATCHES * EVENTS, DEVICES, rates[0], LIMIT,
		rates[RUNS / 2] >= LIMIT ? "reached" : "MISSED");
	return 0;
}
