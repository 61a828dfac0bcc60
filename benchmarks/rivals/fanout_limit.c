/* The least a program can do for cameras: frames from WebSockets go to MJPEG viewers, the newest wins.
 *
 *   fanout_limit PORT
 *
 * One thread, one poller, a frame's bytes once in memory whoever looks. GET /ingest?room=K is camera K's WebSocket, and
 * GET /live?room=K a viewer. No keys, no checks, no limits, no pings: what is left are the system calls.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOMS = 4096, LARGEST = 65536, LOWAT = 16384 };

struct frame {
    size_t users, length;
    char bytes[];
};

struct connection {
    int fd;
    enum { NEW, CAMERA, VIEWER } role;
    unsigned room;
    char *in; /* of a camera: what came of a message; of a new one: of its request */
    size_t in_length;
    struct frame *now, *newest; /* of a viewer: on its way, and what comes after it */
    size_t sent;
    struct connection *previous, *next;
};

static struct connection *viewers[ROOMS];
static int poller;

static void release(struct frame *frame) {
    if (frame && --frame->users == 0) free(frame);
}

static void leave(struct connection *one) {
    if (one->role == VIEWER) {
        if (one->previous) one->previous->next = one->next;
        else viewers[one->room] = one->next;
        if (one->next) one->next->previous = one->previous;
    }
    release(one->now);
    release(one->newest);
    close(one->fd);
    free(one->in);
    free(one);
}

static void drain(struct connection *viewer) {
    while (viewer->now) {
        struct frame *frame = viewer->now;
        ssize_t sent = send(viewer->fd, frame->bytes + viewer->sent, frame->length - viewer->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return; /* full, or gone, which the poller tells as well */
        viewer->sent += (size_t)sent;
        if (viewer->sent < frame->length) return;
        release(frame);
        viewer->now = viewer->newest;
        viewer->newest = NULL;
        viewer->sent = 0;
    }
}

static void publish(unsigned room, const unsigned char *message, size_t length, const unsigned char *mask) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    struct frame *frame = malloc(sizeof *frame + length + 256);
    int head = sprintf(frame->bytes, "Content-Type: image/jpeg\r\nContent-Length: %zu\r\nX-Timestamp: %ld.%03ld\r\n\r\n",
                       length, (long)at.tv_sec, at.tv_nsec / 1000000);
    char *picture = frame->bytes + head;
    for (size_t i = 0; i < length; i++) picture[i] = (char)(message[i] ^ mask[i & 3]);
    memcpy(picture + length, "\r\n--frame\r\n", 11);
    frame->length = (size_t)head + length + 11;
    frame->users = 1;
    for (struct connection *viewer = viewers[room]; viewer; viewer = viewer->next) {
        frame->users++;
        if (!viewer->now) {
            viewer->now = frame;
            drain(viewer);
        } else {
            release(viewer->newest);
            viewer->newest = frame;
        }
    }
    release(frame);
}

static void messages(struct connection *camera) {
    const unsigned char *in = (unsigned char *)camera->in;
    while (camera->in_length >= 8) {
        size_t short_length = in[1] & 127, head = short_length == 126 ? 8 : 6;
        size_t length = short_length == 126 ? (size_t)in[2] << 8 | in[3] : short_length;
        if (camera->in_length < head + length) return;
        if ((in[0] & 15) == 2) publish(camera->room, in + head, length, in + head - 4);
        camera->in_length -= head + length;
        memmove(camera->in, camera->in + head + length, camera->in_length);
    }
}

static void request(struct connection *one) {
    static const char upgraded[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"; /* of RFC 6455's key */
    static const char streaming[] = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
                                    "--frame\r\n";
    one->in[one->in_length] = 0;
    char *room = strstr(one->in, "room=");
    if (!strstr(one->in, "\r\n\r\n") || !room) return;
    one->room = (unsigned)atoi(room + 5) % ROOMS;
    one->role = strncmp(one->in, "GET /ingest", 11) ? VIEWER : CAMERA;
    one->in_length = 0;
    const char *answer = one->role == CAMERA ? upgraded : streaming;
    send(one->fd, answer, strlen(answer), MSG_NOSIGNAL);
    if (one->role == VIEWER) {
        free(one->in);
        one->in = NULL;
        one->next = viewers[one->room];
        if (one->next) one->next->previous = one;
        viewers[one->room] = one;
    }
}

/* False when it is gone. */
static bool take(struct connection *one) {
    for (;;) {
        char nothing[256];
        ssize_t more = one->role == VIEWER
                           ? recv(one->fd, nothing, sizeof nothing, MSG_DONTWAIT)
                           : recv(one->fd, one->in + one->in_length, LARGEST - one->in_length, MSG_DONTWAIT);
        if (more < 0) return errno == EAGAIN;
        if (more == 0) return false;
        if (one->role != VIEWER) one->in_length += (size_t)more;
        if (one->role == NEW) request(one);
        else if (one->role == CAMERA) messages(one);
    }
}

int main(int count, char **words) {
    int lowat = LOWAT, yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(count == 2 ? atoi(words[1]) : 0))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("fanout_limit");
        return 1;
    }
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int found = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < found; i++) {
            struct connection *one = events[i].data.ptr;
            if (!one) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                one = calloc(1, sizeof *one);
                one->fd = fd;
                one->in = malloc(LARGEST + 1);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = one};
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            bool here = !(events[i].events & (EPOLLERR | EPOLLHUP));
            if (here && events[i].events & (EPOLLIN | EPOLLRDHUP)) here = take(one);
            if (!here) leave(one);
            else if (events[i].events & EPOLLOUT) drain(one);
        }
    }
}
