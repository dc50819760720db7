// Preloaded into user-mode-linux. On processors whose extended state is larger than its kernel 6.1 has room
// for (AMX), the host takes whole states only (PTRACE_SETREGSET) and answers EFAULT to less. What is missing
// is state that no program inside uses: zeros.
#include <dlfcn.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstring>

namespace {

using Ptrace = long (*)(__ptrace_request, pid_t, void*, void*);

/** Far more than any processor has. */
constexpr std::size_t kMostBytes = 65536;
/** Where an XSAVE area says which components of it are set, and those that such a kernel knows: up to PKRU.
 */
constexpr std::size_t kSetOffset = 512;
constexpr std::uint64_t kKnown = 0x3ff;

}  // namespace

extern "C" long ptrace(__ptrace_request request, ...) noexcept {
  static const auto original = reinterpret_cast<Ptrace>(dlsym(RTLD_NEXT, "ptrace"));
  va_list list;
  va_start(list, request);
  const pid_t pid = va_arg(list, pid_t);
  void* const address = va_arg(list, void*);
  void* const data = va_arg(list, void*);
  va_end(list);
  if (request != PTRACE_SETREGSET || reinterpret_cast<std::uintptr_t>(address) != NT_X86_XSTATE)
    return original(request, pid, address, data);
  // One thread traces.
  static std::array<char, kMostBytes> whole;
  iovec state{whole.data(), whole.size()};
  if (original(PTRACE_GETREGSET, pid, address, &state) != 0) return -1;
  const auto* const given = static_cast<const iovec*>(data);
  if (given->iov_len >= state.iov_len) return original(request, pid, address, data);
  whole.fill(0);
  std::memcpy(whole.data(), given->iov_base, given->iov_len);
  std::uint64_t set = 0;
  std::memcpy(&set, whole.data() + kSetOffset, sizeof set);
  set &= kKnown;
  std::memcpy(whole.data() + kSetOffset, &set, sizeof set);
  return original(request, pid, address, &state);
}
