/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloudd serve. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/log.h"
#include "cloud/api.h"
#include "cloud/command.h"
#include "cloud/options.h"
#include "cloud/url.h"
#include "gen/version.h"

#define LISTEN_DEFAULT "127.0.0.1:8443"
#define LISTEN_BACKLOG 1024
#define THREADS_MAX 64
#define HOSTS_MAX 6u
#define SERVE_PATH_MAX 4096u

struct server {
	const char *data;
	const char *listen;
	const char *url; /* --url, NULL without */
	char listen_host[URL_HOST_SIZE];
	char public_url[URL_MAX + 1]; /* what agents are told */
	char public_host[URL_HOST_SIZE];
	char hostname[URL_HOST_SIZE]; /* "" when it is none that a certificate can name */
	int lock_fd;
	int listen_fd;
	struct pki *pki;
	struct store *store;  /* the committer's */
	struct store *reader; /* the handlers' */
	struct buf certificate_pem;
	struct buf key_pem;
	struct buf client_ca_pem;
	int storage_error; /* last one that was logged */
	uint64_t late;	   /* likewise */
};

DEFINE_CLEANUP(struct addrinfo *, addrinfo, freeaddrinfo)

static void server_done(struct server *s)
{
	store_free(s->reader);
	store_free(s->store);
	pki_free(s->pki);
	buf_done(&s->certificate_pem);
	buf_done(&s->key_pem);
	buf_done(&s->client_ca_pem);
	if (s->listen_fd >= 0)
		(void)close(s->listen_fd);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
}

/* The folder, and the lock that keeps a second server out of it. */
static int data_open(struct server *s, struct diag *diag)
{
	char path[SERVE_PATH_MAX];
	int r = fs_mkdirs(s->data, 0700);

	if (r < 0)
		return diag_set(diag, r, "%s cannot be made: %s", s->data, strerrordesc_np(-r));
	r = fs_path(path, sizeof(path), "%s/serve.lock", s->data);
	if (r < 0)
		return diag_set(diag, r, "the data folder's name is too long");
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) {
		r = -errno;
		return diag_set(diag, r, "%s cannot be written: %s", path, strerrordesc_np(-r));
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		return diag_set(diag, r,
				r == -EWOULDBLOCK ? "another cloudd serves %s"
						  : "%s/serve.lock fails",
				s->data);
	}
	return 0;
}

static int listen_on(const struct addrinfo *address, int *ret_fd)
{
	cleanup_(fd_cleanup) int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(fd);
	return 0;
}

static int bound_port(int fd, uint16_t *ret_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .v6 = { 0 } };
	socklen_t n = sizeof(address);

	if (getsockname(fd, &address.any, &n) < 0)
		return -errno;
	*ret_port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
							    : address.v4.sin_port);
	return 0;
}

static bool is_any_address(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* What agents call this server: --url, else the address it listens on, else,
 * for "all addresses", the host's name. */
static int public_url_set(struct server *s, uint16_t port, struct diag *diag)
{
	const char *host = s->listen_host;
	char text[URL_MAX + 1];
	bool is_v6;
	int n;

	if (s->url != NULL)
		return url_parse(s->url, s->public_url, s->public_host, diag);
	if (is_any_address(host))
		host = s->hostname[0] != '\0' ? s->hostname : "localhost";
	is_v6 = strchr(host, ':') != NULL;
	n = snprintf(text, sizeof(text), "https://%s%s%s:%u", is_v6 ? "[" : "", host,
		     is_v6 ? "]" : "", (unsigned int)port);
	if (n < 0 || (size_t)n >= sizeof(text))
		return diag_set(diag, -EINVAL, "the host's name is too long");
	return url_parse(text, s->public_url, s->public_host, diag);
}

static int listen_open(struct server *s, struct diag *diag)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	cleanup_(addrinfo_cleanup) struct addrinfo *list = NULL;
	char port_text[8];
	uint16_t port = 0;
	int r;

	r = url_listen_parse(s->listen, s->listen_host, &port, diag);
	if (r < 0)
		return r;
	(void)snprintf(port_text, sizeof(port_text), "%u", (unsigned int)port);
	r = getaddrinfo(s->listen_host, port_text, &hints, &list);
	if (r != 0)
		return diag_set(diag, -EINVAL, "%s: %s", s->listen, gai_strerror(r));
	r = listen_on(list, &s->listen_fd);
	if (r == 0)
		r = bound_port(s->listen_fd, &port);
	if (r < 0)
		return diag_set(diag, r, "cannot listen on %s: %s", s->listen, strerrordesc_np(-r));
	return public_url_set(s, port, diag);
}

/* Every name an agent may reach this server by. */
static int certificate_ensure(struct server *s, struct diag *diag)
{
	const char *hosts[HOSTS_MAX];
	size_t n = 0;

	hosts[n++] = s->public_host;
	if (!is_any_address(s->listen_host))
		hosts[n++] = s->listen_host;
	if (s->hostname[0] != '\0')
		hosts[n++] = s->hostname;
	hosts[n++] = "localhost";
	hosts[n++] = "127.0.0.1";
	hosts[n++] = "::1";
	return pki_server_ensure(s->pki, hosts, n, clock_real_us(), diag);
}

static int keys_open(struct server *s, struct diag *diag)
{
	int r;

	buf_init(&s->certificate_pem, PKI_PEM_MAX);
	buf_init(&s->key_pem, PKI_PEM_MAX);
	buf_init(&s->client_ca_pem, PKI_PEM_MAX);
	r = pki_open(s->data, PKI_CREATE, clock_real_us(), &s->pki, diag);
	if (r == 0)
		r = certificate_ensure(s, diag);
	if (r < 0)
		return r;
	if ((r = pki_certificate_pem(s->pki, PKI_TLS_SERVER, &s->certificate_pem)) < 0 ||
	    (r = pki_key_pem(s->pki, PKI_TLS_SERVER, &s->key_pem)) < 0)
		return r;
	return pki_certificate_pem(s->pki, PKI_DEVICE_CA, &s->client_ca_pem);
}

/* One descriptor a connection, and those of the database. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int server_open(struct server *s, struct diag *diag)
{
	int r;

	if (gethostname(s->hostname, sizeof(s->hostname) - 1) < 0 || !url_is_host(s->hostname))
		s->hostname[0] = '\0';
	if ((r = data_open(s, diag)) < 0 ||
	    (r = store_open(s->data, STORE_CREATE, &s->store, diag)) < 0 ||
	    (r = store_open(s->data, STORE_READ, &s->reader, diag)) < 0 ||
	    (r = listen_open(s, diag)) < 0)
		return r;
	return keys_open(s, diag);
}

static int endpoint_write(const struct server *s, struct diag *diag)
{
	char path[SERVE_PATH_MAX];
	char text[URL_MAX + 2];
	int r = fs_path(path, sizeof(path), "%s/endpoint", s->data);

	if (r == 0) {
		(void)snprintf(text, sizeof(text), "%s\n", s->public_url);
		r = fs_write_file_atomic(AT_FDCWD, path, str_of(text), 0644);
	}
	if (r < 0)
		return diag_set(diag, r, "%s/endpoint cannot be written: %s", s->data,
				strerrordesc_np(-r));
	(void)printf("%s\n", s->public_url);
	(void)fflush(stdout);
	return 0;
}

/* The log belongs to this thread alone; what others meet, they count. */
static void counters_log(struct server *s, struct http *http, struct api *api)
{
	struct http_counters counters;
	int error = api_storage_error(api);

	if (error != s->storage_error) {
		if (error < 0)
			log_error("nothing can be stored: %s", strerrordesc_np(-error));
		else
			log_info("storing works again");
		s->storage_error = error;
	}
	http_counters(http, &counters);
	if (counters.late != s->late)
		log_warning("%llu connections were too slow and cut",
			    (unsigned long long)(counters.late - s->late));
	s->late = counters.late;
}

static void wait_for_stop(struct server *s, const sigset_t *signals, struct http *http,
			  struct api *api)
{
	const struct timespec second = { .tv_sec = 1 };

	for (;;) {
		int signo = sigtimedwait(signals, NULL, &second);

		if (signo == SIGTERM || signo == SIGINT)
			return;
		http_sweep(http, clock_mono_ns());
		counters_log(s, http, api);
	}
}

static unsigned int thread_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	/* libmicrohttpd makes no pool of one; two keep one slow body from stopping all. */
	return n < 2 ? 2 : n > THREADS_MAX ? THREADS_MAX : (unsigned int)n;
}

static int serve(struct server *s, const sigset_t *signals, struct diag *diag)
{
	cleanup_(committer_cleanup) struct committer *committer = NULL;
	cleanup_(http_cleanup) struct http *http = NULL;
	struct api api = { .pki = s->pki,
			   .reader = s->reader,
			   .reader_lock = PTHREAD_MUTEX_INITIALIZER,
			   .chain_pem = buf_cstr(&s->client_ca_pem),
			   .started_ns = clock_mono_ns() };
	const struct http_config config = { .listen_fd = s->listen_fd,
					    .certificate_pem = buf_cstr(&s->certificate_pem),
					    .key_pem = buf_cstr(&s->key_pem),
					    .client_ca_pem = buf_cstr(&s->client_ca_pem),
					    .threads = thread_count(),
					    .ops = &api_ops,
					    .ctx = &api };
	int r;

	r = committer_new(s->store, &committer);
	if (r < 0)
		return r;
	api.committer = committer;
	r = http_new(&config, &http);
	if (r < 0)
		return diag_set(diag, r, "the HTTPS server cannot be started");
	r = endpoint_write(s, diag);
	if (r < 0)
		return r;
	log_info("cloudd %s serves %s at %s", AGENT_VERSION, s->data, s->public_url);
	wait_for_stop(s, signals, http, &api);
	log_info("cloudd stops");
	return 0;
}

/* Before any thread: signals are taken by sigtimedwait() alone. */
static void process_prepare(sigset_t *ret_signals)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGINT);
	(void)sigaddset(ret_signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	descriptors_raise();
}

int serve_command(int argc, char **argv)
{
	struct server s = { .listen = LISTEN_DEFAULT, .lock_fd = -1, .listen_fd = -1 };
	const struct option_row rows[] = {
		{ "--data", OPTION_STR, 0, 0, &s.data },
		{ "--listen", OPTION_STR, 0, 0, &s.listen },
		{ "--url", OPTION_STR, 0, 0, &s.url },
	};
	struct diag diag = { 0 };
	uint16_t port = 0;
	sigset_t signals;
	int r;

	r = options_parse(argc, argv, rows, ARRAY_LEN(rows), 0, &diag);
	if (r == 0 && s.data == NULL)
		return command_needs("serve", "--data DIR");
	if (r == 0)
		r = url_listen_parse(s.listen, s.listen_host, &port, &diag);
	if (r == 0 && s.url != NULL)
		r = url_parse(s.url, s.public_url, s.public_host, &diag);
	if (r < 0)
		return command_fail("serve", COMMAND_USAGE, r, &diag);
	log_open("cloudd");
	process_prepare(&signals);
	r = server_open(&s, &diag);
	if (r == 0)
		r = serve(&s, &signals, &diag);
	server_done(&s);
	return r < 0 ? command_fail("serve", COMMAND_FAILED, r, &diag) : COMMAND_OK;
}
