// The algorithm of all AES-GCM kernels, over the vectors of the kernel that includes it: `V` is declared
// there, under the compiler's options for that processor. A message is seen as one row of blocks: what is
// authenticated only, the text, the lengths. Block i meets the counter i + 1, so the first one's key stream
// masks the ICV and the last one's is thrown away; in the hash, block i of n is multiplied by the hash key's
// power n - i. So short messages take one pass with one reduction. Long ones take strides, and each stride is
// hashed between the rounds that encrypt the next.
//
// No include guard and nothing included: one translation unit has it once, inside its anonymous namespace.

using Vector = V::Vector;
using Block = V::Block;

constexpr std::size_t kLanes = V::kLanes;
constexpr std::size_t kVectorBytes = kLanes * kGcmBlockBytes;
/** Vectors in a stride. */
constexpr int kVectors = V::kVectors;
constexpr std::size_t kStrideBytes = kVectors * kVectorBytes;
constexpr std::size_t kStrideBlocks = kVectors * kLanes;
static_assert(kStrideBlocks <= kGcmMaxStride && kVectors <= 8);

/** A product of each lane before reduction; after Karatsuba `middle` has `low` and `high` in it. */
struct Product {
  Vector low;
  Vector middle;
  Vector high;
};

// No initialisers in the class: a constructor that the compiler writes would not be compiled for the kernel's
// processor.
GCM_INLINE Product nothing() { return {V::zero(), V::zero(), V::zero()}; }

GCM_INLINE void multiplyAdd(Product& sum, Vector x, Vector y) {
  sum.low = V::add(sum.low, V::multiplyLow(x, y));
  sum.high = V::add(sum.high, V::multiplyHigh(x, y));
  // Where products cost more than additions, three of them do.
  if constexpr (V::kKaratsuba)
    sum.middle = V::add(sum.middle, V::multiplyLow(V::add(x, V::swapHalves(x)), V::add(y, V::swapHalves(y))));
  else
    sum.middle = V::add3(sum.middle, V::multiplyCross(x, y), V::multiplyCross(y, x));
}

/** All lanes together, modulo x^128 + x^127 + x^126 + x^121 + 1, divided by x^128. */
GCM_INLINE Block reduce(const Product& sum) {
  const Vector middle = V::kKaratsuba ? V::add3(sum.low, sum.middle, sum.high) : sum.middle;
  const Block low = V::fold(V::add(sum.low, V::up(middle)));
  const Block high = V::fold(V::add(sum.high, V::down(middle)));
  const Block once = V::addBlock(V::swapBlock(low), V::timesPolynomial(low));
  return V::addBlock(high, V::addBlock(V::swapBlock(once), V::timesPolynomial(once)));
}

/** Key stream for the counters; `between(round)` does something else meanwhile. */
template <int N, typename Between>
GCM_INLINE void encrypt(const GcmSchedule& key, Vector counter, Vector (&x)[N], const Between& between) {
#pragma GCC unroll 16
  for (int i = 0; i < N; i++)
    x[i] = V::firstRound(V::reverse(V::count(counter, static_cast<std::uint32_t>(i * kLanes))), key);
#pragma GCC unroll 16
  for (std::uint32_t round = 1; round < 10; round++) {
#pragma GCC unroll 16
    for (int i = 0; i < N; i++) x[i] = V::round(x[i], key, round);
    between(round);
  }
  for (std::uint32_t round = 10; round < key.rounds; round++) {
#pragma GCC unroll 16
    for (int i = 0; i < N; i++) x[i] = V::round(x[i], key, round);
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) x[i] = V::lastRound(x[i], key, key.rounds);
}

/** A message on its way. */
struct Work {
  const std::uint8_t* from;
  std::uint8_t* to;
  /** Text that is still to come. */
  std::size_t left;
  /** The next counters. */
  Vector counter;
  Block lengths;
  /** The key stream for the ICV. */
  Block mask;
  /** The ciphertext of the stride before, as it goes into the hash. */
  Vector pending[kVectors];
};

/** The power of the hash key for vector `i` of `blocks` blocks. */
GCM_INLINE Vector power(const GcmSchedule& key, std::size_t blocks, std::size_t i) {
  return V::load(key.power(blocks) + i * kVectorBytes);
}

/** Hashes the stride before, a vector a round. */
GCM_INLINE auto hashing(const GcmSchedule& key, const Work& work, Product& sum) {
  return [&](std::uint32_t round) GCM_ALWAYS {
    if (round <= kVectors) multiplyAdd(sum, work.pending[round - 1], power(key, kStrideBlocks, round - 1));
  };
}

/** The first stride of a long message: the block `head`, then text. */
template <bool Sealing>
GCM_INLINE void firstStride(const GcmSchedule& key, Work& work, Block head) {
  constexpr std::size_t kTextBytes = kVectorBytes - kGcmBlockBytes;
  Vector x[kVectors];
  encrypt(key, work.counter, x, [](std::uint32_t) GCM_ALWAYS {});
  work.mask = V::lane0(x[0]);
#pragma GCC unroll 16
  for (int i = 0; i < kVectors; i++) {
    const std::size_t offset = i == 0 ? 0 : static_cast<std::size_t>(i) * kVectorBytes - kGcmBlockBytes;
    const Vector in = i == 0 ? V::loadAfterLane0(work.from, kTextBytes) : V::load(work.from + offset);
    const Vector out = V::add(in, x[i]);
    if (i == 0)
      V::storeAfterLane0(work.to, out, kTextBytes);
    else
      V::store(work.to + offset, out);
    work.pending[i] = V::reverse(Sealing ? out : in);
  }
  work.pending[0] = V::addLane0(V::keepAfterLane0(work.pending[0]), head);
  work.from += kStrideBytes - kGcmBlockBytes;
  work.to += kStrideBytes - kGcmBlockBytes;
  work.left -= kStrideBytes - kGcmBlockBytes;
  work.counter = V::count(work.counter, kStrideBlocks);
}

template <bool Sealing>
GCM_INLINE void nextStride(const GcmSchedule& key, Work& work) {
  Vector x[kVectors];
  Product sum = nothing();
  encrypt(key, work.counter, x, hashing(key, work, sum));
#pragma GCC unroll 16
  for (int i = 0; i < kVectors; i++) {
    const std::size_t offset = static_cast<std::size_t>(i) * kVectorBytes;
    const Vector in = V::load(work.from + offset);
    const Vector out = V::add(in, x[i]);
    V::store(work.to + offset, out);
    work.pending[i] = V::reverse(Sealing ? out : in);
  }
  work.pending[0] = V::addLane0(work.pending[0], reduce(sum));
  work.from += kStrideBytes;
  work.to += kStrideBytes;
  work.left -= kStrideBytes;
  work.counter = V::count(work.counter, kStrideBlocks);
}

/** What is left, in N vectors: of a short message (`Whole`) the block `head`, then text, then the lengths.
 * The hash. */
template <bool Sealing, bool Whole, int N>
GCM_APART Block finish(const GcmSchedule& key, Work& work, Block head) {
  Vector x[N];
  if constexpr (Whole) {
    encrypt(key, work.counter, x, [](std::uint32_t) GCM_ALWAYS {});
    work.mask = V::lane0(x[0]);
  } else {
    Product before = nothing();
    encrypt(key, work.counter, x, hashing(key, work, before));
    head = reduce(before);
  }
  constexpr std::size_t kShift = Whole ? kGcmBlockBytes : 0;
  const std::size_t end = work.left + kShift;
  const std::size_t blocks = (end + kGcmBlockBytes - 1) / kGcmBlockBytes + 1;
  Product sum = nothing();
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) {
    const std::size_t start = static_cast<std::size_t>(i) * kVectorBytes;
    Vector data;
    if (Whole && i == 0) {
      const std::size_t count = std::min(work.left, kVectorBytes - kGcmBlockBytes);
      const Vector in = V::loadAfterLane0(work.from, count);
      const Vector out = V::keepAfterLane0(V::add(in, x[i]), count);
      V::storeAfterLane0(work.to, out, count);
      data = V::reverse(Sealing ? out : in);
    } else if (i < N - 2) {
      const Vector in = V::load(work.from + (start - kShift));
      const Vector out = V::add(in, x[i]);
      V::store(work.to + (start - kShift), out);
      data = V::reverse(Sealing ? out : in);
    } else {
      const std::size_t count = end > start ? std::min(end - start, kVectorBytes) : 0;
      const Vector in = V::loadBytes(work.from + (start - kShift), count);
      const Vector out = V::keepBytes(V::add(in, x[i]), count);
      V::storeBytes(work.to + (start - kShift), out, count);
      data = V::reverse(Sealing ? out : in);
    }
    if (i == 0) data = V::addLane0(data, head);
    if (i == N - 1) data = V::addLane(data, (blocks - 1) % kLanes, work.lengths);
    multiplyAdd(sum, data, power(key, blocks, static_cast<std::size_t>(i)));
  }
  return reduce(sum);
}

template <bool Sealing, bool Whole, int N = 1>
GCM_INLINE Block finishIn(std::size_t vectors, const GcmSchedule& key, Work& work, Block head) {
  if constexpr (N > kVectors) {
    return finish<Sealing, Whole, N>(key, work, head);
  } else {
    if (vectors == N) return finish<Sealing, Whole, N>(key, work, head);
    return finishIn<Sealing, Whole, N + 1>(vectors, key, work, head);
  }
}

template <bool Sealing>
GCM_INLINE void process(const GcmSchedule& key, GcmMessage& message) {
  Work work;
  work.from = message.from;
  work.to = message.to;
  work.left = message.textBytes;
  // Reversed: the counter is the lowest word.
  work.counter = V::counters(std::uint64_t{key.salt} << 32 | message.iv >> 32, message.iv << 32 | 1);
  work.lengths = V::block(message.aadBytes * 8, message.textBytes * 8);
  const Block head = V::block(message.head.high, message.head.low);
  const auto vectorsFor = [](std::size_t blocks) { return (blocks + kLanes - 1) / kLanes; };
  const auto blocksOf = [](std::size_t bytes) { return (bytes + kGcmBlockBytes - 1) / kGcmBlockBytes; };
  Block hash;
  if (work.left < kStrideBytes - kGcmBlockBytes) {
    hash = finishIn<Sealing, true>(vectorsFor(blocksOf(work.left) + 2), key, work, head);
  } else {
    firstStride<Sealing>(key, work, head);
    while (work.left >= kStrideBytes) nextStride<Sealing>(key, work);
    hash = finishIn<Sealing, false>(vectorsFor(blocksOf(work.left) + 1), key, work, head);
  }
  const Block icv = V::addBlock(V::reverseBlock(hash), work.mask);
  if constexpr (Sealing)
    V::storeIcv(message.icv, icv, key.icvBytes);
  else
    message.ok = V::isIcv(message.icv, icv, key.icvBytes);
}

void sealAll(const GcmSchedule& key, std::span<GcmMessage> messages) noexcept {
  for (GcmMessage& message : messages) process<true>(key, message);
}

void openAll(const GcmSchedule& key, std::span<GcmMessage> messages) noexcept {
  for (GcmMessage& message : messages) process<false>(key, message);
}

GcmHash hashAll(const GcmSchedule& key, GcmHash before, std::span<const std::uint8_t> data) noexcept {
  Block hash = V::block(before.high, before.low);
  const std::uint8_t* at = data.data();
  for (std::size_t left = data.size(); left > 0;) {
    const std::size_t bytes = std::min(left, kStrideBytes);
    const std::size_t blocks = bytes / kGcmBlockBytes;
    Product sum = nothing();
    for (std::size_t i = 0; i * kVectorBytes < bytes; i++) {
      const std::size_t count = std::min(bytes - i * kVectorBytes, kVectorBytes);
      Vector x = V::reverse(V::loadBytes(at + i * kVectorBytes, count));
      if (i == 0) x = V::addLane0(x, hash);
      multiplyAdd(sum, x, power(key, blocks, i));
    }
    hash = reduce(sum);
    at += bytes;
    left -= bytes;
  }
  return V::hashOf(hash);
}
