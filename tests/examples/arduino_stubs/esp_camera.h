// A camera that shows the JPEG files of the folder STUB_FRAMES one after the other. They are made as large as a camera's
// at the size and quality that the sketch has set, by a JPEG comment. More buffers than it has are never out.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

enum framesize_t {
  FRAMESIZE_QQVGA = 160 * 120,
  FRAMESIZE_QVGA = 320 * 240,
  FRAMESIZE_CIF = 400 * 296,
  FRAMESIZE_VGA = 640 * 480,
  FRAMESIZE_SVGA = 800 * 600,
  FRAMESIZE_XGA = 1024 * 768,
  FRAMESIZE_SXGA = 1280 * 1024,
  FRAMESIZE_UXGA = 1600 * 1200,
};
enum pixformat_t { PIXFORMAT_JPEG = 4 };
enum ledc_timer_t { LEDC_TIMER_0 };
enum ledc_channel_t { LEDC_CHANNEL_0 };
enum camera_fb_location_t { CAMERA_FB_IN_PSRAM };
enum camera_grab_mode_t { CAMERA_GRAB_LATEST = 1 };
#define ESP_OK 0

struct camera_config_t {
  int pin_pwdn, pin_reset, pin_xclk, pin_sccb_sda, pin_sccb_scl;
  int pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2, pin_d1, pin_d0, pin_vsync, pin_href, pin_pclk;
  int xclk_freq_hz;
  ledc_timer_t ledc_timer;
  ledc_channel_t ledc_channel;
  pixformat_t pixel_format;
  framesize_t frame_size;
  int jpeg_quality;
  size_t fb_count;
  camera_fb_location_t fb_location;
  camera_grab_mode_t grab_mode;
};

struct camera_fb_t {
  uint8_t *buf;
  size_t len;
};

struct sensor_t {
  int (*set_framesize)(sensor_t *, framesize_t);
  int (*set_quality)(sensor_t *, int);
};

namespace stub {
inline camera_config_t chosen;
inline std::vector<std::string> pictures;
inline size_t taken = 0;
inline size_t buffers_out = 0;

inline std::string comment(size_t length) {
  std::string made;
  while (length > 4) {
    size_t segment = std::min(length, size_t(65000));
    made += std::string("\xff\xfe") + char((segment - 2) >> 8) + char((segment - 2) & 255);
    made += std::string(segment - 4, 'x');
    length -= segment;
  }
  return made;
}
}  // namespace stub

inline int esp_camera_init(const camera_config_t *config) {
  stub::chosen = *config;
  const char *folder = getenv("STUB_FRAMES");
  if (!folder) return 1;
  std::vector<std::filesystem::path> files;
  for (auto &entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (auto &file : files) {
    std::ifstream from(file, std::ios::binary);
    stub::pictures.emplace_back(std::istreambuf_iterator<char>(from), std::istreambuf_iterator<char>());
  }
  return ESP_OK;
}

inline camera_fb_t *esp_camera_fb_get() {
  if (stub::pictures.empty() || stub::buffers_out == stub::chosen.fb_count) return nullptr;
  const std::string &picture = stub::pictures[stub::taken++ % stub::pictures.size()];
  std::string made = picture.substr(0, 2) + stub::comment(stub::chosen.frame_size / stub::chosen.jpeg_quality) +
                     picture.substr(2);
  camera_fb_t *frame = new camera_fb_t{new uint8_t[made.size()], made.size()};
  std::copy(made.begin(), made.end(), frame->buf);
  stub::buffers_out++;
  return frame;
}

inline void esp_camera_fb_return(camera_fb_t *frame) {
  stub::buffers_out--;
  delete[] frame->buf;
  delete frame;
}

inline sensor_t *esp_camera_sensor_get() {
  static sensor_t sensor = {
      [](sensor_t *, framesize_t size) { return stub::chosen.frame_size = size, 0; },
      [](sensor_t *, int quality) { return stub::chosen.jpeg_quality = quality, 0; },
  };
  return &sensor;
}
