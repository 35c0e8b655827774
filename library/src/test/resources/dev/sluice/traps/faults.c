// Runs a command and makes its system calls short, late or failing, at random from a seed:
//
//     faults SEED DIRECTORY LOG CALLS SHORT SOFT HARD LATE COMMAND...
//
// SHORT, SOFT, HARD and LATE are chances in 1000. Only the calls listed in CALLS ("splice,tee", or "all") are touched, and
// only on sockets, pipes, and files under DIRECTORY. A short call really is made, with a smaller length. A failing call is
// not made at all: soft errors are those that a transfer has to survive, hard ones may end it. EAGAIN, and a count of 0,
// are soft only where they are no lie that hangs or ends a stream:
//
//   EAGAIN  tee, and whatever reads or writes a file: an edge-triggered descriptor that is ready reports no other edge
//   0       tee (S23), what reads a file, and splice from or into a socket: it means that the call is of no use (S8)
//
// A recv of a TCP socket is never cut short: epoll(7) promises that a short one has emptied the socket.
//
// Every fault goes to LOG, and so does every call that finds its descriptor closed: such a call may as well have found
// somebody else's. x86-64 only. Needs no privileges: seccomp stops the calls, ptrace looks at them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct { const char *name; int number; } CALLS[] = {
    {"splice", SYS_splice}, {"tee", SYS_tee}, {"sendfile", SYS_sendfile}, {"copy_file_range", SYS_copy_file_range},
    {"read", SYS_read}, {"write", SYS_write}, {"sendto", SYS_sendto}, {"recvfrom", SYS_recvfrom},
    {"pipe2", SYS_pipe2}, {"fcntl", SYS_fcntl}, {"ioctl", SYS_ioctl}, {"epoll_ctl", SYS_epoll_ctl},
    {"epoll_wait", SYS_epoll_wait}, {"eventfd2", SYS_eventfd2}, {"close", SYS_close},
};
enum { COUNT = sizeof CALLS / sizeof CALLS[0], LATE_MAX = 4096 };

static uint64_t state;
static const char *directory, *calls;
static FILE *logfile;
static int shorten, soft, hard, late;
static pid_t leader; // the process itself

static uint32_t rnd(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545F4914F6CDD1DULL >> 32) % below;
}

static int chance(int per_mille) { return (int) rnd(1000) < per_mille; }

// 's'ocket, 'p'ipe without a name, FI'f'O, 'd'isk file, or '-' for what is none of our business.
static char kind(pid_t pid, uint64_t fd) {
    char path[64], target[512];
    if ((int) fd < 3) return '-';
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, (int) fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) return '-';
    target[n] = 0;
    if (!strncmp(target, "socket:", 7)) return 's';
    if (!strncmp(target, "pipe:", 5)) return 'p';
    // The JDK writes indexes.
    if (strncmp(target, directory, strlen(directory)) || strstr(target, ".index")) return '-';
    struct stat st;
    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode) ? 'f' : 'd';
}

static int tcp(pid_t pid, uint64_t fd) {
    int domain = 0, pidfd = syscall(SYS_pidfd_open, pid, 0);
    // A thread has no pidfd, and the process may be asked as well.
    if (pidfd < 0) pidfd = syscall(SYS_pidfd_open, leader, 0);
    int copy = syscall(SYS_pidfd_getfd, pidfd, (int) fd, 0);
    socklen_t size = sizeof domain;
    int known = copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0;
    if (copy >= 0) close(copy);
    if (pidfd >= 0) close(pidfd);
    return !known || domain != AF_UNIX;
}

#define PICK(...) ({ static const int e[] = {__VA_ARGS__}; e[rnd(sizeof e / sizeof e[0])]; })
enum { NONE = 1 }; // not an outcome: outcomes are 0 or -errno

// The outcome of a call that is to fail, or NONE; *length is where a length may be shortened, or null.
static int decide(struct user_regs_struct *r, pid_t pid, unsigned long long **length, char kinds[3]) {
    int s = chance(soft), h = chance(hard);
    char a = '-', b = '-';
    *length = NULL;
    switch (r->orig_rax) {
    case SYS_splice:
        kinds[0] = a = kind(pid, r->rdi), kinds[1] = b = kind(pid, r->rdx);
        if (a == '-' || b == '-') return NONE;
        *length = &r->r8;
        if (h) return b == 'd' ? -PICK(EIO, ENOSPC) : -EIO;
        if (!s) return NONE;
        if (chance(800)) return -EINTR;
        if ((a == 'd' || b == 'd') && chance(600)) return -EAGAIN;
        if ((a == 's' || a == 'd' || b == 's' || b == 'd') && chance(300)) return 0;
        return -PICK(EINVAL, ENOMEM);
    case SYS_tee:
        kinds[0] = kinds[1] = 'p';
        *length = &r->rdx;
        return s || h ? -PICK(EINTR, EAGAIN, EINVAL, ENOMEM, 0) : NONE;
    case SYS_sendfile:
        kinds[0] = a = kind(pid, r->rsi), kinds[1] = b = kind(pid, r->rdi);
        if (a == '-' || b == '-') return NONE;
        *length = &r->r10;
        if (!s && !h) return NONE;
        if (chance(700)) return -EINTR;
        return b == 'd' ? -PICK(EAGAIN, EINVAL, EIO, ENOMEM, 0) : -PICK(EINVAL, ENOMEM, EOVERFLOW, 0);
    case SYS_copy_file_range:
        kinds[0] = a = kind(pid, r->rdi), kinds[1] = b = kind(pid, r->rdx);
        if (a == '-' || b == '-') return NONE;
        *length = &r->r8;
        if (!s && !h) return NONE;
        if (chance(700)) return -EINTR;
        return -PICK(EAGAIN, EINVAL, EXDEV, EBADF, EPERM, EIO, ENOMEM, EOPNOTSUPP, 0);
    case SYS_read:
    case SYS_write:
        kinds[0] = a = kind(pid, r->rdi);
        if (a == '-') return NONE;
        *length = &r->rdx;
        if (h && a == 'd') return r->orig_rax == SYS_read ? -EIO : -PICK(EIO, ENOSPC, EDQUOT);
        if (h && a == 'f') return -EIO;
        if (!s) return NONE;
        return a == 'd' && chance(300) ? -EAGAIN : -EINTR;
    case SYS_sendto:
    case SYS_recvfrom:
        kinds[0] = a = kind(pid, r->rdi);
        if (a == '-') return NONE;
        if (r->orig_rax == SYS_sendto || !tcp(pid, r->rdi)) *length = &r->rdx;
        if (h) return r->orig_rax == SYS_sendto ? -PICK(ENOBUFS, ENOMEM) : -ENOMEM;
        return s ? -EINTR : NONE;
    case SYS_pipe2:
        return s || h ? -PICK(EMFILE, ENFILE, ENOMEM) : NONE;
    case SYS_fcntl:
        kinds[0] = a = kind(pid, r->rdi);
        if (a == '-' || !(s || h)) return NONE;
        if ((int) r->rsi == F_SETPIPE_SZ) return -PICK(EPERM, EBUSY, EINVAL, ENOMEM);
        if ((int) r->rsi == F_GETPIPE_SZ) return -EINVAL;
        if (((int) r->rsi == F_GETFL || (int) r->rsi == F_SETFL) && h) return -EINVAL;
        if ((int) r->rsi == F_DUPFD_CLOEXEC) return -EMFILE;
        return NONE;
    case SYS_ioctl:
        kinds[0] = a = kind(pid, r->rdi);
        return a != '-' && (s || h) ? -EINVAL : NONE;
    case SYS_epoll_ctl:
        kinds[0] = a = kind(pid, r->rdx);
        return a != '-' && r->rsi == 1 && h ? -PICK(ENOMEM, ENOSPC) : NONE;
    case SYS_epoll_wait:
        return s || h ? -EINTR : NONE;
    case SYS_eventfd2:
        return h ? -PICK(EMFILE, ENFILE, ENOMEM) : NONE;
    }
    return NONE;
}

static const char *name(long number) {
    for (int i = 0; i < COUNT; i++)
        if (CALLS[i].number == number) return CALLS[i].name;
    return "?";
}

static int wanted(const char *call) {
    size_t n = strlen(call);
    if (!strcmp(calls, "all")) return 1;
    for (const char *p = calls; (p = strstr(p, call)); p += n)
        if ((p == calls || p[-1] == ',') && (p[n] == ',' || !p[n])) return 1;
    return 0;
}

static void entering(pid_t pid) {
    struct user_regs_struct r;
    unsigned long long *length = NULL;
    char kinds[3] = "";
    if (ptrace(PTRACE_GETREGS, pid, 0, &r) < 0 || !wanted(name(r.orig_rax))) return;
    const char *call = name(r.orig_rax);
    int outcome = decide(&r, pid, &length, kinds);
    if (outcome != NONE) {
        fprintf(logfile, "%d %s %s = %d (%s)\n", pid, call, kinds, outcome, strerror(-outcome));
        r.orig_rax = -1;
        r.rax = outcome;
        ptrace(PTRACE_SETREGS, pid, 0, &r);
    } else if (length && *length > 1 && chance(shorten)) {
        unsigned long long asked = *length;
        // Most calls ask for far more than there is.
        unsigned long long most = asked < 100000 ? asked : 100000;
        *length = 1 + (chance(200) ? rnd(8) % most : rnd(most));
        fprintf(logfile, "%d %s %s %llu instead of %llu\n", pid, call, kinds, *length, asked);
        ptrace(PTRACE_SETREGS, pid, 0, &r);
    }
}

static void leaving(pid_t pid) {
    struct user_regs_struct r;
    if (ptrace(PTRACE_GETREGS, pid, 0, &r) == 0 && (long) r.rax == -EBADF && r.orig_rax != (unsigned long long) -1)
        fprintf(logfile, "%d %s found descriptor %d closed\n", pid, name(r.orig_rax), (int) r.rdi);
}

static void filter(void) {
    struct sock_filter f[COUNT + 3];
    int n = 0;
    f[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < COUNT; i++)
        f[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, COUNT - i, 0);
    f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {n, f};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("seccomp");
        _exit(126);
    }
}

static struct { pid_t pid; int request; uint64_t due; } waiting[LATE_MAX];
static int waiters;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static void resume(pid_t pid, int request) {
    if (late && waiters < LATE_MAX && chance(late)) {
        waiting[waiters].pid = pid, waiting[waiters].request = request;
        waiting[waiters++].due = now() + rnd(chance(100) ? 20000 : 2000);
    } else {
        ptrace(request, pid, 0, 0);
    }
}

static void resume_due(void) {
    for (int i = 0; i < waiters;) {
        if (waiting[i].due <= now()) {
            ptrace(waiting[i].request, waiting[i].pid, 0, 0);
            waiting[i] = waiting[--waiters];
        } else {
            i++;
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 10) return 64;
    state = strtoull(argv[1], NULL, 10) * 0x9E3779B97F4A7C15ULL + 1;
    directory = argv[2], calls = argv[4];
    logfile = fopen(argv[3], "we");
    shorten = atoi(argv[5]), soft = atoi(argv[6]), hard = atoi(argv[7]), late = atoi(argv[8]);
    int go[2];
    if (!logfile || pipe2(go, O_CLOEXEC)) return 126;
    setvbuf(logfile, NULL, _IOLBF, 0);
    pid_t child = leader = fork();
    if (child == 0) {
        char c;
        if (read(go[0], &c, 1) != 1) _exit(126);
        filter();
        execvp(argv[9], argv + 9);
        perror(argv[9]);
        _exit(127);
    }
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
        | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, child, 0, options) < 0 || write(go[1], "", 1) != 1) {
        perror("ptrace");
        kill(child, SIGKILL);
        return 126;
    }
    int status, code = 126;
    while (1) {
        pid_t pid = waitpid(-1, &status, __WALL | (waiters ? WNOHANG : 0));
        if (pid == 0) {
            usleep(50);
        } else if (pid < 0) {
            if (errno != EINTR) return code;
        } else if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == child) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        } else if (status >> 16 == PTRACE_EVENT_SECCOMP) {
            entering(pid);
            resume(pid, PTRACE_SYSCALL);
        } else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            leaving(pid);
            resume(pid, PTRACE_CONT);
        } else {
            ptrace(PTRACE_CONT, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
        }
        resume_due();
    }
}
