// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_write_test.c - writing trace files: what is refused, full disks, two writers. A good file that was there stays.
 */
#include "collector/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/collector/sample.h"

static void test_writer_refuses(void **state)
{
	struct trace_writer *w, *second;
	struct dsm_ev_hdr bad = {.size = 31, .type = DSM_EV_COMMIT};
	char partial[320];

	(void)state;
	unlink(path);
	snprintf(partial, sizeof(partial), "%s.partial", path);
	assert_int_equal(trace_writer__open(&w, "/nonexistent/t.dsmt"), -ENOENT);
	assert_int_equal(trace_writer__open(&w, folder), -EISDIR);
	assert_int_equal(trace_writer__open(&w, path), 0);
	assert_int_equal(trace_writer__open(&second, path), -EBUSY);
	assert_int_equal(trace_writer__record(w, &bad), -EINVAL);
	assert_int_equal(trace_writer__info(w, ""), -EINVAL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(partial, F_OK), 0);
	trace_writer__abandon(w);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(partial, F_OK), -1);
}

static void test_not_a_regular_file(void **state)
{
	struct trace_writer *w;
	struct stat st;

	(void)state;
	assert_int_equal(trace_writer__open(&w, "/dev/null"), 0);
	assert_int_equal(trace_writer__record(w, record(0)), 0);
	assert_int_equal(trace_writer__close(w), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

/* A limit on the file's size acts like a disk that fills up: some chunks fit, one does not. */
static void fill_disk_child(const char *to, rlim_t limit, bool expect_records)
{
	struct rlimit rl = {limit, limit};
	struct trace_writer *w;
	struct dsm_ev_commit c = {.hdr = {.size = sizeof(c), .type = DSM_EV_COMMIT}};
	int rc = 0;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &rl);
	if (trace_writer__open(&w, to) != 0)
		_exit(10);
	for (int i = 0; i < 60000 && !rc; i++) {
		c.hdr.seq++;
		c.duration_ns = c.hdr.seq * 0x9e3779b97f4a7c15u;
		rc = trace_writer__record(w, &c.hdr);
	}
	if (expect_records && rc != -EFBIG)
		_exit(11);
	if (trace_writer__record(w, &c.hdr) != rc && expect_records)
		_exit(12); /* the error is sticky */
	if (trace_writer__close(w) != -EFBIG)
		_exit(13);
	_exit(0);
}

static void fill_disk(rlim_t limit, bool expect_records)
{
	char partial[320];
	struct tally t = {0};
	struct trace_reader *r;
	struct trace_item item;
	int status, rc;
	pid_t pid;

	snprintf(partial, sizeof(partial), "%s.partial", path);
	write_trace(path); /* a good file, to be left alone */
	fflush(NULL);
	pid = fork();
	if (!pid)
		fill_disk_child(path, limit, expect_records);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	t = read_trace(path);
	assert_complete(&t);
	if (!expect_records) {
		assert_int_equal(access(partial, F_OK), -1);
		return;
	}
	assert_int_equal(trace_reader__open(&r, partial), 0);
	while ((rc = trace_reader__next(r, &item)) == 0)
		assert_int_equal(item.record->seq, ++t.items[0]);
	assert_int_equal(rc, -ENODATA);
	assert_true(t.items[0] > 3000);
	trace_reader__close(r);
	unlink(partial);
}

static void test_disk_full(void **state)
{
	(void)state;
	fill_disk(200000, true);
	fill_disk(100, false);
}

/* ---- a writer that finishes while another one opens ---- */

/* Linked with --wrap=flock: what happens between the opening of the partial file and its lock. */
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
static struct trace_writer *finishing;

int __wrap_flock(int fd, int operation)
{
	struct trace_writer *w = finishing;

	finishing = NULL;
	if (w)
		assert_int_equal(trace_writer__close(w), 0);
	return __real_flock(fd, operation);
}

static void test_finished_meanwhile(void **state)
{
	struct trace_writer *first, *second;
	struct trace_reader *r;
	struct trace_item item;

	(void)state;
	assert_int_equal(trace_writer__open(&first, path), 0);
	assert_int_equal(trace_writer__record(first, record(0)), 0);
	finishing = first;
	assert_int_equal(trace_writer__open(&second, path), 0);
	assert_null(finishing);
	/* The finished trace is whole, and the second writer has a file of its own. */
	assert_int_equal(trace_reader__open(&r, path), 0);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_memory_equal(item.record, record(0), record(0)->size);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.kind, TRACE_END_OF_FILE);
	trace_reader__close(r);
	assert_int_equal(trace_writer__record(second, record(1)), 0);
	assert_int_equal(trace_writer__close(second), 0);
	assert_int_equal(trace_reader__open(&r, path), 0);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_memory_equal(item.record, record(1), record(1)->size);
	trace_reader__close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_refuses),
		cmocka_unit_test(test_not_a_regular_file),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_finished_meanwhile),
	};

	return cmocka_run_group_tests_name("trace writer", tests, setup, teardown);
}
