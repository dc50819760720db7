// Runs the tests of the program in order and says in TAP (one line a test) how each went: `tests [WORD]`
// those whose name or file contains the word. What is printed before a test begins tells who crashed.
#include <cstdio>
#include <cstring>

#include "check.h"

int main(int count, char** arguments) {
  const char* const word = count > 1 ? arguments[1] : "";
  int number = 0;
  int failed = 0;
  for (const check::Case& test : check::cases()) {
    if (std::strstr(test.name, word) == nullptr && std::strstr(test.file, word) == nullptr) continue;
    number++;
    std::printf("# begins: %s\n", test.name);
    std::fflush(stdout);
    std::string message;
    std::string skipped;
    try {
      test.body();
    } catch (const check::Failed& failure) {
      message = failure.message;
    } catch (const check::Skipped& skip) {
      skipped = " # SKIP " + skip.reason;
    }
    if (!message.empty()) failed++;
    std::printf("%sok %d - %s%s\n", message.empty() ? "" : "not ", number, test.name, skipped.c_str());
    if (!message.empty()) std::printf("# %s\n", message.c_str());
  }
  std::printf("1..%d\n", number);
  return failed == 0 && number > 0 ? 0 : 1;
}
