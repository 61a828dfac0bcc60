// An AI-Thinker ESP32-CAM that sends its pictures to a room of Stagedoor: one JPEG in one WebSocket message.
// Needs: ESP32 core 3.3.7, library WebSockets 2.7.2 by Markus Sattler. Settings are in config.h.

#include <WebSocketsClient.h>
#include <WiFi.h>
#include <esp_task_wdt.h>

#include "camera.h"
#include "config.h"
#include "message.h"
#include "pause.h"

static const uint32_t WATCHDOG = 150000;        // the core gives a TLS handshake 120 s
static const uint32_t WIFI_PATIENCE = 300000;   // then start anew
static const uint32_t READY_PATIENCE = 15000;
static const uint32_t STABLE = 60000;           // a connection that lasted this long forgives the failures before it
static const uint32_t STATS_INTERVAL = 30000;
static const int CAMERA_PATIENCE = 5;           // captures that fail in a row, each after 4 s

static WebSocketsClient ws;

static bool ready = false;        // the server told its limits
static uint32_t connected_at = 0;
static uint32_t wifi_seen_at = 0;
static int failures = 0;
static int told_code = 0;         // what the server said before it closed

static uint32_t max_bytes = 0;
static uint32_t frame_interval = 0;
static uint32_t slowest_interval = 1000 / MAX_FPS;  // grows when the server finds us too fast
static uint32_t last_frame_at = 0;

static int step = 0;
static int settling = 0;          // frames that were taken before the last step
static uint32_t largest = 0;      // since the last stats

static uint32_t frames = 0;
static uint32_t drops = 0;
static int failed_captures = 0;
static uint32_t last_stats_at = 0;

static void to_step(int wanted) {
  step = wanted;
  settling = FRAME_BUFFERS + 1;
  set_step(step);
  Serial.printf("picture: step %d of %d\n", step, last_step());
}

static void on_ready(const char *json) {
  max_bytes = number_in(json, "maxFrameBytes", 262144);
  long fps = number_in(json, "maxFps", 15);
  frame_interval = max(slowest_interval, (uint32_t)(1000 / max(fps, 1L)));
  ready = true;
  last_stats_at = millis();
  Serial.printf("ready: a frame every %u ms, at most %u bytes\n", (unsigned)frame_interval, (unsigned)max_bytes);
}

static void on_disconnected(const char *reason, size_t length) {
  // The library tells the status of a refusal, but not the code of a close: the server says that in a message before.
  int code = told_code ? told_code : status_in(reason, length);
  if (ready && millis() - connected_at > STABLE) failures = 0;
  failures++;
  ready = false;
  told_code = 0;
  if (code == 4413 && step < last_step()) to_step(step + 1);
  if (code == 4429) slowest_interval = min(slowest_interval * 2, (uint32_t)1000);
  Pause pause = pause_after(code, failures);
  uint32_t wait = random(pause.least, pause.most + 1);
  ws.setReconnectInterval(wait);
  Serial.printf("disconnected: code %d, %.*s; again in %u ms\n", code, (int)length, reason, (unsigned)wait);
}

// What the server says of a frame that it did not take: {"type":"dropped",…,"message":"it breaks off …","count":1}
static void print_dropped(const char *text) {
  static const char key[] = "\"message\":\"";
  const char *message = strstr(text, key);
  if (!message) return;
  message += sizeof(key) - 1;
  const char *end = strchr(message, '"');
  Serial.printf("dropped: %.*s\n", (int)(end ? end - message : 0), message);
}

static void on_event(WStype_t type, uint8_t *payload, size_t length) {
  const char *text = payload ? (const char *)payload : "";
  switch (type) {
    case WStype_CONNECTED:
      connected_at = millis();
      break;
    case WStype_DISCONNECTED:
      on_disconnected(text, length);
      break;
    case WStype_TEXT:
      if (is_of_type(text, "ready")) on_ready(text);
      if (is_of_type(text, "error")) told_code = number_in(text, "code", 0);
      if (is_of_type(text, "dropped")) print_dropped(text);
      break;
    default:  // the library answers pings itself
      break;
  }
}

static void send_frame() {
  camera_fb_t *frame = esp_camera_fb_get();
  if (!frame) {
    if (++failed_captures >= CAMERA_PATIENCE) {
      Serial.println("the camera gives no pictures: restart");
      ESP.restart();
    }
    return;
  }
  failed_captures = 0;
  size_t size = frame->len;
  bool fits = size <= max_bytes;
  bool sent = fits && ws.sendBIN(frame->buf, size);
  esp_camera_fb_return(frame);
  if (sent) {
    frames++;
    largest = max(largest, (uint32_t)size);
  } else {
    drops++;
  }
  if (fits && !sent) {
    ws.disconnect();  // a part of it may be on the wire, and nothing can follow that
    return;
  }
  if (settling > 0) {
    settling--;
  } else if (!fits && step < last_step()) {
    to_step(step + 1);
  }
}

static void send_stats() {
  char text[200];
  int length = snprintf(text, sizeof(text),
                        "{\"type\":\"stats\",\"rssi\":%d,\"heap\":%u,\"uptime\":%u,\"frames\":%u,\"drops\":%u,\"step\":%d}",
                        (int)WiFi.RSSI(), (unsigned)ESP.getFreeHeap(), (unsigned)(millis() / 1000), (unsigned)frames,
                        (unsigned)drops, step);
  if (!ws.sendTXT(text, length)) {
    ws.disconnect();
    return;
  }
  if (step > 0 && largest < max_bytes / 2) to_step(step - 1);  // the scene has become simpler
  largest = 0;
}

static void connect_wifi() {
  WiFi.mode(WIFI_STA);
  WiFi.setSleep(false);  // with it, frames wait for the access point's next beacon
  WiFi.setAutoReconnect(true);
  WiFi.begin(WIFI_SSID, WIFI_PASSWORD);
}

static void connect_server() {
  static const char *path = "/ingest/ws?app=" APP "&room=" ROOM;
  ws.onEvent(on_event);
  ws.setExtraHeaders("Authorization: Bearer " STREAM_KEY);
  ws.enableHeartbeat(20000, 10000, 2);  // a server that is gone without a word is noticed within a minute
#if SERVER_TLS
  static_assert(sizeof(CA_CERTIFICATE) > 100, "config.h needs the CA certificate: without one nothing is verified");
  ws.beginSslWithCA(SERVER_HOST, SERVER_PORT, path, CA_CERTIFICATE, "");
#else
  ws.begin(SERVER_HOST, SERVER_PORT, path, "");
#endif
}

void setup() {
  Serial.begin(115200);
  esp_task_wdt_config_t watchdog = {};
  watchdog.timeout_ms = WATCHDOG;
  watchdog.trigger_panic = true;  // which restarts the board
  esp_task_wdt_reconfigure(&watchdog);
  enableLoopWDT();
  if (!psramFound()) {
    Serial.println("no PSRAM: choose the board \"AI Thinker ESP32-CAM\"");
    delay(60000);
    ESP.restart();
  }
  if (!start_camera()) {
    Serial.println("no camera: see to its ribbon cable and to the 5 V supply");
    delay(60000);
    ESP.restart();
  }
  connect_wifi();
  connect_server();
  wifi_seen_at = millis();
}

void loop() {
  uint32_t now = millis();
  if (WiFi.status() != WL_CONNECTED) {
    if (now - wifi_seen_at > WIFI_PATIENCE) ESP.restart();
    delay(100);
    return;
  }
  wifi_seen_at = now;
  ws.loop();
  if (!ws.isConnected()) {
    delay(10);
    return;
  }
  now = millis();
  if (!ready) {
    if (now - connected_at > READY_PATIENCE) ws.disconnect();
    return;
  }
  if (now - last_frame_at >= frame_interval) {
    last_frame_at = now;
    send_frame();
  }
  if (ready && now - last_stats_at >= STATS_INTERVAL) {
    last_stats_at = now;
    send_stats();
  }
}
