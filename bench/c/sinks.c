// Many receivers that copy nothing: they throw their bytes away unseen by recv(2) with MSG_TRUNC (tcp(7)). Says
// "hello sinks", "port PORT", and accepts and receives until its standard input ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        err(1, "epoll_ctl");
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *) &address, length) || listen(listener, 1024))
        err(1, "listen");
    if (getsockname(listener, (struct sockaddr *) &address, &length))
        err(1, "getsockname");
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    printf("hello sinks\nport %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener)
                watch(epoll, accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
            else if (recv(fd, NULL, 1 << 20, MSG_TRUNC) == 0)
                close(fd);
        }
    }
}
