// Making values for JavaScript. In plain Node-API with ignored status: while an environment is torn down
// every call may fail, and then nobody will look at the result.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace ike {

class Values {
 public:
  explicit Values(napi_env env) noexcept : env_(env) {}

  napi_value undefined() const noexcept {
    napi_value value = nullptr;
    napi_get_undefined(env_, &value);
    return value;
  }
  napi_value number(double number) const noexcept {
    napi_value value = nullptr;
    napi_create_double(env_, number, &value);
    return value;
  }
  napi_value number(std::uint64_t number) const noexcept { return this->number(static_cast<double>(number)); }
  napi_value boolean(bool truth) const noexcept {
    napi_value value = nullptr;
    napi_get_boolean(env_, truth, &value);
    return value;
  }
  napi_value text(const std::string& text) const noexcept {
    napi_value value = nullptr;
    napi_create_string_utf8(env_, text.data(), text.size(), &value);
    return value;
  }
  /** A Uint8Array with a copy. */
  napi_value bytes(std::span<const std::uint8_t> bytes) const noexcept {
    void* data = nullptr;
    napi_value buffer = nullptr;
    napi_value value = nullptr;
    if (napi_create_arraybuffer(env_, bytes.size(), &data, &buffer) != napi_ok) return nullptr;
    if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
    napi_create_typedarray(env_, napi_uint8_array, bytes.size(), buffer, 0, &value);
    return value;
  }
  napi_value object() const noexcept {
    napi_value value = nullptr;
    napi_create_object(env_, &value);
    return value;
  }
  napi_value array() const noexcept {
    napi_value value = nullptr;
    napi_create_array(env_, &value);
    return value;
  }
  void set(napi_value object, const char* name, napi_value value) const noexcept {
    if (object != nullptr && value != nullptr) napi_set_named_property(env_, object, name, value);
  }
  void push(napi_value array, std::size_t index, napi_value value) const noexcept {
    if (array != nullptr && value != nullptr)
      napi_set_element(env_, array, static_cast<std::uint32_t>(index), value);
  }

  /** An array of `make(values, item)`. One scope a value: thousands of handles would otherwise live until the
   * end of the call. */
  template <typename Items, typename Make>
  napi_value list(const Items& items, Make make) const {
    const napi_value array = this->array();
    std::size_t index = 0;
    for (const auto& item : items) {
      napi_handle_scope scope = nullptr;
      if (napi_open_handle_scope(env_, &scope) != napi_ok) return nullptr;
      push(array, index++, make(*this, item));
      napi_close_handle_scope(env_, scope);
    }
    return array;
  }

 private:
  napi_env env_;
};

}  // namespace ike
