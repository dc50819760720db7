// Working objects with a key in them (a cipher's or a MAC's context) for an SA that several threads may use
// at once: each takes one for a run of packets and gives it back. One is made with the SA, and another only
// when all are taken, so that an SA with one thread has one, and it changes hands without a lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace ike {

/** `Object` has a member `std::unique_ptr<Object> next`, which is the pool's. */
template <typename Object>
class Pool {
 public:
  explicit Pool(std::unique_ptr<Object> first) noexcept : ready_(first.release()) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /** All must have been given back. */
  ~Pool() { const std::unique_ptr<Object> last(ready_.load(std::memory_order_acquire)); }

  /** An object for as long as this lives. */
  class Loan {
   public:
    Loan(Pool& pool, std::unique_ptr<Object> object) noexcept : pool_(pool), object_(std::move(object)) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() {
      if (object_ != nullptr) pool_.give(std::move(object_));
    }

    /** False when there was none and none could be made. */
    explicit operator bool() const noexcept { return object_ != nullptr; }
    Object& operator*() const noexcept { return *object_; }
    Object* operator->() const noexcept { return object_.get(); }

   private:
    Pool& pool_;
    std::unique_ptr<Object> object_;
  };

  /** `make` gives a `std::unique_ptr<Object>`, null when it fails. */
  template <typename Make>
  Loan take(Make make) noexcept {
    std::unique_ptr<Object> object(ready_.exchange(nullptr, std::memory_order_acquire));
    if (object == nullptr) object = takeOther();
    if (object == nullptr) object = make();
    return Loan(*this, std::move(object));
  }

 private:
  void give(std::unique_ptr<Object> object) noexcept {
    Object* none = nullptr;
    if (ready_.compare_exchange_strong(none, object.get(), std::memory_order_release,
                                       std::memory_order_relaxed)) {
      [[maybe_unused]] Object* const ready = object.release();
      return;
    }
    const std::lock_guard lock(mutex_);
    object->next = std::move(others_);
    others_ = std::move(object);
  }

  std::unique_ptr<Object> takeOther() noexcept {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Object> object = std::move(others_);
    if (object != nullptr) others_ = std::move(object->next);
    return object;
  }

  /** What one thread finds again each time. */
  std::atomic<Object*> ready_;
  std::mutex mutex_;
  std::unique_ptr<Object> others_;
};

}  // namespace ike
