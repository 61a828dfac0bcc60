// How long to stay away, by why the connection ended.
#pragma once

#include <stdint.h>

// Milliseconds; the pause is drawn between the two, so that a fleet does not come back in one moment.
struct Pause {
  uint32_t least;
  uint32_t most;
};

// code: the HTTP status of a refusal, or a WebSocket close code; 0 if the connection was lost or could not be made.
// failures: how many times in a row, this one included.
static Pause pause_after(int code, int failures) {
  switch (code) {
    case 401:   // no such key, or not of this room
    case 403:   // the camera is disabled
    case 404:   // no such app
    case 4401:  // the key was revoked or rotated, or the camera deleted
      return {600000, 900000};  // a person has to do something first
    case 409:   // another camera sends to this room
    case 4409:  // another camera, or this key elsewhere, took over: two that both come back at once never end
    case 429:   // too many tries; the library does not tell Retry-After
      return {60000, 120000};
    case 1001:  // the server stops
    case 1012:  // the server restarts
      return {1000, 10000};
    default: {  // lost, 503, 4408, 4413, 4429, 1003: twice as long each time, at most a minute
      uint32_t most = failures < 6 ? 2000u << (failures > 0 ? failures - 1 : 0) : 60000u;
      return {most / 2, most};
    }
  }
}
