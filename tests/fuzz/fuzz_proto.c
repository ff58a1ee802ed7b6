// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_proto.c - any packet on the line between a node and its launcher. What is accepted has the size of its
 * type, its texts end within it, and its addresses can be written down and called.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsmcore/launch/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

/* An address has one form: what is read from its text is the same again. */
static void touch_address(const struct address *a)
{
	struct address plain = *a, again;
	struct sockaddr_storage s;
	char text[ADDRESS_TEXT];

	sink += strlen(address__text(a, text));
	if (!a->family)
		return;
	plain.port = 0;
	if (!address__parse(address__text(&plain, text), &again) ||
	    memcmp(&again, &plain, sizeof(again)) != 0)
		abort();
	if (address__to_socket(a, &s) > sizeof(s) || !address__of_socket(&again, (struct sockaddr *)&s) ||
	    memcmp(&again, a, sizeof(again)) != 0)
		abort();
}

static void touch(const struct proto_packet *p)
{
	if (p->type == PROTO_OPTIONS)
		sink += strlen(p->options.plan) + strlen(p->options.history) + strlen(p->options.key_file) +
			strlen(p->options.transport) + strlen(p->options.fabric) + strlen(p->options.listen);
	else if (p->type == PROTO_HELLO)
		touch_address(&p->hello.listens);
	else if (p->type == PROTO_PEERS)
		for (unsigned n = 0; n < OPTIONS_NODES_MAX; n++)
			touch_address(&p->peers.of[n]);
	else if (p->type == PROTO_REPORT)
		sink += strlen(p->report.text) + strlen(p->report.path);
}

static void try(const uint8_t *bytes, size_t size)
{
	struct proto_packet *p = malloc(sizeof(*p)); /* exactly as long: a read past the end is seen */
	int line[2], fds[2];

	if (!p || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line) || send(line[0], bytes, size, 0) < 0)
		abort();
	memset(p, 'x', sizeof(*p));
	if (proto__recv(line[1], p, fds, 0) == 0)
		touch(p);
	close(line[0]);
	close(line[1]);
	free(p);
}

/* Half of the work would be to guess version, type and size: so once more with these put right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[sizeof(struct proto_packet)];
	static const uint32_t types[] = {PROTO_OPTIONS, PROTO_REPORT, PROTO_HELLO, PROTO_PEERS};
	uint32_t head[2] = {PROTO_VERSION, 0};

	if (size < 2 || size > sizeof(whole))
		return 0;
	try(data, size);
	head[1] = types[data[0] & 3];
	/* Long texts from few bytes. */
	for (size_t i = 0; i < sizeof(whole); i++)
		whole[i] = data[1 + i % (size - 1)];
	memcpy(whole, head, sizeof(head));
	try(whole, sizeof(head) + (size_t)proto__body_bytes(head[1]));
	return 0;
}
