// What the engine's C++ tests are written with: `TEST("what it proves") { CHECK(condition); CHECK_EQ(a, b);
// }` in a NAME.test.cc beside this file. All of them become one program with the addon's sources
// (scripts/native.mjs), which main.cc runs. A check that fails ends its test, not the program. Checks are for
// the thread that runs the test.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

struct Case {
  const char* name;
  const char* file;
  int line;
  void (*body)();
};

/** All tests of the program, in the order in which they were registered. */
inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, const char* file, int line, void (*body)()) {
    cases().push_back({name, file, line, body});
  }
};

/** Thrown by a check that fails. */
struct Failed {
  std::string message;
};

/** Thrown by SKIP. */
struct Skipped {
  std::string reason;
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  throw Failed{std::string(file) + ":" + std::to_string(line) + ": " + what};
}

/** A value as a failure prints it: numbers and text as they are, bytes in hex. */
template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return show(static_cast<long long>(value));
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::convertible_to<T, std::string>) {
    return std::string(value);
  } else if constexpr (requires { value.has_value(); }) {
    return value.has_value() ? show(*value) : "nothing";
  } else if constexpr (std::ranges::input_range<const T>) {
    using Element = std::remove_cvref_t<std::ranges::range_reference_t<const T>>;
    std::ostringstream text;
    std::size_t count = 0;
    for (const auto& element : value) {
      if constexpr (std::is_same_v<Element, std::uint8_t>) {
        constexpr const char* kDigits = "0123456789abcdef";
        text << kDigits[element >> 4] << kDigits[element & 15];
      } else {
        text << (count > 0 ? ", " : "") << show(element);
      }
      count++;
    }
    text << " (" << count << ")";
    return text.str();
  } else {
    return "a value that cannot be printed";
  }
}

template <typename A, typename B>
bool equal(const A& a, const B& b) {
  if constexpr (std::integral<A> && std::integral<B> && !std::is_same_v<A, bool> &&
                !std::is_same_v<B, bool>) {
    return std::cmp_equal(a, b);
  } else if constexpr (std::equality_comparable_with<A, B>) {
    return a == b;
  } else {
    return std::ranges::equal(a, b);
  }
}

template <typename A, typename B>
void checkEqual(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!equal(a, b)) fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_NAME_(prefix, line) CHECK_JOIN_(prefix, line)

#define TEST(name)                                                                                     \
  static void CHECK_NAME_(testBody, __LINE__)();                                                       \
  static const ::check::Registration CHECK_NAME_(testCase, __LINE__)(name, __FILE__, __LINE__,         \
                                                                     CHECK_NAME_(testBody, __LINE__)); \
  static void CHECK_NAME_(testBody, __LINE__)()

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) ::check::fail(__FILE__, __LINE__, "not so: " #condition); \
  } while (false)

/** The first is what came, the second what should. Numbers of any two types, or ranges of equal elements. */
#define CHECK_EQ(actual, expected) \
  ::check::checkEqual((actual), (expected), #actual " == " #expected, __FILE__, __LINE__)

/** Ends a test that this machine cannot run; the reason says what is missing. */
#define SKIP(reason) \
  throw ::check::Skipped { reason }
