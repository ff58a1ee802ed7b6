// SPDX-License-Identifier: BSD-2-Clause
/*
 * collector_live_test.c - the live socket: where it lies, who may use it, and that no client holds
 * the collector up.
 */
#include "collector/live.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[40];
static char why[512];

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (void *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void test_usual_place(void **state)
{
	struct stat st;
	struct live *l;
	char place[300];

	(void)state;
	assert_int_equal(live__open(&l, NULL, why, sizeof(why)), 0);
	snprintf(place, sizeof(place), "%s/procope/live-%d.sock", folder, (int)getpid());
	assert_string_equal(live__path(l), place);
	assert_int_equal(stat(place, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(place, sizeof(place), "%s/procope", folder);
	assert_int_equal(stat(place, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	live__close(l, 0);
	snprintf(place, sizeof(place), "%s/procope/live-%d.sock", folder, (int)getpid());
	assert_int_equal(stat(place, &st), -1);
}

static void test_open_folder_is_refused(void **state)
{
	struct live *l;
	char place[300];

	(void)state;
	snprintf(place, sizeof(place), "%s/procope", folder);
	mkdir(place, 0700);
	chmod(place, 0755);
	assert_int_equal(live__open(&l, NULL, why, sizeof(why)), -EACCES);
	assert_non_null(strstr(why, place));
	chmod(place, 0700);
}

/* A collector that was killed leaves its socket; the next one clears it away, but not a living one's. */
static void test_stale_sockets(void **state)
{
	struct live *dead, *living, *l;
	char gone[108], stays[108], other[300];
	struct stat st;

	(void)state;
	snprintf(gone, sizeof(gone), "%s/procope/live-99999991.sock", folder);
	snprintf(stays, sizeof(stays), "%s/procope/live-99999992.sock", folder);
	snprintf(other, sizeof(other), "%s/procope/notes", folder);
	assert_int_equal(live__open(&dead, gone, why, sizeof(why)), 0);
	assert_int_equal(live__open(&living, stays, why, sizeof(why)), 0);
	fclose(fopen(other, "w"));
	assert_int_equal(link(gone, "/dev/null/x"), -1);
	rename(gone, other); /* close removes the name it knows: keep the socket under another one */
	live__close(dead, 0);
	rename(other, gone);
	fclose(fopen(other, "w"));
	assert_int_equal(live__open(&l, NULL, why, sizeof(why)), 0);
	assert_int_equal(stat(gone, &st), -1);
	assert_int_equal(stat(stays, &st), 0);
	assert_int_equal(stat(other, &st), 0);
	live__close(l, 0);
	live__close(living, 0);
	unlink(other);
}

static void test_named_place(void **state)
{
	struct live *l, *second;
	char place[108], file[300];
	char longer[200];

	(void)state;
	snprintf(place, sizeof(place), "%s/here.sock", folder);
	assert_int_equal(live__open(&l, place, why, sizeof(why)), 0);
	assert_int_equal(live__open(&second, place, why, sizeof(why)), -EADDRINUSE);
	live__close(l, 0);
	snprintf(file, sizeof(file), "%s/file", folder);
	fclose(fopen(file, "w"));
	assert_int_equal(live__open(&l, file, why, sizeof(why)), -EEXIST);
	unlink(file);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(live__open(&l, longer, why, sizeof(why)), -ENAMETOOLONG);
	assert_int_equal(live__open(&l, "/nonexistent/live.sock", why, sizeof(why)), -ENOENT);
}

/* Also where the modes let somebody else in. */
static void test_another_user(void **state)
{
	char open_folder[] = "/tmp/procope-live-XXXXXX", place[64];
	struct live *l;
	int stranger, own;
	char byte;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: cannot be two users\n");
		skip();
	}
	assert_non_null(mkdtemp(open_folder));
	assert_int_equal(chmod(open_folder, 0755), 0);
	snprintf(place, sizeof(place), "%s/live.sock", open_folder);
	assert_int_equal(live__open(&l, place, why, sizeof(why)), 0);
	assert_int_equal(chmod(place, 0666), 0);
	assert_int_equal(seteuid(12345), 0);
	stranger = connect_to(place);
	assert_int_equal(seteuid(0), 0);
	assert_true(stranger >= 0);
	own = connect_to(place);
	assert_int_equal(live__poll(l), 1);
	assert_int_equal(live__clients(l), 1);
	assert_int_equal(read(stranger, &byte, 1), 0);
	close(stranger);
	close(own);
	live__close(l, 0);
	rmdir(open_folder);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_clients(void **state)
{
	struct live *l;
	char text[64];
	int one, two, slow;
	char *big = malloc(200001);
	double start;

	(void)state;
	assert_int_equal(live__open(&l, NULL, why, sizeof(why)), 0);
	one = connect_to(live__path(l));
	assert_int_equal(live__poll(l), 1);
	live__send(l, "first\n", 6, true);
	assert_int_equal(live__poll(l), 0);
	two = connect_to(live__path(l));
	assert_int_equal(live__poll(l), 1);
	live__send(l, "new\n", 4, true); /* only for the second */
	live__send(l, "all\n", 4, false);
	assert_int_equal(read(one, text, sizeof(text)), 10);
	assert_memory_equal(text, "first\nall\n", 10);
	assert_int_equal(read(two, text, sizeof(text)), 8);
	close(one); /* it vanishes */
	live__send(l, "x\n", 2, false);
	live__poll(l);
	assert_int_equal(live__clients(l), 1);
	assert_int_equal(write(two, "noise", 5), 5);
	live__poll(l);
	assert_int_equal(live__clients(l), 1);
	close(two);
	live__poll(l);
	assert_int_equal(live__clients(l), 0);

	slow = connect_to(live__path(l)); /* it never reads */
	memset(big, 'y', 200000);
	big[200000] = '\n';
	live__poll(l);
	start = seconds();
	for (int i = 0; i < 20; i++) {
		live__send(l, big, 200001, false);
		live__poll(l);
	}
	assert_true(seconds() - start < 1);
	assert_int_equal(live__clients(l), 0);
	close(slow);
	slow = connect_to(live__path(l));
	live__poll(l);
	for (int i = 0; i < 3; i++)
		live__send(l, big, 200001, false);
	start = seconds();
	live__close(l, 200); /* waits, but not for ever */
	assert_true(seconds() - start < 1);
	close(slow);
	free(big);
}

static void test_too_many_clients(void **state)
{
	struct live *l;
	int fds[LIVE_CLIENTS + 4];

	(void)state;
	assert_int_equal(live__open(&l, NULL, why, sizeof(why)), 0);
	for (int i = 0; i < LIVE_CLIENTS + 4; i++) {
		fds[i] = connect_to(live__path(l));
		live__poll(l);
	}
	assert_int_equal(live__clients(l), LIVE_CLIENTS);
	live__close(l, 0);
	for (int i = 0; i < LIVE_CLIENTS + 4; i++)
		close(fds[i]);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/live_test.XXXXXX"); /* TMPDIR may be too long for a socket */
	if (!mkdtemp(folder))
		return -1;
	return setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int teardown(void **state)
{
	char place[300];

	(void)state;
	snprintf(place, sizeof(place), "%s/procope", folder);
	rmdir(place);
	return rmdir(folder);
}

int main(void)
{
#define CASE(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		CASE(test_usual_place),	     CASE(test_open_folder_is_refused), CASE(test_stale_sockets),
		CASE(test_named_place),	     CASE(test_another_user),		CASE(test_clients),
		CASE(test_too_many_clients),
	};

	return cmocka_run_group_tests_name("live", tests, setup, teardown);
}
