// The two ends of a bulk stream that copy nothing, so that only the mover between them does: the sender sends pages of
// a memfd by sendfile(2), the receiver throws its bytes away unseen by recv(2) with MSG_TRUNC (tcp(7)).
//
// Each line of the standard input, "tcp tcp CHUNK TOTAL", is answered by "ready SOURCE SINK", two addresses to connect
// to, and at the end of the stream by "done NANOSECONDS".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const size_t FILE_SIZE = 16 << 20;
static const size_t STEP = 1 << 20;

static int file, sender;
static long long total;

static int listen_on_loopback(int *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    // Accepted sockets inherit it.
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0) err(1, "TCP_CONGESTION cubic");
    if (bind(fd, (struct sockaddr *) &address, length) < 0 || listen(fd, 1) < 0) err(1, "listen");
    if (getsockname(fd, (struct sockaddr *) &address, &length) < 0) err(1, "getsockname");
    *port = ntohs(address.sin_port);
    return fd;
}

static int accept_and_close(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) err(1, "accept");
    close(listener);
    return fd;
}

static void *send_all(void *unused) {
    for (long long sent = 0; sent < total;) {
        off_t offset = sent % (long long) FILE_SIZE;
        size_t room = FILE_SIZE - (size_t) offset < STEP ? FILE_SIZE - (size_t) offset : STEP;
        size_t want = total - sent < (long long) room ? (size_t) (total - sent) : room;
        ssize_t count = sendfile(sender, file, &offset, want);
        if (count <= 0) err(1, "sendfile");
        sent += count;
    }
    close(sender);
    return unused;
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
    file = memfd_create("payload", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t) FILE_SIZE) < 0) err(1, "memfd");
    char *pages = mmap(NULL, FILE_SIZE, PROT_WRITE, MAP_SHARED, file, 0);
    if (pages == MAP_FAILED) err(1, "mmap");
    memset(pages, 's', FILE_SIZE);

    printf("hello sendfile(2) from a memfd, recv(2) with MSG_TRUNC\n");
    fflush(stdout);
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "tcp tcp %*d %lld", &total) != 1) errx(1, "expected \"tcp tcp CHUNK TOTAL\", got %s", line);
        int source_port, sink_port;
        int source = listen_on_loopback(&source_port), sink = listen_on_loopback(&sink_port);
        printf("ready tcp:127.0.0.1:%d tcp:127.0.0.1:%d\n", source_port, sink_port);
        fflush(stdout);
        sender = accept_and_close(source);
        int receiver = accept_and_close(sink);

        long long start = now(), received = 0;
        pthread_t thread;
        if (pthread_create(&thread, NULL, send_all, NULL)) errx(1, "pthread_create");
        ssize_t count;
        while ((count = recv(receiver, NULL, STEP, MSG_TRUNC)) > 0) received += count;
        if (count < 0) err(1, "recv");
        if (received != total) errx(1, "received %lld bytes of %lld", received, total);
        long long nanos = now() - start;
        pthread_join(thread, NULL);
        close(receiver);
        printf("done %lld\n", nanos);
        fflush(stdout);
    }
    return 0;
}
