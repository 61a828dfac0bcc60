/* Send a file, a device or a stream to a room by RTMP, without encoding it again.
 *
 *     cc -Wall -Wextra -o push push.c $(pkg-config --cflags --libs libavformat libavcodec libavutil)
 *     ./push recording.mp4 "$URL/$STREAM_KEY"
 *
 * The packets are sent at the pace of their time stamps, as an encoder does. A program that has an encoder of its own
 * keeps `open_output` and the last loop, and fills the packets itself. It is C and C++, for FFmpeg 5 and newer.
 */
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <libavformat/avformat.h>
#include <libavutil/time.h>
#ifdef __cplusplus
}
#endif

static int fail(const char *what, int error)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(error, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    return 1;
}

/* An FLV muxer on `url`, with a track for each track of `input`. */
static int open_output(AVFormatContext **output, const AVFormatContext *input, const char *url)
{
    int error = avformat_alloc_output_context2(output, NULL, "flv", url);
    for (unsigned i = 0; error >= 0 && i < input->nb_streams; i++) {
        AVStream *track = avformat_new_stream(*output, NULL);
        error = track ? avcodec_parameters_copy(track->codecpar, input->streams[i]->codecpar) : AVERROR(ENOMEM);
        if (error >= 0)
            track->codecpar->codec_tag = 0; /* the tag of the other container */
    }
    if (error >= 0)
        error = avio_open2(&(*output)->pb, url, AVIO_FLAG_WRITE, NULL, NULL);
    if (error >= 0) {
        AVDictionary *options = NULL;
        av_dict_set(&options, "flvflags", "no_duration_filesize", 0); /* a stream cannot go back to its head */
        error = avformat_write_header(*output, &options);
        av_dict_free(&options);
    }
    return error < 0 ? error : 0;
}

int main(int argc, char **argv)
{
    AVFormatContext *input = NULL, *output = NULL;
    AVPacket *packet = av_packet_alloc();
    int error;

    if (argc != 3) {
        fprintf(stderr, "usage: %s INPUT rtmp://HOST:1935/live/STREAM_KEY\n", argv[0]);
        return 2;
    }
    avformat_network_init();
    if ((error = avformat_open_input(&input, argv[1], NULL, NULL)) < 0)
        return fail(argv[1], error);
    if ((error = avformat_find_stream_info(input, NULL)) < 0)
        return fail(argv[1], error);
    if ((error = open_output(&output, input, argv[2])) < 0)
        return fail("the server did not take the stream", error);

    int64_t began = av_gettime_relative() - (input->start_time == AV_NOPTS_VALUE ? 0 : input->start_time);
    while ((error = av_read_frame(input, packet)) >= 0) {
        AVRational from = input->streams[packet->stream_index]->time_base;
        int64_t due = began + av_rescale_q(packet->dts, from, AV_TIME_BASE_Q);
        int64_t wait = due - av_gettime_relative();
        if (packet->dts != AV_NOPTS_VALUE && wait > 0)
            av_usleep((unsigned)wait);
        av_packet_rescale_ts(packet, from, output->streams[packet->stream_index]->time_base);
        packet->pos = -1;
        if ((error = av_interleaved_write_frame(output, packet)) < 0)
            return fail("the connection ended", error);
    }
    av_write_trailer(output);
    avio_closep(&output->pb);
    avformat_free_context(output);
    avformat_close_input(&input);
    av_packet_free(&packet);
    return error == AVERROR_EOF ? 0 : fail(argv[1], error);
}
