/* The settings and the faults that both fake libraries share.
 *
 * Settings are `key=value` pairs: first those of $FAKE_NV, parted by ';', then the lines of the file $FAKE_NV_CONF.
 * The first pair that fits wins, and `gpuN.key` beats `key` for device N. Any function can be made sick:
 *
 *   fail.FN=CODE    return CODE           hang.FN=SECONDS  sleep (fractions allowed), then go on
 *   segv.FN=1       write through null    abort.FN=1       abort()
 *   exit.FN=N       _exit(N)              flood.FN=BYTES   write that many bytes to standard output, then go on
 *
 * $FAKE_NV_TRACE names a file that gets one line `PID FUNCTION DEVICE` for each call (device -1: the machine).
 */
#ifndef FK_H
#define FK_H

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FK_ROOM 262144

static char fk_text[FK_ROOM];
static int fk_loaded;

static void fk_load(void) {
    if (fk_loaded) return;
    fk_loaded = 1;
    size_t used = 0;
    const char *given = getenv("FAKE_NV");
    for (; given && *given && used < FK_ROOM / 2; given++) fk_text[used++] = *given == ';' ? '\n' : *given;
    fk_text[used++] = '\n';
    const char *path = getenv("FAKE_NV_CONF");
    int fd = path && *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        ssize_t got = read(fd, fk_text + used, FK_ROOM - used - 1);
        if (got > 0) used += (size_t)got;
        close(fd);
    }
    fk_text[used] = 0;
}

/* The value of exactly this key into `out`; 0 when nobody gave it. */
static int fk_exact(const char *key, char *out, size_t room) {
    fk_load();
    size_t length = strlen(key);
    for (const char *line = fk_text; *line;) {
        const char *end = strchr(line, '\n');
        if (!end) end = line + strlen(line);
        if ((size_t)(end - line) > length && !strncmp(line, key, length) && line[length] == '=') {
            size_t size = (size_t)(end - line) - length - 1;
            if (size >= room) size = room - 1;
            memcpy(out, line + length + 1, size);
            out[size] = 0;
            return 1;
        }
        line = *end ? end + 1 : end;
    }
    return 0;
}

static int fk_find(int device, const char *key, char *out, size_t room) {
    char own[160];
    if (device >= 0) {
        snprintf(own, sizeof own, "gpu%d.%s", device, key);
        if (fk_exact(own, out, room)) return 1;
    }
    return fk_exact(key, out, room);
}

/* A text setting with a default; the default may hold one %d, which becomes the device. */
static void fk_copy(int device, const char *key, const char *otherwise, char *out, size_t room) {
    if (!room || fk_find(device, key, out, room)) return;
    snprintf(out, room, otherwise, device < 0 ? 0 : device);
}

static unsigned long long fk_number(int device, const char *key, unsigned long long otherwise) {
    char text[64];
    return fk_find(device, key, text, sizeof text) ? strtoull(text, NULL, 0) : otherwise;
}

/* Whether a setting says "na": the device has no such thing. */
static int fk_absent(int device, const char *key) {
    char text[64];
    return fk_find(device, key, text, sizeof text) && !strcmp(text, "na");
}

static void fk_trace(const char *function, int device) {
    const char *path = getenv("FAKE_NV_TRACE");
    int fd = path && *path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd < 0) return;
    char line[200];
    int size = snprintf(line, sizeof line, "%d %s %d\n", (int)getpid(), function, device);
    if (write(fd, line, (size_t)size) != size) { /* a full disk must not change the answer */ }
    close(fd);
}

static int fk_fault(const char *kind, const char *function, int device, char *out, size_t room) {
    char key[160];
    snprintf(key, sizeof key, "%s.%s", kind, function);
    return fk_find(device, key, out, room);
}

static void fk_flood(long long bytes) {
    static const char noise[] = "fake driver says this again and again and again, and nobody should have to read it\n";
    while (bytes > 0) {
        size_t piece = bytes < (long long)(sizeof noise - 1) ? (size_t)bytes : sizeof noise - 1;
        if (write(1, noise, piece) < 0) return;
        bytes -= (long long)piece;
    }
}

/* Trace the call, make it sick as asked, and say with which code it must return at once (0: go on). */
static int fk_guard(const char *function, int device) {
    char value[64];
    fk_trace(function, device);
    if (fk_fault("flood", function, device, value, sizeof value)) fk_flood(atoll(value));
    if (fk_fault("hang", function, device, value, sizeof value)) {
        double seconds = atof(value);
        struct timespec rest = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
        while (nanosleep(&rest, &rest)) { }
    }
    if (fk_fault("segv", function, device, value, sizeof value)) *(volatile int *)0 = 1;
    if (fk_fault("abort", function, device, value, sizeof value)) abort();
    if (fk_fault("exit", function, device, value, sizeof value)) _exit(atoi(value));
    if (fk_fault("fail", function, device, value, sizeof value)) return atoi(value);
    return 0;
}

#define GUARD(device)                                  \
    do {                                               \
        int code_ = fk_guard(__func__, (int)(device)); \
        if (code_) return code_;                       \
    } while (0)

#endif
