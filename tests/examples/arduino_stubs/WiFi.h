// A network that is there.
#pragma once

#define WL_CONNECTED 3
#define WIFI_STA 1

struct Network {
  void mode(int) {}
  void setSleep(bool) {}
  void setAutoReconnect(bool) {}
  void begin(const char *, const char *) {}
  int status() { return WL_CONNECTED; }
  int RSSI() { return -61; }
};

inline Network WiFi;
