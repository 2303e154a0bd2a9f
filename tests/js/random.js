// A small seeded generator: property tests that fail the same way each time.

export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    // mulberry32, in the public domain
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low, high) => low + next() * (high - low);
  const whole = (low, high) => Math.floor(between(low, high + 1));
  const pick = (list) => list[whole(0, list.length - 1)];
  return { next, between, whole, pick };
}

// Calls `check(random)` so many times, each time with numbers of its own, and says which seed failed.
export function forMany(count, check) {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      check(randomFrom(seed));
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}

export function randomSize(random) {
  return { width: random.whole(2, 5_000), height: random.whole(2, 5_000) };
}

export function randomPoint(random, { width, height }, beyond = 0) {
  return [
    random.between(-beyond * width, (1 + beyond) * width),
    random.between(-beyond * height, (1 + beyond) * height),
  ];
}

// A box inside the image, 2 × 2 pixels at least.
export function randomBox(random, size) {
  const width = random.between(2, size.width);
  const height = random.between(2, size.height);
  return {
    label: random.pick(["apple", "pear"]),
    left: random.between(0, size.width - width),
    top: random.between(0, size.height - height),
    width,
    height,
    polygon: null,
  };
}

export function isWithin({ left, top, width, height }, size, slack = 1e-6) {
  return (
    left >= -slack &&
    top >= -slack &&
    left + width <= size.width + slack &&
    top + height <= size.height + slack
  );
}
