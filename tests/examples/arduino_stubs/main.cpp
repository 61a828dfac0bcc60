// What the core does with a sketch.
#include <stdio.h>

void setup();
void loop();

int main() {
  setbuf(stdout, nullptr);
  setup();
  while (true) loop();
}
