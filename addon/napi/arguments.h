// Reading what JavaScript passes: every value is checked and copied. The first mistake throws a TypeError or
// RangeError with `code` ERR_IKE_ARGUMENT; after it nothing is read any more, and `failed()` tells.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "esp/sa.h"
#include "net/outcome.h"
#include "policy/spd.h"

namespace ike {

/** Throws an Error with a `code`. Does nothing when an exception is on its way already. */
void throwFailure(napi_env env, const Failure& failure);

class Arguments {
 public:
  /** Takes the arguments of a call; a missing one is undefined. */
  explicit Arguments(const Napi::CallbackInfo& info) : env_(info.Env()), info_(&info) {}

  bool failed() const noexcept { return failed_; }
  napi_value at(std::size_t index) const;
  napi_value property(napi_value object, const char* name);
  bool isUndefined(napi_value value) const;

  std::uint32_t number(napi_value value, const char* name, std::uint32_t least = 0,
                       std::uint32_t most = UINT32_MAX);
  /** An integer to 2^53 - 1. */
  std::uint64_t wide(napi_value value, const char* name);
  bool boolean(napi_value value, const char* name);
  std::string text(napi_value value, const char* name, std::size_t mostBytes);
  /** A copy of a Uint8Array. */
  std::vector<std::uint8_t> bytes(napi_value value, const char* name, std::size_t mostBytes);
  Secret secret(napi_value value, const char* name);
  Address address(napi_value value, const char* name);
  std::uint16_t port(napi_value value, const char* name);
  std::vector<napi_value> list(napi_value value, const char* name, std::size_t most);
  std::vector<std::vector<std::uint8_t>> packets(napi_value value, const char* name);
  std::vector<Selector> selectors(napi_value value, const char* name);
  /** An object `{ address: Uint8Array, port }`. */
  Endpoint endpoint(napi_value value, const char* name);
  SaSpec sa(napi_value value);
  std::unique_ptr<Policy> policy(napi_value value);

  /** Throws, unless something was thrown before. */
  void refuse(const char* name, const std::string& expectation, bool range = false);

 private:
  std::span<const std::uint8_t> view(napi_value value, const char* name, std::size_t mostBytes);

  napi_env env_;
  const Napi::CallbackInfo* info_;
  bool failed_ = false;
};

}  // namespace ike
