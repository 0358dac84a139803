// Kills its own process before the step of its work on files that KILL_AT counts: a sync, a change of a name, or an end of a file.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void step(void) {
    static int steps;
    const char *at = getenv("KILL_AT");
    if (at && __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST) == atoi(at)) kill(getpid(), SIGKILL);
}

int fsync(int fd) {
    step();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    step();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int rename(const char *from, const char *to) {
    step();
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int unlink(const char *path) {
    step();
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}

int ftruncate64(int fd, off64_t len) {
    step();
    return ((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(fd, len);
}
