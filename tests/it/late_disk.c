// A disk that keeps nothing of the log's journal before it is synced (by a sync, or by a write to a file that was opened with O_DSYNC), that can be
// held up, and that can be full. The kill test preloads it into
// the gateway, so that a kill loses what a power failure would lose; the gateway itself knows nothing of it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A write that was not synced yet.
struct late {
    struct late *next;
    int fd;
    off64_t at;
    size_t len;
    void *bytes; // at a multiple of a block, for files that are written past the page cache
};

static struct late *first;
static struct late **end = &first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_journal(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    const char *name = strrchr(path, '/');
    return name && strncmp(name, "/journal.", 9) == 0;
}

// While the file that LATE_DISK_FULL names is there, no file of the log can grow: all but those that have their full length.
static int is_full(int fd) {
    const char *full = getenv("LATE_DISK_FULL");
    if (!full || access(full, F_OK) != 0) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    const char *name = strrchr(path, '/');
    if (!name || !strstr(path, "/ledger/")) return 0;
    return strcmp(name, "/journal.0") != 0 && strcmp(name, "/journal.1") != 0 && strcmp(name, "/fence") != 0;
}

static ssize_t write_now(int fd, const void *bytes, size_t len, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return real(fd, bytes, len, at);
}

// Waits while the file that LATE_DISK_HOLD names is there, and tells beside it that it had to.
static void wait_if_held(void) {
    const char *hold = getenv("LATE_DISK_HOLD");
    char told[PATH_MAX];
    while (hold && access(hold, F_OK) == 0) {
        snprintf(told, sizeof told, "%s.held", hold);
        close(open(told, O_CREAT | O_WRONLY, 0600));
        usleep(500);
    }
}

static void write_what_is_late(int fd) {
    pthread_mutex_lock(&lock);
    struct late **place = &first;
    while (*place) {
        struct late *late = *place;
        if (late->fd != fd) {
            place = &late->next;
            continue;
        }
        if (write_now(fd, late->bytes, late->len, late->at) != (ssize_t)late->len) abort();
        *place = late->next;
        free(late->bytes);
        free(late);
    }
    end = place;
    pthread_mutex_unlock(&lock);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    if (!is_journal(fd)) return write_now(fd, bytes, len, at);
    struct late *late = malloc(sizeof *late);
    if (!late || posix_memalign(&late->bytes, 4096, len)) abort();
    late->next = NULL, late->fd = fd, late->at = at, late->len = len;
    memcpy(late->bytes, bytes, len);
    pthread_mutex_lock(&lock);
    *end = late, end = &late->next;
    pthread_mutex_unlock(&lock);
    if (fcntl(fd, F_GETFL) & O_DSYNC) {
        wait_if_held();
        write_what_is_late(fd);
    }
    return (ssize_t)len;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

static int sync_by(const char *name, int fd) {
    if (is_journal(fd)) {
        wait_if_held();
        write_what_is_late(fd);
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fdatasync(int fd) { return sync_by("fdatasync", fd); }

int fsync(int fd) { return sync_by("fsync", fd); }
