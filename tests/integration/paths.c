/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paths FOLDER: paths and structures that lie in shared memory are handed to the kernel, at a node that has none of
 * their pages. Each path begins at the end of a page and goes on in the next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dsm.h>

#define CHECK(what)                                                                                          \
	do {                                                                                                 \
		errno = 0;                                                                                   \
		if (!(what)) {                                                                               \
			fprintf(stderr, "paths: line %d: %s: %s\n", __LINE__, #what, strerror(errno));       \
			return 1;                                                                            \
		}                                                                                            \
	} while (0)

enum { FILE_NAME, OTHER_NAME, FOLDER_NAME, LINK_NAME, NAMES };

/* Each on pages of its own, so that none comes with another. */
struct name {
	char before[2 * DSM_PAGE_SIZE - 3];
	char text[2 * DSM_PAGE_SIZE + 3];
};

struct shared {
	struct name name[NAMES];
	struct stat by_path, gap1[60], by_link, gap2[60], by_fd, gap3[60];
	struct pollfd poll[2];
	char gap4[2 * DSM_PAGE_SIZE], bytes[2 * DSM_PAGE_SIZE], target[2 * DSM_PAGE_SIZE];
};

static char *const ends[NAMES] = {"file", "other", "folder", "link"};

static int files(struct shared *s, int from)
{
	char *file = s->name[FILE_NAME].text, *other = s->name[OTHER_NAME].text;
	FILE *f;
	int fd;

	CHECK((fd = open(file, O_CREAT | O_EXCL | O_RDWR, 0640)) >= 0);
	CHECK(write(fd, "twelve bytes", 12) == 12);
	CHECK(fstat(fd, &s->by_fd) == 0 && s->by_fd.st_size == 12 && (s->by_fd.st_mode & 0777) == 0640);
	CHECK(close(fd) == 0);
	CHECK(access(file, R_OK) == 0 && access(other, R_OK) != 0 && errno == ENOENT);
	CHECK(stat(file, &s->by_path) == 0 && s->by_path.st_ino == s->by_fd.st_ino);
	CHECK((f = fopen(file, "r")) && fgetc(f) == 't' && fclose(f) == 0);
	CHECK(rename(file, other) == 0);
	CHECK((fd = openat(from, other, O_RDONLY)) >= 0 && close(fd) == 0);
	CHECK(unlink(other) == 0 && access(other, F_OK) != 0);
	return 0;
}

static int others(struct shared *s, int pipe_end)
{
	char *folder = s->name[FOLDER_NAME].text, *link = s->name[LINK_NAME].text;
	unsigned different = 0;
	DIR *dir;

	CHECK(mkdir(folder, 0700) == 0);
	CHECK((dir = opendir(folder)) && closedir(dir) == 0);
	CHECK(lstat(link, &s->by_link) == 0 && S_ISLNK(s->by_link.st_mode));
	CHECK(readlink(link, s->target, sizeof(s->target)) == 7 && !memcmp(s->target, "nowhere", 7));
	CHECK(remove(link) == 0 && chdir(folder) == 0 && chdir("..") == 0 && rmdir(folder) == 0);
	s->poll[0] = (struct pollfd){.fd = pipe_end, .events = POLLIN};
	s->poll[1] = (struct pollfd){.fd = -1};
	CHECK(poll(s->poll, 2, 1000) == 1 && s->poll[0].revents == POLLIN && !s->poll[1].revents);
	CHECK(getrandom(s->bytes, 64, 0) == 64);
	for (int i = 0; i < 64; i++)
		different += s->bytes[i] != 0;
	CHECK(different > 32);
	return 0;
}

static int use(struct shared *s, const char *folder)
{
	char link[4096];
	int ends_of[2], rc = 0, there = 1;

	snprintf(link, sizeof(link), "%s/link", folder);
	CHECK(symlink("nowhere", link) == 0 && pipe(ends_of) == 0 && write(ends_of[1], "x", 1) == 1);
	DSM_TX {
		there = !access(s->name[FILE_NAME].text, F_OK); /* --strict: an abort would not undo it */
	}
	CHECK(!there);
	DSM_TX {
		dsm_irrevocable();
		rc = files(s, AT_FDCWD);
		rc = rc ? rc : others(s, ends_of[0]);
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct shared *s;
	int rc = 0;

	if (argc != 2)
		return 2;
	if (dsm_node() == 1) {
		s = dsm_new(struct shared, 1);
		DSM_TX {
			for (int i = 0; i < NAMES; i++)
				snprintf(s->name[i].text, sizeof(s->name[i].text), "%s/%s", argv[1], ends[i]);
		}
		dsm_root_set("shared", s);
	}
	dsm_barrier();
	s = dsm_root("shared");
	if (dsm_node() == 0)
		rc = use(s, argv[1]);
	dsm_barrier();
	/* What the kernel wrote is committed like all else. */
	DSM_TX_READ {
		if (!rc && (s->by_path.st_size != 12 || s->by_fd.st_size != 12 ||
			    s->poll[0].revents != POLLIN || memcmp(s->target, "nowhere", 7)))
			rc = 3;
	}
	return rc;
}
