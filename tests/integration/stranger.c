// SPDX-License-Identifier: BSD-2-Clause
/*
 * stranger.c - those who are to be kept out, for tests of real runs.
 *
 *	stranger ports PID...           TCP ports on which these processes listen
 *	stranger knock PORT TEXT        connects, says TEXT; 0 when it is hung up on without an answer
 *	stranger hold PORT COUNT S      COUNT connections that say nothing, for S seconds
 *	stranger drip PORT COUNT S      COUNT connections, each of which says one byte more of a hello of TLS each second
 *	stranger flood PORT S           one connection after the other
 *	stranger join PORT RUN [SEED]   as node 0 of run RUN (hexadecimal), with a key made from SEED
 *	stranger sniff FILE COMMAND...  writes what TCP carries meanwhile over the loopback, or over the
 *	                                interface that the variable SNIFF names; COMMAND's status
 *	stranger replay FILE PORT       says again what callers have said
 *	stranger memory PID KEYFILE     how often the key's bytes are in that process's memory
 *
 * They connect to 127.0.0.1, or to the address in the variable STRANGERS_AT.
 *
 * Numbers only; a mistake ends with status 3.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/mesh.h"
#include "dsmcore/transport/stream.h"

static int is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "stranger: %s: %s\n", what, strerror(errno));
	exit(3);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- who listens ---- */

static int owns(const char *pid, unsigned long inode)
{
	char path[64], link[400], to[64], want[64];
	struct dirent *e;
	int found = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
		n = readlink(link, to, sizeof(to) - 1);
		to[n < 0 ? 0 : n] = 0;
		found = is(to, want);
	}
	if (d)
		closedir(d);
	return found;
}

static void ports_of(const char *table, char **pids)
{
	FILE *f = fopen(table, "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned port, state;
		unsigned long inode;

		if (sscanf(line, "%*d: %*x:%x %*x:%*x %x %*s %*s %*s %*s %*s %lu", &port, &state, &inode) !=
			    3 ||
		    state != 10 /* LISTEN */)
			continue;
		for (char **p = pids; *p; p++)
			if (owns(*p, inode))
				printf("%u\n", port);
	}
	if (f)
		fclose(f);
}

static int ports(char **pids)
{
	ports_of("/proc/net/tcp", pids);
	ports_of("/proc/net/tcp6", pids);
	return 0;
}

/* ---- who knocks ---- */

static struct address at(const char *port)
{
	const char *text = getenv("STRANGERS_AT");
	struct address a;

	if (!address__parse(text ? text : "127.0.0.1", &a)) {
		errno = EINVAL;
		fail(text);
	}
	a.port = (uint16_t)atoi(port);
	return a;
}

static int dial(const char *port)
{
	struct address to = at(port);
	struct sockaddr_storage a;
	socklen_t len = address__to_socket(&to, &a);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (connect(fd, (struct sockaddr *)&a, len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Its connections are made: says so with a file, if the test wants to know. */
static void ready(void)
{
	const char *folder = getenv("STRANGERS_READY");
	char path[4200];
	int fd;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%d", folder, (int)getpid());
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		fail(path);
	close(fd);
}

/* Until it is hung up on. An alert of TLS (it begins with 21) is no answer. */
static int shut_out(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t bytes[4096];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, 20000) <= 0)
			return 1;
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return 0;
		if (bytes[0] != 21)
			return 2;
	}
}

static int knock(const char *port, const char *text)
{
	int fd = dial(port);

	if (fd < 0)
		fail("connect");
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		fail("send");
	ready();
	return shut_out(fd);
}

static int hold(const char *port, int count, double s)
{
	for (int i = 0; i < count; i++)
		if (dial(port) < 0)
			fail("connect");
	ready();
	usleep((useconds_t)(s * 1e6));
	return 0;
}

/* What never comes to an end, and who has been hung up on calls again, as long as somebody listens. */
static int drip(const char *port, int count, double s)
{
	static const uint8_t hello[] = {22, 3, 1, 1, 32, 1, 0, 1, 28, 3, 3};
	double end = seconds() + s;
	int *fds = calloc((size_t)count, sizeof(*fds));

	if (!fds)
		fail("memory");
	for (int i = 0; i < count; i++)
		if ((fds[i] = dial(port)) < 0)
			fail("connect");
	ready();
	for (size_t n = 0; seconds() < end; n++) {
		for (int i = 0; i < count; i++)
			if (fds[i] >= 0 &&
			    send(fds[i], n < sizeof(hello) ? &hello[n] : hello + 9, 1, MSG_NOSIGNAL) < 0) {
				close(fds[i]);
				fds[i] = dial(port);
			}
		sleep(1);
	}
	free(fds);
	return 0;
}

/* It ends early when nobody listens any more. */
static int flood(const char *port, double s)
{
	double end = seconds() + s;
	unsigned n = 0;

	while (seconds() < end) {
		int fd = dial(port);

		if (fd < 0)
			break;
		close(fd);
		if (!n++)
			ready();
	}
	printf("%u\n", n);
	return 0;
}

static int join(const char *port, const char *run, const char *seed)
{
	static const char *const ways[] = {"tcp", "insecure-tcp"};
	struct address of[2] = {{0}, at(port)};
	struct run_options o = {.node = 0, .nodes = 2, .run_id = strtoull(run, NULL, 16)};
	struct mesh_key key;
	struct links links;
	int rc[2];

	memset(&key, seed ? atoi(seed) : 1, sizeof(key));
	ready();
	for (int way = 0; way < 2; way++) {
		strcpy(o.transport, ways[way]);
		if (links__alloc(&links, 2))
			fail("memory");
		rc[way] = mesh__connect(&o, -1, of, &key, 10, &links);
		links__close(&links, 2);
	}
	return rc[0] == 0 || rc[1] == 0; /* 0: it stayed out, either way */
}

/* ---- who listens to the wire ---- */

struct segment { /* in the file, its bytes behind it */
	uint16_t from, to;
	uint32_t sequence, bytes;
};

static int open_wire(const char *interface)
{
	struct sockaddr_ll lo = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), room = 64 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&lo, sizeof(lo)))
		fail(interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

/* The bytes before TCP's own header; 0: this is no TCP. */
static size_t ip_head(const uint8_t *packet, size_t n)
{
	struct iphdr ip;
	struct ip6_hdr ip6;

	if (n >= sizeof(ip) && packet[0] >> 4 == 4) {
		memcpy(&ip, packet, sizeof(ip));
		return ip.protocol == IPPROTO_TCP ? ip.ihl * 4u : 0;
	}
	if (n < sizeof(ip6) || packet[0] >> 4 != 6)
		return 0;
	memcpy(&ip6, packet, sizeof(ip6));
	return ip6.ip6_nxt == IPPROTO_TCP ? sizeof(ip6) : 0;
}

static void keep(FILE *f, const uint8_t *packet, size_t n)
{
	size_t head = ip_head(packet, n);
	struct tcphdr tcp;
	struct segment s;

	if (!head || n < head + sizeof(tcp))
		return;
	memcpy(&tcp, packet + head, sizeof(tcp));
	head += tcp.doff * 4u;
	if (head >= n)
		return;
	s = (struct segment){ntohs(tcp.source), ntohs(tcp.dest), ntohl(tcp.seq), (uint32_t)(n - head)};
	fwrite(&s, sizeof(s), 1, f);
	fwrite(packet + head, 1, n - head, f);
}

static int sniff(const char *path, char **command)
{
	static uint8_t packet[1 << 17];
	FILE *f = fopen(path, "w");
	const char *interface = getenv("SNIFF") ? getenv("SNIFF") : "lo";
	int fd = open_wire(interface), status;
	struct sockaddr_ll from = {0};
	pid_t child;

	if (!f)
		fail(path);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		_exit(3);
	}
	for (bool ended = false;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		socklen_t len = sizeof(from);
		ssize_t n = poll(&p, 1, 50) > 0
				    ? recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len)
				    : 0;

		/* on the loopback each passes twice */
		if (n > 0 && (from.sll_pkttype != PACKET_OUTGOING || !is(interface, "lo")))
			keep(f, packet, (size_t)n);
		if (n <= 0 && ended)
			break;
		ended = ended || waitpid(child, &status, WNOHANG) == child;
	}
	if (fclose(f))
		fail(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

/* Everything that one end of a connection has said, if it began with a hello of TLS. */
static size_t collect(FILE *f, const struct segment *first, long at, uint8_t *all, size_t room)
{
	struct segment s;
	size_t have = 0;

	fseek(f, at, SEEK_SET);
	while (fread(&s, sizeof(s), 1, f) == 1) {
		uint32_t offset = s.sequence - first->sequence;

		if (s.from == first->from && s.to == first->to && offset < room && s.bytes <= room - offset) {
			if (fread(all + offset, 1, s.bytes, f) != s.bytes)
				break;
			if (offset + s.bytes > have)
				have = offset + s.bytes;
		} else {
			fseek(f, s.bytes, SEEK_CUR);
		}
	}
	return have;
}

static int replay(const char *path, const char *port)
{
	static uint8_t all[1 << 20];
	FILE *f = fopen(path, "r");
	unsigned said = 0, let_in = 0;
	struct segment s;
	int fds[64];

	if (!f)
		fail(path);
	while (fread(&s, sizeof(s), 1, f) == 1) {
		long at = ftell(f);
		uint8_t head[6] = {0};
		size_t n;

		if (said < 64 && s.bytes >= sizeof(head) && fread(head, sizeof(head), 1, f) == 1 &&
		    head[0] == 22 && head[5] == 1) {
			n = collect(f, &s, at - (long)sizeof(s), all, sizeof(all));
			fds[said] = dial(port);
			if (fds[said] < 0)
				fail("connect");
			/* As much as it takes: it may hang up in the midst of it. */
			if (send(fds[said], all, n, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
			    errno != ECONNRESET)
				fail("send");
			shutdown(fds[said++], SHUT_WR);
		}
		fseek(f, at + (long)s.bytes, SEEK_SET);
	}
	fclose(f);
	ready();
	/* A hello that fits is answered by another one; after that nothing may come. */
	for (unsigned i = 0; i < said; i++) {
		for (ssize_t got; (got = recv(fds[i], all, sizeof(all), 0)) > 0;)
			let_in += got > 1000;
		close(fds[i]);
	}
	printf("%u\n", said);
	return let_in != 0;
}

/* ---- who looks for the key ---- */

static void read_key(const char *path, uint8_t key[MESH_KEY])
{
	struct mesh_key k;
	char why[512];

	if (mesh_key__read(path, &k, why, sizeof(why))) {
		fprintf(stderr, "stranger: %s\n", why);
		exit(3);
	}
	memcpy(key, k.bytes, MESH_KEY);
}

static unsigned count(const uint8_t *bytes, size_t n, const uint8_t *what, size_t size)
{
	unsigned found = 0;

	for (const uint8_t *at; (at = memmem(bytes, n, what, size));) {
		found++;
		n -= (size_t)(at + 1 - bytes);
		bytes = at + 1;
	}
	return found;
}

static int memory(const char *pid, const char *key_path)
{
	static uint8_t bytes[1 << 20];
	uint8_t key[MESH_KEY];
	char path[64], line[512];
	unsigned found = 0;
	FILE *maps;
	int fd;

	read_key(key_path, key);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_RDONLY);
	if (!maps || fd < 0)
		fail(path);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char rights[8];

		if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || rights[0] != 'r' ||
		    rights[1] != 'w' || strstr(line, "memfd:"))
			continue;
		if (end - start >= 1ul << 40) /* AddressSanitizer's notes: no bytes of the program */
			continue;
		/* The pieces overlap. Half of the key would be too much, too. */
		for (; start < end; start += sizeof(bytes) - MESH_KEY) {
			size_t n = end - start < sizeof(bytes) ? end - start : sizeof(bytes);
			ssize_t got = pread(fd, bytes, n, (off_t)start);

			if (got > 0)
				found += count(bytes, (size_t)got, key, MESH_KEY / 2) +
					 count(bytes, (size_t)got, key + MESH_KEY / 2, MESH_KEY / 2);
		}
	}
	fclose(maps);
	close(fd);
	printf("%u\n", found);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";

	if (is(mode, "ports"))
		return ports(argv + 2);
	if (is(mode, "knock") && argc == 4)
		return knock(argv[2], argv[3]);
	if (is(mode, "hold") && argc == 5)
		return hold(argv[2], atoi(argv[3]), atof(argv[4]));
	if (is(mode, "drip") && argc == 5)
		return drip(argv[2], atoi(argv[3]), atof(argv[4]));
	if (is(mode, "flood") && argc == 4)
		return flood(argv[2], atof(argv[3]));
	if (is(mode, "join") && argc >= 4)
		return join(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
	if (is(mode, "sniff") && argc > 3)
		return sniff(argv[2], argv + 3);
	if (is(mode, "replay") && argc == 4)
		return replay(argv[2], argv[3]);
	if (is(mode, "memory") && argc == 4)
		return memory(argv[2], argv[3]);
	fprintf(stderr, "stranger: bad usage\n");
	return 3;
}
