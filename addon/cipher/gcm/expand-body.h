// AES's key schedule (FIPS 197 §5.2) and the powers of the hash key, with the kernel's own S-box and
// products: nothing is looked up by a secret. Included like body.h and after it, where vectors are single
// blocks.

void expandKey(GcmSchedule& ready, std::span<const std::uint8_t> key) noexcept {
  const std::size_t keyWords = key.size() / 4;
  ready.rounds = static_cast<std::uint32_t>(keyWords + 6);
  const std::size_t words = 4 * (ready.rounds + 1);
  std::memcpy(ready.roundKeys(), key.data(), key.size());
  std::uint32_t constant = 1;
  for (std::size_t i = keyWords; i < words; i++) {
    std::uint32_t word = 0;
    std::uint32_t before = 0;
    std::memcpy(&word, ready.roundKeys() + 4 * (i - 1), 4);
    std::memcpy(&before, ready.roundKeys() + 4 * (i - keyWords), 4);
    if (i % keyWords == 0) {
      word = V::substitute(word >> 8 | word << 24) ^ constant;
      // Eight constants at most are powers of two; AES-128 needs two more.
      constant = constant == 0x80 ? 0x1b : constant << 1;
    } else if (keyWords > 6 && i % keyWords == 4) {
      word = V::substitute(word);
    }
    word ^= before;
    std::memcpy(ready.roundKeys() + 4 * i, &word, 4);
  }

  // The hash key is the zero block, encrypted; then times x.
  Vector zero = V::firstRound(V::zero(), ready);
  for (std::uint32_t round = 1; round < ready.rounds; round++) zero = V::round(zero, ready, round);
  GcmHash hashKey = V::hashOf(V::reverseBlock(V::lastRound(zero, ready, ready.rounds)));
  const std::uint64_t carry = 0 - (hashKey.high >> 63);
  hashKey.high = (hashKey.high << 1 | hashKey.low >> 63) ^ (carry & 0xc2ULL << 56);
  hashKey.low = hashKey.low << 1 ^ (carry & 1);
  const Block first = V::block(hashKey.high, hashKey.low);
  Block power = first;
  for (std::size_t exponent = 1; exponent <= kGcmPowers; exponent++) {
    V::store(ready.powers + kGcmBlockBytes * (kGcmPowers - exponent), power);
    Product product = nothing();
    multiplyAdd(product, power, first);
    power = reduce(product);
  }
}
