/* Cameras that send, and viewers that read: the load of the `cameras` benchmark, in one thread.
 *
 *   camera_load PORT PULL_PORT CAMERAS_FILE VIEWERS_FILE VIEWERS FPS SECONDS JPEG_FILE
 *
 * The files hold whole HTTP requests, each ended by a zero byte; viewer number i sends request i modulo their count and
 * looks at the camera of that number. With PULL_PORT 0 a camera opens a WebSocket to PORT with its request; otherwise the
 * server fetches camera k from PULL_PORT as GET /k, multipart.
 *
 * The JPEG begins with SOI and a comment segment of 16 bytes. Each frame carries in it when it was sent (nanoseconds of
 * the monotonic clock, 8 bytes), its camera and its number (4 each): what arrives tells by itself how old it is, whether
 * it is the right picture, and what is missing before it. Of the rest of a frame a viewer reads no byte: the kernel throws
 * it away (MSG_TRUNC), so that the load costs less than what is measured, however many look.
 *
 * It prints `cameras` when all cameras send, waits for a line, connects the viewers, prints `ready` when each has seen a
 * frame, waits, measures for SECONDS, prints what it found as JSON, and waits once more before it lets go.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { STAMP_AT = 6, STAMPED = 22, LINE = 2048, AT_ONCE = 100, BUCKETS = 1 << 20, BUCKET_NS = 10000 };
static const double DRAIN_SECONDS = 0.5, PATIENCE_SECONDS = 60;

enum kind { CAMERA, VIEWER, LISTENER, TIMER, INPUT };
struct source { enum kind kind; int fd; };

struct camera {
    struct source source;
    bool open, answer_ping;
    uint32_t number, first, last; /* the measured frames: first <= number < last */
    uint8_t head[160];
    size_t head_length, sent; /* of the frame under way; sent == whole when there is none */
    uint8_t in[LINE];
    size_t in_length;
};

struct viewer {
    struct source source;
    bool answered, chunked, seen;
    char line[LINE];
    size_t line_length;
    enum { SIZE_LINE, DATA, DATA_END } chunk;
    size_t chunk_left;
    bool in_part;
    size_t part_length, part_left, stamped;
    uint8_t stamp[STAMPED];
    uint32_t number;
};

static struct camera *cameras;
static struct viewer *viewers;
static char **camera_requests, **viewer_requests;
static size_t camera_count, viewer_count, viewer_request_count;
static size_t cameras_open, cameras_asked, viewers_asked, viewers_answered, viewers_seen;
static int poller, port, pull_port;
static uint8_t *jpeg;
static size_t jpeg_length;
static bool measuring;
static uint64_t received, finished, skipped, held, disorder, *delays;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "camera_load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static uint8_t *slurp(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("can't open %s", path);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    uint8_t *content = malloc(*length + 1);
    if (!content || fread(content, 1, *length, file) != *length) fail("can't read %s", path);
    fclose(file);
    return content;
}

static char **requests_of(const char *path, size_t *count) {
    size_t length;
    char *content = (char *)slurp(path, &length);
    *count = 0;
    for (size_t at = 0; at < length; at++) *count += content[at] == 0;
    char **found = calloc(*count + 1, sizeof *found);
    for (size_t at = 0, number = 0; number < *count; at += strlen(content + at) + 1) found[number++] = content + at;
    return found;
}

static void watch(struct source *source, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, source->fd, &event)) fail("epoll: %s", strerror(errno));
}

static void set_up(int fd) {
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int ask(const char *request) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect: %s", strerror(errno));
    set_up(fd);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) fail("a request was not taken");
    return fd;
}

/* Cameras */

/* A server that fetches cameras may let go of one and come back for it; one that is pushed to may not. */
static void cut_off(struct camera *camera) {
    if (!pull_port) fail("camera %zu was cut off: %s", camera - cameras, strerror(errno));
    close(camera->source.fd);
    camera->open = false;
    cameras_open--;
}

static size_t tail_length(void) { return jpeg_length - STAMPED + (pull_port ? 2 : 0); }

static void push(struct camera *camera) {
    size_t whole = camera->head_length + tail_length();
    while (camera->sent < whole) {
        struct iovec parts[2];
        int count = 0;
        if (camera->sent < camera->head_length) {
            parts[count++] = (struct iovec){camera->head + camera->sent, camera->head_length - camera->sent};
            parts[count++] = (struct iovec){jpeg + STAMPED, tail_length()};
        } else {
            size_t at = camera->sent - camera->head_length;
            parts[count++] = (struct iovec){jpeg + STAMPED + at, tail_length() - at};
        }
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(camera->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) {
            cut_off(camera);
            return;
        }
        camera->sent += (size_t)sent;
    }
    if (camera->answer_ping) {
        static const uint8_t pong[6] = {0x8a, 0x80};
        camera->answer_ping = send(camera->source.fd, pong, sizeof pong, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof pong;
    }
}

static void send_frame(struct camera *camera) {
    if (camera->sent < camera->head_length + tail_length()) { /* a device, too, sends one frame after the other */
        held += measuring;
        return;
    }
    size_t at = 0;
    if (pull_port) {
        at = (size_t)sprintf((char *)camera->head,
                             "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", jpeg_length);
    } else {
        uint8_t head[8] = {0x82, 0x80 | 126, (uint8_t)(jpeg_length >> 8), (uint8_t)jpeg_length}; /* masked by zeros */
        memcpy(camera->head, head, at = sizeof head);
    }
    uint64_t now = now_ns();
    uint32_t id = (uint32_t)(camera - cameras), number = ++camera->number;
    memcpy(camera->head + at, jpeg, STAMPED);
    memcpy(camera->head + at + STAMP_AT, &now, 8);
    memcpy(camera->head + at + STAMP_AT + 8, &id, 4);
    memcpy(camera->head + at + STAMP_AT + 12, &number, 4);
    camera->head_length = at + STAMPED;
    camera->sent = 0;
    push(camera);
}

static void opened(struct camera *camera) {
    camera->open = true;
    camera->head_length = 0;
    camera->sent = tail_length();
    cameras_open++;
}

static void accept_pull(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    char request[LINE] = "";
    size_t length = 0;
    while (length < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t more = recv(fd, request + length, sizeof request - 1 - length, 0);
        if (more <= 0) fail("the server's request for a camera is cut off");
        request[length += (size_t)more] = 0;
    }
    unsigned id = 0;
    if (sscanf(request, "GET /%u ", &id) != 1 || id >= camera_count) fail("which camera: %s", request);
    if (cameras[id].open) cut_off(&cameras[id]);
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    set_up(fd);
    cameras[id].source = (struct source){CAMERA, fd};
    watch(&cameras[id].source, EPOLLIN | EPOLLOUT | EPOLLET);
    opened(&cameras[id]);
}

static void drop_in(struct camera *camera, size_t bytes) {
    camera->in_length -= bytes;
    memmove(camera->in, camera->in + bytes, camera->in_length);
}

static void read_camera(struct camera *camera) {
    for (;;) {
        ssize_t more = recv(camera->source.fd, camera->in + camera->in_length, LINE - 1 - camera->in_length, MSG_DONTWAIT);
        if (more < 0 && errno == EAGAIN) return;
        if (more <= 0) {
            if (camera->open) cut_off(camera);
            else fail("camera %zu: the connection was ended before the answer", camera - cameras);
            return;
        }
        camera->in_length += (size_t)more;
        camera->in[camera->in_length] = 0;
        if (!camera->open) {
            char *end = strstr((char *)camera->in, "\r\n\r\n");
            if (!end) continue;
            if (!strstr((char *)camera->in, "HTTP/1.1 101")) fail("camera %zu: %s", camera - cameras, camera->in);
            drop_in(camera, (size_t)(end + 4 - (char *)camera->in));
            opened(camera);
        }
        while (camera->in_length >= 2) {
            size_t head = 2, length = camera->in[1];
            if (length == 126) head = 4, length = (size_t)camera->in[2] << 8 | camera->in[3];
            if (camera->in_length < head + length) break;
            if ((camera->in[0] & 15) == 9) camera->answer_ping = true;
            if ((camera->in[0] & 15) == 8) {
                fail("camera %zu was closed with %d", camera - cameras, camera->in[head] << 8 | camera->in[head + 1]);
            }
            drop_in(camera, head + length);
        }
    }
}

/* Viewers */

static void frame_came(struct viewer *viewer) {
    uint64_t sent;
    uint32_t id, number;
    memcpy(&sent, viewer->stamp + STAMP_AT, 8);
    memcpy(&id, viewer->stamp + STAMP_AT + 8, 4);
    memcpy(&number, viewer->stamp + STAMP_AT + 12, 4);
    size_t expected = (size_t)(viewer - viewers) % viewer_request_count;
    if (memcmp(viewer->stamp, jpeg, STAMP_AT) || id != expected || viewer->part_length != jpeg_length) {
        fail("viewer %zu got something else than a frame of camera %zu", viewer - viewers, expected);
    }
    if (!viewer->seen) viewer->seen = true, viewers_seen++;
    if (number == viewer->number) return; /* the same frame again, which has Chrome show it when the camera pauses */
    disorder += number < viewer->number;
    if (measuring) {
        struct camera *camera = &cameras[id];
        finished++;
        if (number >= camera->first && (!camera->last || number < camera->last)) {
            uint64_t bucket = (now_ns() - sent) / BUCKET_NS;
            delays[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
            received++;
            if (viewer->number >= camera->first) skipped += number - viewer->number - 1;
        }
    }
    viewer->number = number;
}

/* One line of a part's head. */
static void part_line(struct viewer *viewer, const char *line) {
    if (!strncasecmp(line, "content-length:", 15)) viewer->part_length = strtoul(line + 15, NULL, 10);
    if (!*line && viewer->part_length) {
        viewer->in_part = true;
        viewer->part_left = viewer->part_length;
        viewer->stamped = 0;
    }
}

static void part_bytes(struct viewer *viewer, size_t count) {
    viewer->part_left -= count;
    if (viewer->part_left == 0) {
        frame_came(viewer);
        viewer->in_part = false;
        viewer->part_length = 0;
    }
}

/* A byte of a line; true when the line is whole. */
static bool line_byte(struct viewer *viewer, char byte) {
    if (byte != '\n') {
        if (viewer->line_length == LINE - 1) fail("viewer %zu got a line without an end", viewer - viewers);
        viewer->line[viewer->line_length++] = byte;
        return false;
    }
    if (viewer->line_length && viewer->line[viewer->line_length - 1] == '\r') viewer->line_length--;
    viewer->line[viewer->line_length] = 0;
    viewer->line_length = 0;
    return true;
}

/* Bytes of the multipart body. */
static void payload(struct viewer *viewer, const uint8_t *bytes, size_t count) {
    while (count) {
        size_t taken = 1;
        if (!viewer->in_part) {
            if (line_byte(viewer, (char)*bytes)) part_line(viewer, viewer->line);
        } else {
            taken = count < viewer->part_left ? count : viewer->part_left;
            if (viewer->stamped < STAMPED) {
                if (taken > STAMPED - viewer->stamped) taken = STAMPED - viewer->stamped;
                memcpy(viewer->stamp + viewer->stamped, bytes, taken);
                viewer->stamped += taken;
            }
            part_bytes(viewer, taken);
        }
        bytes += taken;
        count -= taken;
    }
}

/* Bytes after the response's head. */
static void body(struct viewer *viewer, const uint8_t *bytes, size_t count) {
    if (!viewer->chunked) payload(viewer, bytes, count);
    while (viewer->chunked && count) {
        size_t taken = 1;
        if (viewer->chunk == DATA) {
            taken = count < viewer->chunk_left ? count : viewer->chunk_left;
            payload(viewer, bytes, taken);
            viewer->chunk_left -= taken;
            if (!viewer->chunk_left) viewer->chunk = DATA_END;
        } else if (*bytes == '\n') {
            viewer->chunk = viewer->chunk == DATA_END ? SIZE_LINE : DATA;
        } else if (*bytes != '\r') {
            unsigned digit = *bytes <= '9' ? *bytes - '0' : (*bytes | 32) - 'a' + 10;
            if (digit > 15 || viewer->chunk == DATA_END) fail("viewer %zu got a wrong chunk", viewer - viewers);
            viewer->chunk_left = viewer->chunk_left * 16 + digit;
        }
        bytes += taken;
        count -= taken;
    }
}

/* How many of the next bytes on the connection are of no interest. */
static size_t of_no_interest(const struct viewer *viewer) {
    if (!viewer->in_part || viewer->stamped < STAMPED) return 0;
    if (!viewer->chunked) return viewer->part_left;
    if (viewer->chunk != DATA) return 0;
    return viewer->part_left < viewer->chunk_left ? viewer->part_left : viewer->chunk_left;
}

static void read_viewer(struct viewer *viewer) {
    for (;;) {
        uint8_t bytes[1024];
        size_t skip = of_no_interest(viewer), wanted = skip >= sizeof bytes ? skip : sizeof bytes;
        ssize_t more = recv(viewer->source.fd, skip >= sizeof bytes ? NULL : bytes, wanted,
                            MSG_DONTWAIT | (skip >= sizeof bytes ? MSG_TRUNC : 0));
        if (more < 0 && errno == EAGAIN) return;
        if (more <= 0) fail("viewer %zu was cut off", viewer - viewers);
        size_t at = 0, count = (size_t)more;
        if (skip >= sizeof bytes) {
            if (viewer->chunked && !(viewer->chunk_left -= count)) viewer->chunk = DATA_END;
            part_bytes(viewer, count);
            at = count;
        }
        while (at < count && !viewer->answered) {
            if (!line_byte(viewer, (char)bytes[at++])) continue;
            if (!strncmp(viewer->line, "HTTP/", 5) && strncmp(viewer->line + 8, " 200", 4)) {
                fail("viewer %zu was answered %s", viewer - viewers, viewer->line);
            }
            viewer->chunked |= !strcasecmp(viewer->line, "transfer-encoding: chunked");
            if (!*viewer->line) viewer->answered = true, viewers_answered++;
        }
        if (at < count) body(viewer, bytes + at, count - at);
        if (count < wanted) return; /* that was all; the poller tells when there is more */
    }
}

/* The course of events */

static void connect_some(bool to_viewers) {
    if (!pull_port && cameras_asked < camera_count && cameras_asked - cameras_open < AT_ONCE) {
        struct camera *camera = &cameras[cameras_asked];
        camera->source = (struct source){CAMERA, ask(camera_requests[cameras_asked++])};
        watch(&camera->source, EPOLLIN | EPOLLOUT | EPOLLET);
    }
    if (to_viewers && viewers_asked < viewer_count && viewers_asked - viewers_answered < AT_ONCE) {
        struct viewer *viewer = &viewers[viewers_asked];
        viewer->source = (struct source){VIEWER, ask(viewer_requests[viewers_asked++ % viewer_request_count])};
        watch(&viewer->source, EPOLLIN);
    }
}

static void report(double seconds, double used) {
    uint64_t expected = 0, sent = 0, at50 = 0, at99 = 0, passed = 0;
    for (size_t k = 0; k < camera_count; k++) sent += cameras[k].last - cameras[k].first;
    for (size_t i = 0; i < viewer_count; i++) {
        struct camera *camera = &cameras[i % viewer_request_count];
        expected += camera->last - camera->first;
    }
    for (uint64_t bucket = 0; bucket < BUCKETS; bucket++) {
        if (passed * 2 <= received && (passed + delays[bucket]) * 2 > received) at50 = bucket;
        if (passed * 100 <= received * 99 && (passed + delays[bucket]) * 100 > received * 99) at99 = bucket;
        passed += delays[bucket];
    }
    printf("{\"sent\": %lu, \"held\": %lu, \"expected\": %lu, \"received\": %lu, \"skipped\": %lu, \"disorder\": %lu, "
           "\"finished\": %lu, \"seconds\": %.4f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"cpu\": %.4f}\n",
           sent, held, expected, received, skipped, disorder, finished, seconds, (double)(at50 * BUCKET_NS) / 1e6,
           (double)(at99 * BUCKET_NS) / 1e6, used);
    fflush(stdout);
}

int main(int count, char **words) {
    if (count != 9) fail("eight arguments are needed");
    port = atoi(words[1]);
    pull_port = atoi(words[2]);
    camera_requests = requests_of(words[3], &camera_count);
    viewer_requests = requests_of(words[4], &viewer_request_count);
    viewer_count = strtoul(words[5], NULL, 10);
    double fps = atof(words[6]), seconds = atof(words[7]);
    jpeg = slurp(words[8], &jpeg_length);
    if (jpeg_length > 65000 || memcmp(jpeg, "\xff\xd8\xff\xfe\x00\x12", STAMP_AT)) fail("not the JPEG that is wanted");
    jpeg = realloc(jpeg, jpeg_length + 2);
    memcpy(jpeg + jpeg_length, "\r\n", 2);
    cameras = calloc(camera_count, sizeof *cameras);
    viewers = calloc(viewer_count, sizeof *viewers);
    delays = calloc(BUCKETS, sizeof *delays);
    poller = epoll_create1(EPOLL_CLOEXEC);

    struct source input = {INPUT, STDIN_FILENO}, listener = {LISTENER, -1}, timer = {TIMER, -1};
    watch(&input, EPOLLIN);
    if (pull_port) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)pull_port)};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int yes = 1;
        listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (bind(listener.fd, (struct sockaddr *)&address, sizeof address) || listen(listener.fd, 4096)) fail("listen");
        watch(&listener, EPOLLIN);
    }
    uint64_t step = (uint64_t)(1e9 / fps / (double)camera_count), due = now_ns() + step;
    struct itimerspec pace = {{0, (long)step}, {(time_t)(due / 1000000000), (long)(due % 1000000000)}};
    if (step >= 1000000000) fail("a frame a second at least");
    timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &pace, NULL);
    watch(&timer, EPOLLIN);

    enum { CAMERAS, CAMERAS_READY, VIEWERS, READY, MEASURE, DRAIN, DONE } stage = CAMERAS;
    uint64_t began = now_ns(), ended = 0, expected = 0, turn = 0;
    double used = 0;
    for (;;) {
        struct epoll_event events[256];
        bool connecting = (stage == CAMERAS && cameras_asked < camera_count && !pull_port) ||
                          (stage == VIEWERS && viewers_asked < viewer_count);
        int found = epoll_wait(poller, events, 256, connecting ? 0 : 100);
        for (int i = 0; i < found; i++) {
            struct source *source = events[i].data.ptr;
            if (source->kind == VIEWER) read_viewer((struct viewer *)source);
            if (source->kind == LISTENER) accept_pull(source->fd);
            if (source->kind == CAMERA) {
                struct camera *camera = (struct camera *)source;
                if (events[i].events & EPOLLIN && !(pull_port && !camera->open)) read_camera(camera);
                if (camera->open) push(camera);
            }
            if (source->kind == TIMER) {
                uint64_t times;
                if (read(timer.fd, &times, sizeof times) != sizeof times) continue;
                for (; times && stage < DRAIN; times--) {
                    struct camera *camera = &cameras[turn++ % camera_count];
                    if (camera->open) send_frame(camera);
                }
            }
            if (source->kind == INPUT) {
                char line[LINE];
                if (read(STDIN_FILENO, line, sizeof line) <= 0 || stage == DONE) return 0;
                if (stage == READY) {
                    for (size_t k = 0; k < camera_count; k++) cameras[k].first = cameras[k].number + 1;
                    measuring = true;
                    used = cpu_seconds();
                }
                stage++;
                began = now_ns();
            }
        }
        double elapsed = (double)(now_ns() - began) / 1e9;
        if (stage == CAMERAS || stage == VIEWERS) {
            connect_some(stage == VIEWERS);
            bool all = stage == CAMERAS ? pull_port || cameras_open == camera_count : viewers_seen == viewer_count;
            if (all) {
                printf(stage == CAMERAS ? "cameras\n" : "ready\n");
                fflush(stdout);
                stage++;
            } else if (elapsed > PATIENCE_SECONDS) {
                fail("%zu cameras of %zu and %zu viewers of %zu came", cameras_open, camera_count, viewers_seen, viewer_count);
            }
        }
        if (stage == MEASURE && elapsed >= seconds) {
            for (size_t k = 0; k < camera_count; k++) cameras[k].last = cameras[k].number + 1;
            for (size_t i = 0; i < viewer_count; i++) {
                struct camera *camera = &cameras[i % viewer_request_count];
                expected += camera->last - camera->first;
            }
            ended = now_ns();
            stage = DRAIN;
        }
        if (stage == DRAIN && (received >= expected || (double)(now_ns() - ended) / 1e9 > DRAIN_SECONDS)) {
            report((double)(now_ns() - began) / 1e9, cpu_seconds() - used);
            measuring = false;
            stage = DONE;
        }
    }
}
