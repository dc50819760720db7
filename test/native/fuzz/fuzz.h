// What the fuzz targets share: a reader that never ends too early, for inputs of any length mean something,
// and a check that ends the program with its words. A target is one function for libFuzzer, or for driver.cc
// without it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#define FUZZ_CHECK(condition)                                                      \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/** Takes an input apart; past its end all is zero. */
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> input) noexcept : rest_(input) {}

  bool done() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t word() noexcept { return static_cast<std::uint16_t>(byte() << 8 | byte()); }
  std::uint32_t below(std::uint32_t bound) noexcept { return bound <= 256 ? byte() % bound : word() % bound; }
  /** So many bytes, or what there is. */
  std::span<const std::uint8_t> bytes(std::size_t count) noexcept {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

/** FNV-1a: keys come from it, so that no search for an ICV can succeed by looking at comparisons. */
inline std::uint32_t hashOf(std::span<const std::uint8_t> input) noexcept {
  std::uint32_t hash = 0x811c9dc5;
  for (const std::uint8_t byte : input) hash = (hash ^ byte) * 0x01000193;
  return hash;
}

}  // namespace fuzz
