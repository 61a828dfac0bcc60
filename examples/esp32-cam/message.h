// The server's messages are flat JSON of known fields; reading those needs no JSON library.
#pragma once

#include <stdlib.h>
#include <string.h>

// The number of a field, also if it is written as a string; `otherwise` if there is none.
static long number_in(const char *json, const char *field, long otherwise) {
  size_t length = strlen(field);
  for (const char *at = strchr(json, '"'); at; at = strchr(at + 1, '"')) {
    if (strncmp(at + 1, field, length) == 0 && at[length + 1] == '"') {
      at += length + 2;
      at += strspn(at, " :\"");
      char *end;
      long value = strtol(at, &end, 10);
      return end == at ? otherwise : value;
    }
  }
  return otherwise;
}

static bool is_of_type(const char *json, const char *type) {
  const char *at = strstr(json, "\"type\"");
  if (!at) return false;
  at += 6;
  at += strspn(at, " :\"");
  size_t length = strlen(type);
  return strncmp(at, type, length) == 0 && at[length] == '"';
}

// The HTTP status in the library's reason for a disconnection ("WebSocket handshake failed - HTTP 401"), or 0.
static int status_in(const char *reason, size_t length) {
  for (size_t at = 0; at + 8 <= length; at++) {
    if (strncmp(reason + at, "HTTP ", 5) == 0) return atoi(reason + at + 5);
  }
  return 0;
}
