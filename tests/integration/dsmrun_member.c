// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_member.c - a node without the DSM: only the control line and the transport, to test dsmrun.
 *
 *	dsmrun_member MODE [NODE [NUMBER]]
 *
 * Whatever NODE does badly, the others wait for ever: dsmrun has to end them.
 */
#include <dirent.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsm_events.h"
#include "dsmcore/launch/control.h"
#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/transport.h"

static struct control *control;
static struct run_options options;
static struct transport *transport;
static unsigned bad_node;
static int number;
static unsigned rounds;

static void forward(uint64_t left)
{
	struct core_msg m = {
		.type = CORE_MSG_ARRIVE,
		.from = options.node,
		.to = (uint16_t)((options.node + 1) % options.nodes),
		.generation = options.generation,
		.number = left,
	};

	if (transport__send(transport, &m, NULL))
		exit(70);
}

static void on_message(void *arg, const struct core_msg *msg, const struct wire_blob *blobs)
{
	(void)arg, (void)blobs;
	rounds++;
	if (msg->number)
		forward(msg->number - 1);
}

static void on_note(void *arg, uint16_t from, uint16_t type, const void *bytes, size_t n)
{
	(void)arg, (void)from, (void)type, (void)bytes, (void)n;
}

static void on_lost(void *arg, uint16_t peer, int error)
{
	(void)arg, (void)peer, (void)error;
}

static const struct transport_handler handler = {on_message, on_note, on_lost, NULL};

/* A token passes 20 times around all nodes. */
static int pass(void)
{
	if (options.nodes == 1)
		return 0;
	if (options.node == 0)
		forward(20u * options.nodes - 1);
	while (rounds < 20)
		if (transport__wait(transport, 20000) < 0)
			return 71;
	while (!transport__drained(transport))
		transport__wait(transport, 100);
	return 0;
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void list_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned sockets = 0, others = 0;

	while ((e = readdir(d))) {
		struct stat st;
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || fd == dirfd(d) || fd <= 2)
			continue;
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
			sockets++;
		else
			others++;
	}
	closedir(d);
	printf("sockets %u others %u\n", sockets, others);
}

static void publish_counters(void)
{
	int fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);
	struct dsm_shm *shm;

	if (fd < 0 || ftruncate(fd, sizeof(*shm)))
		exit(72);
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	shm->version = DSM_SHM_VERSION;
	shm->node = options.node;
	shm->counters_bytes = sizeof(shm->counters);
	shm->counters.commits = 100;
	shm->counters.aborts = 50 * options.node;
	shm->counters.committed_ns = 300;
	shm->counters.wasted_ns = 100;
	shm->counters.work = 7;
	/* The end of a phase's name may be missing; a level may have sunk in it. */
	memset(shm->phases[0].name, 'n', sizeof(shm->phases[0].name));
	shm->phases[0].ns = 1000 * (options.node + 1u);
	shm->phases[0].counters = (struct dsm_counters){.barrier_ns = 500, .objects = -1ull};
	shm->magic = DSM_SHM_MAGIC;
}

static int first_segment(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uintptr_t *)base = info->dlpi_addr;
	return 1;
}

__attribute__((noinline)) static void *here(void)
{
	return __builtin_return_address(0);
}

/* The segments of this program lie in the file where they lie in memory (checked by the test through
 * the line that comes out), except for whole pages, which the linker may put between. */
static void report(void)
{
	uintptr_t base = 0, pc = (uintptr_t)here(); /* the line that must be named */
	char self[1024] = "";

	dl_iterate_phdr(first_segment, &base);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0)
		control__report(control, "a mistake", self, pc - 1 - base);
	exit(2);
}

/* Options as they came through, and who we are. */
static void show_options(void)
{
	printf("node %u of %u heap %llu ring %llu strict %d microscope %u transport %s plan '%s' history "
	       "'%s'\n",
	       options.node, options.nodes, (unsigned long long)options.heap_bytes,
	       (unsigned long long)options.ring_bytes, options.strict, options.microscope_permille,
	       options.transport, options.plan, options.history);
}

static void leave_child(void)
{
	if (fork() == 0)
		wait_for_ever();
}

static void *address_of_stack(void)
{
	return __builtin_frame_address(0);
}

static int be_bad(const char *mode)
{
	if (!strcmp(mode, "exit"))
		exit(number); /* without saying so */
	if (!strcmp(mode, "signal")) {
		signal(number, SIG_DFL); /* a sanitizer may have its own ideas */
		raise(number);
	}
	if (!strcmp(mode, "report"))
		report();
	if (!strcmp(mode, "return"))
		return number;
	if (!strcmp(mode, "garbage")) { /* on the control line */
		send(3, "who are you?", 12, MSG_NOSIGNAL);
		wait_for_ever();
	}
	return 73;
}

/* Does what the mode says; returns the status for control__done(). */
static int act(const char *mode)
{
	char line[256];

	if (!strcmp(mode, "pass"))
		return pass();
	if (!strcmp(mode, "spin"))
		for (;;)
			__asm__ volatile("pause");
	else if (!strcmp(mode, "nap"))
		usleep(700000);
	else if (!strcmp(mode, "options"))
		show_options();
	else if (!strcmp(mode, "fds"))
		list_descriptors();
	else if (!strcmp(mode, "stack"))
		printf("%p\n", address_of_stack());
	else if (!strcmp(mode, "counters"))
		publish_counters();
	else if (!strcmp(mode, "child"))
		leave_child();
	else if (!strcmp(mode, "hang"))
		wait_for_ever();
	else if (!strcmp(mode, "deaf")) {
		signal(SIGTERM, SIG_IGN);
		wait_for_ever();
	} else if (!strcmp(mode, "linger"))
		return 0; /* main() does it */
	else if (!strcmp(mode, "input"))
		printf("%u: %s", options.node, fgets(line, sizeof(line), stdin) ? line : "nothing\n");
	else if (!strcmp(mode, "talk"))
		for (int i = 0; i < 3; i++)
			printf("line %d\n", i), fprintf(stderr, "warning %d\n", i);
	else if (options.node == bad_node)
		return be_bad(mode);
	else
		wait_for_ever();
	return 0;
}

int main(int argc, char **argv)
{
	struct links links;
	int status;

	if (argc < 2)
		return 2;
	bad_node = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	number = argc > 3 ? atoi(argv[3]) : 0;
	if (!strcmp(argv[1], "no-hello"))
		wait_for_ever();
	if (control__open(&control, &options, &links))
		return 2;
	if (transport__open(&transport, options.node, options.nodes, options.generation, &links, &handler))
		return 74;
	status = act(argv[1]);
	fflush(NULL);
	control__done(control, status);
	if (!strcmp(argv[1], "linger") && options.node == bad_node)
		wait_for_ever();
	transport__close(transport);
	control__close(control);
	return status;
}
