// LISTEN_PORT TARGET_PORT: a TCP relay of one thread, edge-triggered epoll and splice(2), as a measure of what is
// possible. A direction copies while its messages are small; once a read fills the buffer it borrows a pipe of 1 MiB from
// a pool, splices, and gives the pipe back as soon as it is empty. Ends are carried over by shutdown(2).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 16 << 10, PIPE_SIZE = 1 << 20, MOST_SPARE = 64, MOST_EVENTS = 256 };

struct pipe {
    int in, out;
    size_t filled;
};

struct session;

// One direction. Edge-triggered: what is readable or writable stays so until a call says EAGAIN.
struct flow {
    int source, sink;
    int readable, writable, hung_up, ended, small_reads;
    struct pipe *pipe;                // while splicing
    char *left; size_t start, length; // what a short write left behind while copying
};

struct end {
    struct session *session;
    int first; // whether it is the accepted one
};

struct session {
    struct flow there, back;
    struct end accepted, connected;
    struct session *next_dead;
};

static char buffer[BUFFER_SIZE];
static struct pipe *spare[MOST_SPARE];
static int spare_count;

static struct pipe *borrow_pipe(void) {
    if (spare_count > 0) return spare[--spare_count];
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return NULL;
    fcntl(fds[0], F_SETPIPE_SZ, PIPE_SIZE);
    struct pipe *pipe = malloc(sizeof *pipe);
    *pipe = (struct pipe) {.in = fds[1], .out = fds[0]};
    return pipe;
}

static void give_back(struct pipe *pipe) {
    if (pipe->filled == 0 && spare_count < MOST_SPARE) {
        spare[spare_count++] = pipe;
        return;
    }
    close(pipe->in);
    close(pipe->out);
    free(pipe);
}

enum { GOES_ON, WAITS, FAILED };

static int splice_on(struct flow *flow) {
    struct pipe *pipe = flow->pipe;
    // Out first: an EAGAIN on the way in means an empty source only while the pipe is empty.
    if (pipe->filled == 0) {
        if (flow->ended || !flow->readable) {
            give_back(pipe);
            flow->pipe = NULL;
            return flow->ended ? GOES_ON : WAITS;
        }
        ssize_t count = splice(flow->source, NULL, pipe->in, NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (count < 0 && errno != EAGAIN) return FAILED;
        if (count < 0) flow->readable = 0;
        if (count == 0) flow->ended = 1;
        if (count > 0) pipe->filled += (size_t) count;
        // Small messages again: copying is cheaper.
        flow->small_reads = count > 0 && count < BUFFER_SIZE / 2 ? flow->small_reads + 1 : 0;
        if (count <= 0) return GOES_ON;
    }
    if (!flow->writable) return WAITS;
    ssize_t count = splice(pipe->out, NULL, flow->sink, NULL, pipe->filled, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count < 0 && errno != EAGAIN) return FAILED;
    if (count < 0) flow->writable = 0;
    else pipe->filled -= (size_t) count;
    if (pipe->filled == 0 && flow->small_reads >= 4) {
        give_back(pipe);
        flow->pipe = NULL;
        flow->small_reads = 0;
    }
    return GOES_ON;
}

static int copy_on(struct flow *flow) {
    if (flow->length > 0) {
        if (!flow->writable) return WAITS;
        ssize_t sent = send(flow->sink, flow->left + flow->start, flow->length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return FAILED;
        if (sent < 0) return flow->writable = 0, WAITS;
        flow->start += (size_t) sent;
        if ((flow->length -= (size_t) sent) == 0) {
            free(flow->left);
            flow->left = NULL;
        }
        return GOES_ON;
    }
    if (!flow->readable) return WAITS;
    ssize_t count = recv(flow->source, buffer, BUFFER_SIZE, 0);
    if (count < 0 && errno != EAGAIN) return FAILED;
    if (count < 0) return flow->readable = 0, WAITS;
    if (count == 0) return flow->ended = 1, GOES_ON;
    ssize_t sent = flow->writable ? send(flow->sink, buffer, (size_t) count, MSG_NOSIGNAL) : -1;
    if (sent < 0 && flow->writable && errno != EAGAIN) return FAILED;
    if (sent < 0) flow->writable = 0, sent = 0;
    if (sent < count) {
        flow->start = 0;
        flow->length = (size_t) (count - sent);
        flow->left = malloc(flow->length);
        memcpy(flow->left, buffer + sent, flow->length);
    }
    // A short read drained the source, and what comes next is a new edge; but the end may have come with these bytes.
    if (count < BUFFER_SIZE) flow->readable = flow->hung_up;
    else if (flow->length == 0) flow->pipe = borrow_pipe();
    return GOES_ON;
}

// Returns 0 once the direction has failed.
static int step(struct flow *flow) {
    if (flow->sink < 0) return 1;
    for (;;) {
        int outcome = flow->pipe ? splice_on(flow) : flow->ended && flow->length == 0 ? WAITS : copy_on(flow);
        if (outcome == FAILED) return 0;
        if (outcome == GOES_ON) continue;
        if (flow->ended && !flow->pipe && flow->length == 0) {
            shutdown(flow->sink, SHUT_WR);
            flow->sink = -1;
        }
        return 1;
    }
}

static int new_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void begin(int poll, int accepted, struct sockaddr_in *target) {
    int on = 1, connected = new_socket();
    if (connected < 0
            || (connect(connected, (struct sockaddr *) target, sizeof *target) < 0 && errno != EINPROGRESS)) {
        warn("connect");
        if (connected >= 0) close(connected);
        close(accepted);
        return;
    }
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct session *session = calloc(1, sizeof *session);
    session->there = (struct flow) {.source = accepted, .sink = connected};
    session->back = (struct flow) {.source = connected, .sink = accepted};
    session->accepted = (struct end) {session, 1};
    session->connected = (struct end) {session, 0};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = &session->accepted};
    epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
    event.data.ptr = &session->connected;
    epoll_ctl(poll, EPOLL_CTL_ADD, connected, &event);
}

static void finish(struct session *session) {
    struct flow *flows[] = {&session->there, &session->back};
    for (int i = 0; i < 2; i++) {
        close(flows[i]->source);
        if (flows[i]->pipe) give_back(flows[i]->pipe);
        free(flows[i]->left);
    }
}

static int loopback_port(const char *text, struct sockaddr_in *address) {
    *address = (struct sockaddr_in) {
        .sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(text)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return atoi(text);
}

int main(int argc, char **argv) {
    struct sockaddr_in listen_at, target;
    if (argc != 3 || !loopback_port(argv[1], &listen_at) || !loopback_port(argv[2], &target))
        errx(2, "usage: relay LISTEN_PORT TARGET_PORT, both on the loopback");
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int listener = new_socket(), on = 1, poll = epoll_create1(EPOLL_CLOEXEC);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *) &listen_at, sizeof listen_at) < 0 || listen(listener, 4096) < 0)
        err(1, "listen on %s", argv[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[MOST_EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poll, events, MOST_EVENTS, -1);
        // Later events of this round may still point to a session that ends now.
        struct session *dead = NULL;
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            if (!end) {
                int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (accepted >= 0) begin(poll, accepted, &target);
                continue;
            }
            struct session *session = end->session;
            if (session->there.source < 0) continue;
            struct flow *from = end->first ? &session->there : &session->back;
            struct flow *to = end->first ? &session->back : &session->there;
            if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) from->hung_up = 1;
            if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) from->readable = 1;
            if (events[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) to->writable = 1;
            int alive = step(&session->there) && step(&session->back);
            if (alive && (session->there.sink >= 0 || session->back.sink >= 0)) continue;
            finish(session);
            session->there.source = -1;
            session->next_dead = dead;
            dead = session;
        }
        while (dead) {
            struct session *next = dead->next_dead;
            free(dead);
            dead = next;
        }
    }
}
