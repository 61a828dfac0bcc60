// The AI-Thinker ESP32-CAM's camera: its pins, and steps down to smaller pictures when the server's limit asks for them.
#pragma once

#include <esp_camera.h>

#include "config.h"

static const framesize_t SIZES[] = {FRAMESIZE_UXGA, FRAMESIZE_SXGA, FRAMESIZE_XGA, FRAMESIZE_SVGA,
                                    FRAMESIZE_VGA,  FRAMESIZE_CIF,  FRAMESIZE_QVGA, FRAMESIZE_QQVGA};
static const int SIZE_COUNT = sizeof(SIZES) / sizeof(SIZES[0]);
static const int QUALITY_STEP = 8;
static const int WORST_QUALITY = 40;  // worse than this, a smaller picture looks better
static const int FRAME_BUFFERS = 2;

// The steps are numbered from the configured picture (0) to the smallest; each size is tried at falling quality.
static int steps_per_size() { return (WORST_QUALITY - JPEG_QUALITY) / QUALITY_STEP + 1; }

static int first_size() {
  for (int at = 0; at < SIZE_COUNT; at++) {
    if (SIZES[at] == FRAME_SIZE) return at;
  }
  return SIZE_COUNT - 1;
}

static int last_step() { return (SIZE_COUNT - first_size()) * steps_per_size() - 1; }

static void set_step(int step) {
  sensor_t *sensor = esp_camera_sensor_get();
  sensor->set_framesize(sensor, SIZES[first_size() + step / steps_per_size()]);
  sensor->set_quality(sensor, JPEG_QUALITY + step % steps_per_size() * QUALITY_STEP);
}

static bool start_camera() {
  camera_config_t config = {};
  config.pin_pwdn = 32;
  config.pin_reset = -1;
  config.pin_xclk = 0;
  config.pin_sccb_sda = 26;
  config.pin_sccb_scl = 27;
  config.pin_d7 = 35;
  config.pin_d6 = 34;
  config.pin_d5 = 39;
  config.pin_d4 = 36;
  config.pin_d3 = 21;
  config.pin_d2 = 19;
  config.pin_d1 = 18;
  config.pin_d0 = 5;
  config.pin_vsync = 25;
  config.pin_href = 23;
  config.pin_pclk = 22;
  config.xclk_freq_hz = 20000000;
  config.ledc_timer = LEDC_TIMER_0;
  config.ledc_channel = LEDC_CHANNEL_0;
  config.pixel_format = PIXFORMAT_JPEG;
  config.frame_size = FRAME_SIZE;
  config.jpeg_quality = JPEG_QUALITY;
  config.fb_count = FRAME_BUFFERS;
  config.fb_location = CAMERA_FB_IN_PSRAM;
  config.grab_mode = CAMERA_GRAB_LATEST;  // a live picture: the newest frame, not the oldest
  return esp_camera_init(&config) == ESP_OK;
}
