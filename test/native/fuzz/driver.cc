// A fuzz target as a plain program, for machines without libFuzzer: the inputs of the corpus, then mutations
// of them from a seed, the same on every machine. `PROGRAM CRASHFILE MUTATIONS SEED FILE...`: the input that
// ends the program is in CRASHFILE then.
#include <sanitizer/common_interface_defs.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxInputBytes = 4096;

const char* crashFile = nullptr;
Bytes current;

void keepCurrent() {
  if (std::FILE* const file = std::fopen(crashFile, "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
}

void run(Bytes input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

Bytes mutated(const std::vector<Bytes>& corpus, std::mt19937& random) {
  const auto any = [&] { return corpus[random() % corpus.size()]; };
  Bytes bytes = any();
  for (std::size_t turns = 1 + random() % 6; turns > 0; turns--) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    constexpr std::uint8_t kTelling[] = {0, 1, 4, 6, 0x10, 0x45, 0x60, 0x7f, 0x80, 0xff};
    switch (random() % 6) {
      case 0:
        if (!bytes.empty()) *place ^= static_cast<std::uint8_t>(1 << random() % 8);
        break;
      case 1:
        if (!bytes.empty()) *place = static_cast<std::uint8_t>(random());
        break;
      case 2:
        if (!bytes.empty()) *place = kTelling[random() % std::size(kTelling)];
        break;
      case 3:
        bytes.insert(place, 1 + random() % 8, static_cast<std::uint8_t>(random()));
        break;
      case 4:
        bytes.erase(place, place + static_cast<std::ptrdiff_t>(
                                       std::min<std::size_t>(random() % 16, bytes.size() - at)));
        break;
      default: {
        // The end of another.
        const Bytes other = any();
        bytes.resize(at);
        const std::size_t from = other.empty() ? 0 : random() % other.size();
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      }
    }
  }
  bytes.resize(std::min(bytes.size(), kMaxInputBytes));
  return bytes;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  crashFile = arguments[1];
  __sanitizer_set_death_callback(keepCurrent);
  std::signal(SIGABRT, [](int) { keepCurrent(); });
  std::vector<Bytes> corpus;
  for (int i = 4; i < count; i++) {
    std::ifstream file(arguments[i], std::ios::binary);
    if (!file) return 2;
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(corpus.back());
  }
  std::mt19937 random(static_cast<std::uint32_t>(std::atol(arguments[3])));
  const long mutations = std::atol(arguments[2]);
  for (long i = 0; i < mutations; i++) run(mutated(corpus, random));
  std::printf("%zu inputs and %ld mutations\n", corpus.size(), mutations);
  return 0;
}
