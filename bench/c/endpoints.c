// The two ends of a bulk stream that copy nothing, so that only the mover between them does: the sender sends pages of
// a memfd by sendfile(2), the receiver throws its bytes away unseen by recv(2) with MSG_TRUNC (tcp(7)).
//
// Each line of the standard input, "SOURCE SINKS CHUNK TOTAL", is answered by "ready SOURCE SINKS" with an address to
// connect to in place of each "tcp", and at the end of the streams by "done NANOSECONDS". The source is "tcp" or a file,
// which is the mover's business; of the sinks, one or two with a comma between, at least one is "tcp".
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

struct receiver {
    int listener, fd;
    long long ended_at;
    pthread_t thread;
};

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

static void *receive_all(void *argument) {
    struct receiver *receiver = argument;
    long long received = 0;
    ssize_t count;
    while ((count = recv(receiver->fd, NULL, STEP, MSG_TRUNC)) > 0) received += count;
    if (count < 0) err(1, "recv");
    if (received != total) errx(1, "received %lld bytes of %lld", received, total);
    receiver->ended_at = now();
    close(receiver->fd);
    return NULL;
}

// Prints an address for the place, and returns a listener if that is to be connected to.
static int offer(const char *place, char before) {
    int port;
    if (strcmp(place, "tcp") != 0) {
        printf("%c%s", before, place);
        return -1;
    }
    int listener = listen_on_loopback(&port);
    printf("%ctcp:127.0.0.1:%d", before, port);
    return listener;
}

static long long run(const char *source_place, char *sinks) {
    struct receiver receivers[2];
    int count = 0;
    printf("ready");
    int source = offer(source_place, ' ');
    char before = ' ';
    for (char *place = strtok(sinks, ","); place && count < 2; place = strtok(NULL, ","), before = ',') {
        receivers[count].listener = offer(place, before);
        if (receivers[count].listener >= 0) count++;
    }
    printf("\n");
    fflush(stdout);
    if (source >= 0) sender = accept_and_close(source);
    for (int i = 0; i < count; i++) receivers[i].fd = accept_and_close(receivers[i].listener);

    long long start = now(), end = start;
    pthread_t thread;
    if (source >= 0 && pthread_create(&thread, NULL, send_all, NULL)) errx(1, "pthread_create");
    for (int i = 1; i < count; i++) {
        if (pthread_create(&receivers[i].thread, NULL, receive_all, &receivers[i])) errx(1, "pthread_create");
    }
    receive_all(&receivers[0]);
    for (int i = 1; i < count; i++) pthread_join(receivers[i].thread, NULL);
    if (source >= 0) pthread_join(thread, NULL);
    for (int i = 0; i < count; i++) {
        if (receivers[i].ended_at > end) end = receivers[i].ended_at;
    }
    return end - start;
}

int main(void) {
    file = memfd_create("payload", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t) FILE_SIZE) < 0) err(1, "memfd");
    char *pages = mmap(NULL, FILE_SIZE, PROT_WRITE, MAP_SHARED, file, 0);
    if (pages == MAP_FAILED) err(1, "mmap");
    memset(pages, 's', FILE_SIZE);

    printf("hello sendfile(2) from a memfd, recv(2) with MSG_TRUNC\n");
    fflush(stdout);
    char line[1024], source[512], sinks[512];
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%511s %511s %*d %lld", source, sinks, &total) != 3 || !strstr(sinks, "tcp"))
            errx(1, "expected \"SOURCE SINKS CHUNK TOTAL\" with a tcp sink, got %s", line);
        printf("done %lld\n", run(source, sinks));
        fflush(stdout);
    }
    return 0;
}
