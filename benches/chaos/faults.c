// A disk under the access log that is full, cannot be written, hangs or fails to sync, and a wall clock that was set wrong. The fault bench preloads
// this into a gateway, which knows nothing of it; what happens is said by files.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

// Whether the file that a variable names is there, and the file descriptor is one of the access log.
static int suffers(const char *variable, int fd) {
    const char *name = getenv(variable);
    if (!name || access(name, F_OK) != 0) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0) return 0;
    path[len] = 0;
    return strstr(path, "/ledger/") != NULL;
}

// Whether the disk takes nothing; `errno` says why, by the number in the file: no room, where there is none.
static int takes_nothing(int fd) {
    if (!suffers("CHAOS_FULL", fd)) return 0;
    int why = 0;
    FILE *file = fopen(getenv("CHAOS_FULL"), "r");
    if (file) {
        if (fscanf(file, "%d", &why) != 1) why = 0;
        fclose(file);
    }
    errno = why ? why : ENOSPC;
    return 1;
}

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

// Waits as long as the disk hangs; whether this sync is the one that is to fail.
static int fails_to_sync(int fd) {
    while (suffers("CHAOS_HANG", fd)) usleep(1000);
    return suffers("CHAOS_EIO", fd) && unlink(getenv("CHAOS_EIO")) == 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    typedef ssize_t (*Real)(int, const void *, size_t, off64_t);
    REAL("pwrite64", Real);
    if (takes_nothing(fd)) return -1;
    ssize_t written = real(fd, bytes, len, at);
    // Such a write is its own sync.
    if ((fcntl(fd, F_GETFL) & O_DSYNC) && fails_to_sync(fd)) return errno = EIO, -1;
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite64(fd, bytes, len, at); }

ssize_t write(int fd, const void *bytes, size_t len) {
    typedef ssize_t (*Real)(int, const void *, size_t);
    REAL("write", Real);
    return takes_nothing(fd) ? -1 : real(fd, bytes, len);
}

static int sync_by(const char *name, int fd) {
    if (fails_to_sync(fd)) return errno = EIO, -1;
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fdatasync(int fd) { return sync_by("fdatasync", fd); }

int fsync(int fd) { return sync_by("fsync", fd); }

// Seconds by which the wall clock is wrong: the number in the file that CHAOS_CLOCK names, looked at every 20 ms.
static long wrong_by(void) {
    static _Thread_local struct timespec looked;
    static _Thread_local long seconds;
    typedef int (*Real)(clockid_t, struct timespec *);
    REAL("clock_gettime", Real);
    struct timespec now;
    real(CLOCK_MONOTONIC, &now);
    long passed = (now.tv_sec - looked.tv_sec) * 1000 + (now.tv_nsec - looked.tv_nsec) / 1000000;
    if (looked.tv_sec && passed < 20) return seconds;
    looked = now;
    seconds = 0;
    // The gateway forbids others to look into it; the bench, as whoever it runs, counts its descriptors.
    prctl(PR_SET_DUMPABLE, 1);
    const char *name = getenv("CHAOS_CLOCK");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    typedef int (*Real)(clockid_t, struct timespec *);
    REAL("clock_gettime", Real);
    int outcome = real(clock, time);
    if (outcome == 0 && clock == CLOCK_REALTIME) time->tv_sec += wrong_by();
    return outcome;
}
