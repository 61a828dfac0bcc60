// As much of the ESP32's Arduino core as the example's sketch uses, on Linux.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

using std::max;
using std::min;

// How many times faster than ours the board's clock goes.
inline uint64_t clock_speed() {
  const char *told = getenv("STUB_CLOCK");
  return told ? atoi(told) : 1;
}

inline uint32_t millis() {
  static const uint64_t speed = clock_speed();
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (now.tv_sec * 1000ull + now.tv_nsec / 1000000) * speed;
}

inline void delay(uint32_t milliseconds) { usleep(std::max<uint64_t>(milliseconds * 1000ull / clock_speed(), 1)); }

inline long random(long least, long beyond) {
  static bool seeded = (srandom(getpid()), true);
  (void)seeded;
  return least + random() % (beyond - least);
}

struct SerialPort {
  void begin(unsigned long) {}
  void println(const char *text) { printf("%s\n", text); }
  template <typename... Values>
  void printf(const char *format, Values... values) {
    ::printf(format, values...);
  }
};

struct Chip {
  uint32_t getFreeHeap() { return 150000; }
  [[noreturn]] void restart() { exit(3); }
};

inline SerialPort Serial;
inline Chip ESP;

inline bool psramFound() { return getenv("STUB_NO_PSRAM") == nullptr; }
inline bool enableLoopWDT() { return true; }
