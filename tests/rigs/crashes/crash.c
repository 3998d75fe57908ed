/* Dies in the way that its first argument names. Built by the tests, run as a job or as process 1 of a container. */
#define _GNU_SOURCE
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int zero = 0;
static volatile size_t too_long = 64;

static void touch_null(void) { *(volatile int *)(long)zero = 1; }

static void past_the_end_of_a_file(void)
{
    char name[] = "/tmp/crash-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    volatile char *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pages[0] = 1; /* the file is empty: no page can back this */
}

__attribute__((noinline)) static void smash_the_stack(void)
{
    char few[8];
    memset(few, 'x', too_long);
    printf("%c\n", few[zero]);
}

static void breakpoint(void)
{
#if defined(__x86_64__)
    __asm__("int3");
#else
    __builtin_trap();
#endif
}

static void eat_memory(size_t mebibytes)
{
    for (size_t i = 0; i < mebibytes; i++) {
        char *piece = malloc(1 << 20);
        if (piece == NULL) exit(3);
        memset(piece, 'x', 1 << 20);
    }
    puts("all of it fitted");
}

static void fill_a_file(void)
{
    char block[4096] = {0};
    FILE *file = fopen("checkpoint.bin", "wb");
    while (file != NULL && fwrite(block, sizeof block, 1, file) == 1) fflush(file);
}

int main(int count, char **words)
{
    const char *way = count > 1 ? words[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    puts("step 1 loss 2.31");
    if (!strcmp(way, "segv")) touch_null();
    if (!strcmp(way, "abort")) abort();
    if (!strcmp(way, "assert")) assert(zero == 1 && "rows must match columns");
    if (!strcmp(way, "bus")) past_the_end_of_a_file();
    if (!strcmp(way, "ill")) __builtin_trap();
    if (!strcmp(way, "fpe")) printf("%d\n", 7 / zero);
    if (!strcmp(way, "trap")) breakpoint();
    if (!strcmp(way, "raise")) raise(atoi(words[2])); /* process 1 is not sent it, and ends with the number */
    if (!strcmp(way, "smash")) smash_the_stack();
    if (!strcmp(way, "spin")) for (;;) zero = 0;
    if (!strcmp(way, "fill")) fill_a_file();
    if (!strcmp(way, "free")) { char *piece = malloc(64); free(piece); free(piece); }
    if (!strcmp(way, "eat")) eat_memory(count > 2 ? (size_t)atol(words[2]) : 512);
    if (!strcmp(way, "wait")) sleep(300);
    return count > 2 ? atoi(words[2]) : 0;
}
