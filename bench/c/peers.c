// The clients and the server on either side of a relay, in one process: a thread and an epoll(7) each.
//
// Says "hello PORT NAME" with the port of the server, and then answers each line of the standard input. PORT is that of
// the relay; the server behaves as the line wants, so one target does for all.
//
//   bulk PORT STREAMS BYTES COPY N   streams of so many bytes to the server  -> done NANOS
//                                    where each arrives N times; N may be left out for 1
//                                    COPY 0: sendfile(2) from a memfd, recv(2) with MSG_TRUNC; 1: write(2) and read(2)
//   requests PORT CLIENTS SIZE COUNT one request at a time per client, echoed -> done NANOS P50 P99 0
//   churn PORT CLIENTS COUNT         connect, a byte each way, close          -> done NANOS P50 P99 FAILED
//   idle PORT COUNT                  connect, a byte each way, stay           -> done NANOS
//   leave                            close what stayed                        -> done NANOS
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FILE_SIZE = 16 << 20, STEP = 1 << 20, COPY_STEP = 64 << 10, MOST_EVENTS = 256, MOST_CLIENTS = 4096, MOST_DESCRIPTORS = 1 << 16 };

static int file;
static char *payload;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// Before connect(2) and listen(2): a socket that was ever under bbr stays paced. Accepted sockets inherit it.
static int cubic_socket(int flags) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;
    if (fd < 0) err(1, "socket");
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0) err(1, "TCP_CONGESTION cubic");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(int poll, int fd, unsigned events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll_ctl");
}

// --- the server ----------------------------------------------------------------------------------

enum { ECHO, ONCE, DISCARD, COPY };
static atomic_int manner; // of connections that are accepted from now on
static char manner_of[MOST_DESCRIPTORS];
static atomic_llong streams_left, bytes_left, ended_at;
static sem_t all_received;

static void received(long long count) {
    if (count > 0) atomic_fetch_sub(&bytes_left, count);
    if (count == 0 && atomic_fetch_sub(&streams_left, 1) == 1) {
        ended_at = now();
        sem_post(&all_received);
    }
}

// Returns whether the connection goes on.
static int serve(int fd, char *buffer) {
    int how = manner_of[fd];
    if (how == DISCARD || how == COPY) {
        ssize_t count = how == COPY ? read(fd, buffer, COPY_STEP) : recv(fd, NULL, STEP, MSG_TRUNC);
        if (count < 0) return errno == EAGAIN;
        received(count);
        return count > 0;
    }
    ssize_t count = read(fd, buffer, COPY_STEP);
    if (count < 0) return errno == EAGAIN;
    // Requests are far smaller than a send buffer, and at most one per connection is under way.
    if (count > 0 && send(fd, buffer, (size_t) count, MSG_NOSIGNAL) != count) return 0;
    return count > 0 && how != ONCE;
}

static void *run_server(void *listener_fd) {
    int listener = *(int *) listener_fd, poll = epoll_create1(EPOLL_CLOEXEC);
    static char buffer[COPY_STEP];
    struct epoll_event events[MOST_EVENTS];
    watch(poll, listener, EPOLLIN, (uint64_t) listener);
    for (;;) {
        int count = epoll_wait(poll, events, MOST_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = (int) events[i].data.u64;
            if (fd == listener) {
                int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;
                if (accepted < 0) continue;
                if (accepted >= MOST_DESCRIPTORS) errx(1, "too many connections");
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                manner_of[accepted] = (char) manner;
                watch(poll, accepted, EPOLLIN, (uint64_t) accepted);
            } else if (!serve(fd, buffer)) {
                close(fd);
            }
        }
    }
}

// --- the clients ---------------------------------------------------------------------------------

static struct {
    int fd;
    int expected; // bytes of the answer that are still to come
    long long sent_at, left;
} clients[MOST_CLIENTS];

static int idle[MOST_CLIENTS], idle_count;

static int connect_to(int port, int flags) {
    int fd = cubic_socket(flags);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *) &to, sizeof to) < 0 && errno != EINPROGRESS) err(1, "connect to %d", port);
    return fd;
}

static int by_size(const void *a, const void *b) {
    long long x = *(const long long *) a, y = *(const long long *) b;
    return (x > y) - (x < y);
}

static void print_latencies(long long nanos, long long *latencies, int count, int failed) {
    qsort(latencies, (size_t) count, sizeof *latencies, by_size);
    printf("done %lld %lld %lld %d\n", nanos, latencies[count / 2], latencies[(long long) count * 99 / 100], failed);
}

static void ping(int fd) {
    char byte = 's';
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) err(1, "no answer through the relay");
}

static void bulk(int port, int streams, long long bytes, int copy, int times) {
    bytes_left = streams * bytes * times;
    streams_left = streams * times;
    manner = copy ? COPY : DISCARD;
    int poll = epoll_create1(EPOLL_CLOEXEC), open = streams;
    for (int i = 0; i < streams; i++) {
        clients[i].fd = connect_to(port, 0);
        fcntl(clients[i].fd, F_SETFL, O_NONBLOCK);
        clients[i].left = bytes;
        watch(poll, clients[i].fd, EPOLLOUT, (uint64_t) i);
    }
    long long start = now();
    struct epoll_event events[MOST_EVENTS];
    while (open > 0) {
        int count = epoll_wait(poll, events, MOST_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            __typeof__(*clients) *client = &clients[events[i].data.u64];
            off_t offset = (bytes - client->left) % FILE_SIZE;
            long long most = copy ? COPY_STEP : STEP;
            if (most > client->left) most = client->left;
            if (most > FILE_SIZE - offset) most = FILE_SIZE - offset;
            ssize_t sent = copy ? write(client->fd, payload + offset, (size_t) most)
                                : sendfile(client->fd, file, &offset, (size_t) most);
            if (sent < 0 && errno != EAGAIN) err(1, "sending");
            if (sent > 0 && (client->left -= sent) == 0) {
                // The server waits for the end of the stream, and so does the client for the end of the answer.
                shutdown(client->fd, SHUT_WR);
                epoll_ctl(poll, EPOLL_CTL_DEL, client->fd, NULL);
                open--;
            }
        }
    }
    sem_wait(&all_received);
    close(poll);
    for (int i = 0; i < streams; i++) close(clients[i].fd);
    if (bytes_left != 0) errx(1, "%lld bytes did not arrive", (long long) bytes_left);
    printf("done %lld\n", (long long) ended_at - start);
}

static void requests(int port, int many, int size, int total) {
    static char buffer[COPY_STEP];
    manner = ECHO;
    int poll = epoll_create1(EPOLL_CLOEXEC), sent = 0, done = 0;
    long long *latencies = malloc(sizeof *latencies * (size_t) total);
    for (int i = 0; i < many; i++) {
        clients[i].fd = connect_to(port, 0);
        ping(clients[i].fd);
        fcntl(clients[i].fd, F_SETFL, O_NONBLOCK);
        watch(poll, clients[i].fd, EPOLLIN, (uint64_t) i);
    }
    long long start = now();
    for (int i = 0; i < many && sent < total; i++, sent++) {
        clients[i].expected = size;
        clients[i].sent_at = now();
        if (write(clients[i].fd, payload, (size_t) size) != size) err(1, "request");
    }
    struct epoll_event events[MOST_EVENTS];
    while (done < total) {
        int count = epoll_wait(poll, events, MOST_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            __typeof__(*clients) *client = &clients[events[i].data.u64];
            ssize_t got = read(client->fd, buffer, sizeof buffer);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) errx(1, "the relay closed a connection");
            if ((client->expected -= (int) got) > 0) continue;
            long long time = now();
            latencies[done++] = time - client->sent_at;
            if (sent == total) continue;
            sent++;
            client->expected = size;
            client->sent_at = time;
            if (write(client->fd, payload, (size_t) size) != size) err(1, "request");
        }
    }
    long long nanos = now() - start;
    close(poll);
    for (int i = 0; i < many; i++) close(clients[i].fd);
    print_latencies(nanos, latencies, total, 0);
    free(latencies);
}

static void greet(int poll, int port, int i) {
    clients[i].sent_at = now();
    clients[i].fd = connect_to(port, SOCK_NONBLOCK);
    clients[i].expected = -1; // not connected yet
    watch(poll, clients[i].fd, EPOLLOUT, (uint64_t) i);
}

// Connects, sends a byte, and reads up to the end of the stream; returns whether it waits for more.
static int exchange(int poll, struct epoll_event *event, int *failed) {
    __typeof__(*clients) *client = &clients[event->data.u64];
    char bytes[2] = "s";
    if (client->expected < 0) {
        if (write(client->fd, bytes, 1) != 1) return ++*failed, 0;
        client->expected = 1;
        event->events = EPOLLIN;
        epoll_ctl(poll, EPOLL_CTL_MOD, client->fd, event);
        return 1;
    }
    ssize_t got = read(client->fd, bytes, sizeof bytes);
    if (got < 0 && errno == EAGAIN) return 1;
    if (got > 0) client->expected -= (int) got;
    if (got < 0 || (got == 0 && client->expected != 0)) ++*failed;
    return got > 0;
}

// The server closes first, so that TIME_WAIT stays with the listeners, where a new SYN ends it: the ephemeral ports of
// clients and relay are free again at once.
static void churn(int port, int many, int total) {
    manner = ONCE;
    int poll = epoll_create1(EPOLL_CLOEXEC), begun = 0, done = 0, failed = 0;
    long long *latencies = malloc(sizeof *latencies * (size_t) total), start = now();
    for (; begun < many && begun < total; begun++) greet(poll, port, begun);
    struct epoll_event events[MOST_EVENTS];
    while (done < total) {
        int count = epoll_wait(poll, events, MOST_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (exchange(poll, &events[i], &failed)) continue;
            int slot = (int) events[i].data.u64;
            close(clients[slot].fd);
            latencies[done++] = now() - clients[slot].sent_at;
            if (begun++ < total) greet(poll, port, slot);
        }
    }
    long long nanos = now() - start;
    close(poll);
    print_latencies(nanos, latencies, total, failed);
    free(latencies);
}

static void stay(int port, int count) {
    manner = ECHO;
    long long start = now();
    for (; idle_count < count; idle_count++) ping(idle[idle_count] = connect_to(port, 0));
    printf("done %lld\n", now() - start);
}

static void leave(void) {
    long long start = now();
    while (idle_count > 0) close(idle[--idle_count]);
    printf("done %lld\n", now() - start);
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    file = memfd_create("payload", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, FILE_SIZE) < 0) err(1, "memfd");
    payload = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (payload == MAP_FAILED) err(1, "mmap");
    memset(payload, 's', FILE_SIZE);
    sem_init(&all_received, 0, 0);

    int listener = cubic_socket(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *) &address, length) < 0 || listen(listener, 4096) < 0) err(1, "listen");
    if (getsockname(listener, (struct sockaddr *) &address, &length) < 0) err(1, "getsockname");
    pthread_t server;
    if (pthread_create(&server, NULL, run_server, &listener)) errx(1, "pthread_create");
    printf("hello %d epoll in C\n", ntohs(address.sin_port));
    fflush(stdout);

    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        int port, many, size, total, copy, times = 1;
        long long bytes;
        if (sscanf(line, "bulk %d %d %lld %d %d", &port, &many, &bytes, &copy, &times) >= 4) bulk(port, many, bytes, copy, times);
        else if (sscanf(line, "requests %d %d %d %d", &port, &many, &size, &total) == 4) requests(port, many, size, total);
        else if (sscanf(line, "churn %d %d %d", &port, &many, &total) == 3) churn(port, many, total);
        else if (sscanf(line, "idle %d %d", &port, &many) == 2) stay(port, many);
        else if (strcmp(line, "leave\n") == 0) leave();
        else errx(1, "not understood: %s", line);
        manner = ECHO;
        fflush(stdout);
    }
    return 0;
}
