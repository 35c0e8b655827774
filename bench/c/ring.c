// What liburing does in a second, to be compared with: asked line by line,
//   nop BATCH COUNT                    no-ops, BATCH per system call
//   read PATH DEPTH DIRECT COUNT       random blocks of 4 KiB, DEPTH at a time, with O_DIRECT if DIRECT is 1
// and answers "done NANOSECONDS".
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, MOST = 1024 };

static struct io_uring ring;

static void check(int result, const char *what)
{
    if (result < 0)
        errx(1, "%s: %s", what, strerror(-result));
}

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

// Takes what has completed; at least one.
static unsigned reap(int expected)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
        if (cqe->res != expected)
            errx(1, "a completion says %d", cqe->res);
        count++;
    }
    io_uring_cq_advance(&ring, count);
    return count;
}

static void nops(unsigned batch, long count)
{
    for (long done = 0; done < count; done += batch) {
        for (unsigned i = 0; i < batch; i++)
            io_uring_prep_nop(io_uring_get_sqe(&ring));
        check(io_uring_submit_and_wait(&ring, batch), "submit");
        reap(0);
    }
}

static void reads(const char *path, unsigned depth, int direct, long count)
{
    int fd = open(path, O_RDONLY | (direct ? O_DIRECT : 0));
    struct stat status;
    void *memory;
    if (fd < 0 || fstat(fd, &status))
        err(1, "%s", path);
    if (posix_memalign(&memory, BLOCK, (size_t) depth * BLOCK))
        err(1, "memory");
    unsigned long blocks = status.st_size / BLOCK, random = 88172645463325252UL;
    long queued = 0, done = 0;
    unsigned under_way = 0;
    while (done < count) {
        while (under_way < depth && queued < count) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            char *block = (char *) memory + (queued % depth) * BLOCK;
            io_uring_prep_read(io_uring_get_sqe(&ring), fd, block, BLOCK, (random >> 1) % blocks * BLOCK);
            under_way++, queued++;
        }
        check(io_uring_submit_and_wait(&ring, 1), "submit");
        unsigned taken = reap(BLOCK);
        under_way -= taken, done += taken;
    }
    free(memory);
    close(fd);
}

int main(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    check(io_uring_queue_init_params(MOST, &ring, &params), "setup");
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("hello liburing");
    char line[4096], path[4000];
    while (fgets(line, sizeof line, stdin)) {
        unsigned batch;
        int direct;
        long count, start = now();
        if (sscanf(line, "nop %u %ld", &batch, &count) == 2)
            nops(batch, count);
        else if (sscanf(line, "read %3999s %u %d %ld", path, &batch, &direct, &count) == 4)
            reads(path, batch, direct, count);
        else
            errx(1, "what is %s", line);
        printf("done %ld\n", now() - start);
    }
    return 0;
}
