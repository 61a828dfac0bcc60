// The interface of arduinoWebSockets 2.7.2 that the example's sketch uses, over a socket of Linux; wss goes through the
// program openssl. It behaves as the library does: one event DISCONNECTED for each connection and each try, with the
// library's words for the reason, and without the code of a close, which the library does not tell.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <functional>
#include <string>

#include "Arduino.h"

enum WStype_t {
  WStype_ERROR,
  WStype_DISCONNECTED,
  WStype_CONNECTED,
  WStype_TEXT,
  WStype_BIN,
  WStype_PING = 9,
  WStype_PONG,
};

class WebSocketsClient {
 public:
  using Event = std::function<void(WStype_t type, uint8_t *payload, size_t length)>;

  void begin(const char *host, uint16_t port, const char *url, const char *protocol) {
    _host = host, _port = port, _url = url, _protocol = protocol;
  }

  void beginSslWithCA(const char *host, uint16_t port, const char *url, const char *ca, const char *protocol) {
    begin(host, port, url, protocol);
    _ca = ca;
  }

  void onEvent(Event event) { _event = event; }
  void setExtraHeaders(const char *headers) { _headers = headers; }
  void setReconnectInterval(unsigned long interval) { _interval = interval; }
  void enableHeartbeat(uint32_t interval, uint32_t, uint8_t) { _ping_interval = interval; }
  bool isConnected() { return _connected; }

  void disconnect() {
    if (_connected) send(8, "\x03\xe8");
    if (_socket >= 0) close_socket("");
  }

  bool sendTXT(const char *text, size_t length) { return _connected && send(1, std::string(text, length)); }
  bool sendBIN(const uint8_t *data, size_t length) {
    return _connected && send(2, std::string(reinterpret_cast<const char *>(data), length));
  }

  void loop() {
    if (_socket < 0) {
      if (_tried && millis() - _failed_at < _interval) return;
      _tried = true;
      connect();
      return;
    }
    pollfd waiting = {_socket, POLLIN, 0};
    while (_socket >= 0 && poll(&waiting, 1, 0) > 0) {
      char buffer[4096];
      ssize_t count = recv(_socket, buffer, sizeof(buffer), 0);
      if (count <= 0) return close_socket(_connected ? "Connection lost" : "TCP connection cleanup");
      _received.append(buffer, count);
      _connected ? read_messages() : read_handshake();
    }
    if (_connected && _ping_interval && millis() - _pinged_at > _ping_interval) {
      _pinged_at = millis();
      send(9, "");
    }
  }

 private:
  void connect() {
    _received.clear();
    _socket = _ca ? open_tls() : open_plain();
    if (_socket < 0) return failed("TCP connection cleanup");
    std::string request = "GET " + _url + " HTTP/1.1\r\nHost: " + _host + ":" + std::to_string(_port) +
                          "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    if (!_protocol.empty()) request += "Sec-WebSocket-Protocol: " + _protocol + "\r\n";
    write(request + _headers + "\r\nUser-Agent: arduino-WebSocket-Client\r\n\r\n");
  }

  int open_plain() {
    addrinfo hints = {}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_INET;
    if (getaddrinfo(_host.c_str(), std::to_string(_port).c_str(), &hints, &found) != 0) return -1;
    int made = socket(found->ai_family, found->ai_socktype, 0);
    int yes = 1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    bool connected = ::connect(made, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (connected) return made;
    close(made);
    return -1;
  }

  int open_tls() {
    char file[] = "/tmp/stub-ca-XXXXXX";
    int ca = mkstemp(file);
    if (ca < 0 || ::write(ca, _ca, strlen(_ca)) < 0) return -1;
    close(ca);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    _child = fork();
    if (_child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // it would stay when its standard input ends
      dup2(ends[1], 0);
      dup2(ends[1], 1);
      close(ends[0]);
      std::string where = _host + ":" + std::to_string(_port);
      execlp("openssl", "openssl", "s_client", "-quiet", "-verify_return_error", "-verify_hostname",
             _host.c_str(), "-servername", _host.c_str(), "-CAfile", file, "-connect", where.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    _ca_file = file;
    return ends[0];
  }

  void read_handshake() {
    size_t end = _received.find("\r\n\r\n");
    if (end == std::string::npos) return;
    std::string status = _received.substr(9, 3);
    _received.erase(0, end + 4);
    if (status != "101") return close_socket("WebSocket handshake failed - HTTP " + status);
    _connected = true;
    _pinged_at = millis();
    tell(WStype_CONNECTED, _url);
    read_messages();
  }

  void read_messages() {
    while (_connected && _received.size() >= 2) {
      size_t length = _received[1] & 127, head = 2;
      if (length == 126) {
        if (_received.size() < 4) return;
        length = uint8_t(_received[2]) << 8 | uint8_t(_received[3]), head = 4;
      }
      if (length > 15 * 1024) return close_socket("");  // as the library: WEBSOCKETS_MAX_DATA_SIZE
      if (_received.size() < head + length) return;
      int opcode = _received[0] & 15;
      std::string payload = _received.substr(head, length);
      _received.erase(0, head + length);
      if (opcode == 1) tell(WStype_TEXT, payload);
      if (opcode == 2) tell(WStype_BIN, payload);
      if (opcode == 8) disconnect();
      if (opcode == 9) {
        send(10, payload);
        tell(WStype_PING, payload);
      }
    }
  }

  bool send(int opcode, const std::string &payload) {
    std::string head(1, char(0x80 | opcode));
    size_t length = payload.size();
    if (length < 126) {
      head += char(0x80 | length);
    } else if (length < 0xffff) {
      head += std::string("\xfe") + char(length >> 8) + char(length & 255);
    } else {
      head += "\xff";
      for (int shift = 56; shift >= 0; shift -= 8) head += char(uint64_t(length) >> shift & 255);
    }
    return write(head + std::string(4, 0) + payload);  // masked with zeros, as the library does it
  }

  bool write(const std::string &data) {
    size_t sent = 0;
    while (sent < data.size()) {
      ssize_t count = ::send(_socket, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += count;
    }
    return true;
  }

  void close_socket(const std::string &reason) {
    close(_socket);
    _socket = -1;
    _connected = false;
    if (_child > 0) {
      kill(_child, SIGTERM);
      waitpid(_child, nullptr, 0);
      unlink(_ca_file.c_str());
      _child = 0;
    }
    failed(reason);
  }

  void failed(const std::string &reason) {
    _failed_at = millis();
    tell(WStype_DISCONNECTED, reason);
  }

  void tell(WStype_t type, std::string payload) {
    _event(type, payload.empty() ? nullptr : reinterpret_cast<uint8_t *>(payload.data()), payload.size());
  }

  std::string _host, _url, _protocol, _headers, _received, _ca_file;
  uint16_t _port = 0;
  const char *_ca = nullptr;
  Event _event;
  int _socket = -1;
  pid_t _child = 0;
  bool _connected = false, _tried = false;
  unsigned long _interval = 500;
  uint32_t _failed_at = 0, _pinged_at = 0, _ping_interval = 0;
};
