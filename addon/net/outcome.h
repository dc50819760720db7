// Failures as values: a stable code for programs and a sentence for people. Nothing here throws.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace ike {

struct Failure {
  /** `ERR_IKE_...`, as JavaScript sees it. */
  const char* code;
  std::string message;
};

/** Nothing when all went well. */
using Status = std::optional<Failure>;

template <typename T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Outcome(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  /** Only when `ok()`. */
  T& value() noexcept { return *std::get_if<0>(&state_); }
  /** Only when not `ok()`. */
  Failure& failure() noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Failure> state_;
};

/** "what: the system's words for `error`". */
std::string describe(const std::string& what, int error);

/** The failure of a system call: `ERR_IKE_PRIVILEGE` when a capability is missing, else `code`. */
Failure systemFailure(const char* code, const std::string& what, int error);

}  // namespace ike
