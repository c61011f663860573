// A GRU over the slots of episodes, forward and back, for modules/compiled.py.
//
//   r, z = sigmoid(W_rz x + V_rz h);  n = tanh(W_n x + r (V_n h));  h' = n + z (h - n)
//
// all with biases. Rows are laid slot by slot, the longest episodes first, so the rows that go on are
// the first ones of the slot before. They are independent of each other: a block of them is walked
// through all its slots while its numbers are in the processor's caches, and threads share out the
// blocks. All products are made here, from weights that are packed once a call, in tiles that stay in
// registers.
//
// A row has four parts side by side, n, r, z and m = V_n h: the first three hear of x, the last three
// of h. In memory each part has P numbers, H filled up to whole vectors.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

// Numbers of a vector, and rows of the tiles: accumulators and operands fill the registers.
#if defined(__AVX512F__)
constexpr int W = 16, GATE_ROWS = 8, ROWS = 12;
#elif defined(__AVX__)
constexpr int W = 8, GATE_ROWS = 4, ROWS = 6;
#else
constexpr int W = 4, GATE_ROWS = 4, ROWS = 6;
#endif
constexpr int COLUMNS = 2 * W;  // of a tile
constexpr std::int64_t BLOCK = 96;  // rows, at most: a multiple of all tiles

#if defined(__clang__)
#define UNROLLED _Pragma("unroll 4")
#else
#define UNROLLED _Pragma("GCC unroll 4")
#endif

using Size = std::int64_t;
typedef float Vector __attribute__((vector_size(4 * W)));
typedef float Anywhere __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef std::int32_t Whole __attribute__((vector_size(4 * W)));

inline Vector load(const float* from) { return *reinterpret_cast<const Anywhere*>(from); }
inline void store(float* to, Vector v) { *reinterpret_cast<Anywhere*>(to) = v; }

// The same where a row may end before the vector does.
inline Vector load(const float* from, Size left) {
  if (left >= W) return load(from);
  Vector v{};
  std::memcpy(&v, from, left * sizeof(float));
  return v;
}
inline void store(float* to, Vector v, Size left) {
  if (left >= W)
    store(to, v);
  else
    std::memcpy(to, &v, left * sizeof(float));
}

// To a unit in the last place or two: 2^k exp(f) with |f| <= log(2) / 2 and a polynomial for exp(f).
inline Vector exponential(Vector x) {
  constexpr float largest = 87.0f, to_whole = 12582912.0f;  // 1.5 * 2^23: adding it rounds
  x = x > largest ? Vector{} + largest : x;
  x = x < -largest ? Vector{} - largest : x;
  const Vector k = (x * 1.44269504f + to_whole) - to_whole;
  const Vector f = (x - k * 0.693359375f) + k * 2.12194440e-4f;  // log(2) in two parts
  Vector p = 1.9875691500e-4f * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * (f * f) + f + 1.0f;
  const Whole bits = (__builtin_convertvector(k, Whole) + 127) << 23;
  Vector power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

inline Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

Size up_to(Size n, Size unit) { return (n + unit - 1) / unit * unit; }

// Zeros, aligned to cache lines.
class Memory {
 public:
  explicit Memory(Size n) : all_(new float[n + 16]()) {
    const auto address = reinterpret_cast<std::uintptr_t>(all_.get());
    data_ = reinterpret_cast<float*>((address + 63) & ~std::uintptr_t(63));
  }
  float* operator+(Size n) const { return data_ + n; }

 private:
  std::unique_ptr<float[]> all_;
  float* data_;
};

// What both passes are given.
struct Rows {
  Size n_slots, F, H, P;
  const Size* sizes;          // rows of each slot
  std::vector<Size> begins;   // and where they begin
  const float *x, *start;     // (rows, F), (sizes[0], H)
  const float* hidden;        // (rows, H)

  Rows(Size n_slots, const Size* sizes, Size F, Size H, const float* x, const float* start,
       const float* hidden)
      : n_slots(n_slots), F(F), H(H), P(up_to(H, W)), sizes(sizes), x(x), start(start), hidden(hidden) {
    Size begin = 0;
    for (Size t = 0; t < n_slots; ++t) {
      begins.push_back(begin);
      begin += sizes[t];
    }
  }
  // The hidden states from which slot t begins, of the rows from `first` on.
  const float* before(Size t, Size first) const {
    return t ? hidden + (begins[t - 1] + first) * H : start + first * H;
  }
};

// Calls work(thread, first, last) for blocks of rows.
template <class Work>
void in_blocks(Size n_rows, Size n_threads, const Work& work) {
  const Size block = std::min(BLOCK, up_to((n_rows + n_threads - 1) / n_threads, ROWS));
  const auto share = [&](Size thread) {
    for (Size first = thread * block; first < n_rows; first += n_threads * block)
      work(thread, first, std::min(n_rows, first + block));
  };
  std::vector<std::thread> others;
  for (Size thread = 1; thread < n_threads; ++thread) others.emplace_back(share, thread);
  share(0);
  for (auto& other : others) other.join();
}

// Calls tile(integral_constant<rows>, first): tiles of R rows, then of half as many ...
template <int R, class Tile>
inline void in_tiles(Size n_rows, const Tile& tile, Size first = 0) {
  for (; first + R <= n_rows; first += R) tile(std::integral_constant<int, R>(), first);
  if constexpr (R > 1) in_tiles<R / 2>(n_rows, tile, first);
}

// ---------------------------------------------------------------- forward

class Forward {
 public:
  Forward(const Rows& rows, const float* w, const float* v, const float* b_w, const float* b_v,
          float* hidden, float* parts)
      : rows_(rows), w_(3 * rows.P * rows.F), v_(3 * rows.P * rows.H), bias_(4 * rows.P),
        hidden_(hidden), parts_(parts) {
    const Size H = rows.H, P = rows.P;
    pack(w, rows.F, w_ + 0);
    pack(v, H, v_ + 0);
    for (Size u = 0; u < H; ++u) {
      (bias_ + 0)[u] = b_w[2 * H + u];
      (bias_ + P)[u] = b_w[u] + b_v[u];
      (bias_ + 2 * P)[u] = b_w[H + u] + b_v[H + u];
      (bias_ + 3 * P)[u] = b_v[2 * H + u];
    }
  }

  void block(Size first, Size last) const {
    for (Size t = 0; t < rows_.n_slots && rows_.sizes[t] > first; ++t) {
      const Size n = std::min(last, rows_.sizes[t]) - first, at = rows_.begins[t] + first;
      const float* before = rows_.before(t, first);
      for (Size u = 0; u < rows_.H; u += W)
        in_tiles<GATE_ROWS>(n, [&](auto R, Size i) {
          tile<R>(u, at + i, before + i * rows_.H);
        });
    }
  }

 private:
  // (3H, n) in PyTorch's order r, z, n -> for W units at a time: (n, 3, W)
  void pack(const float* weights, Size n, float* to) const {
    for (Size u = 0; u < rows_.H; u += W)
      for (int part = 0; part < 3; ++part)
        for (Size lane = 0; lane < std::min<Size>(W, rows_.H - u); ++lane) {
          const float* from = weights + (part * rows_.H + u + lane) * n;
          for (Size k = 0; k < n; ++k) to[3 * (u * n + k * W) + part * W + lane] = from[k];
        }
  }

  // W units, from u on, of R rows.
  template <int R>
  void tile(Size u, Size row, const float* before) const {
    const Size F = rows_.F, H = rows_.H, P = rows_.P;
    const float *x = rows_.x + row * F, *w = w_ + 3 * u * F, *v = v_ + 3 * u * H;
    Vector n[R], r[R], z[R], m[R];
    for (int i = 0; i < R; ++i) {
      n[i] = load(bias_ + u);
      r[i] = load(bias_ + (P + u));
      z[i] = load(bias_ + (2 * P + u));
    }
    UNROLLED
    for (Size k = 0; k < F; ++k, w += 3 * W) {
      const Vector w_r = load(w), w_z = load(w + W), w_n = load(w + 2 * W);
      for (int i = 0; i < R; ++i) {
        const float x_k = x[i * F + k];
        r[i] += x_k * w_r;
        z[i] += x_k * w_z;
        n[i] += x_k * w_n;
      }
    }
    for (int i = 0; i < R; ++i) m[i] = load(bias_ + (3 * P + u));
    UNROLLED
    for (Size k = 0; k < H; ++k, v += 3 * W) {
      const Vector v_r = load(v), v_z = load(v + W), v_n = load(v + 2 * W);
      for (int i = 0; i < R; ++i) {
        const float h_k = before[i * H + k];
        r[i] += h_k * v_r;
        z[i] += h_k * v_z;
        m[i] += h_k * v_n;
      }
    }
    for (int i = 0; i < R; ++i) {
      r[i] = sigmoid(r[i]);
      z[i] = sigmoid(z[i]);
      n[i] = 2.0f * sigmoid(2.0f * (n[i] + r[i] * m[i])) - 1.0f;  // tanh
      const Vector h = load(before + i * H + u, H - u);
      store(hidden_ + (row + i) * H + u, n[i] + z[i] * (h - n[i]), H - u);
      if (!parts_) continue;
      float* parts = parts_ + (row + i) * 4 * P + u;
      store(parts, n[i]);
      store(parts + P, r[i]);
      store(parts + 2 * P, z[i]);
      store(parts + 3 * P, m[i]);
    }
  }

  const Rows& rows_;
  Memory w_, v_, bias_;
  float *hidden_, *parts_;
};

// ---------------------------------------------------------------- backward

// R rows of a (., K) times packed columns, into `to` (., ld), of which `left` columns are there.
template <int R>
void times(const float* a, Size lda, Size K, const float* packed, float* to, Size ld, Size left,
           bool add) {
  Vector low[R], high[R];
  for (int i = 0; i < R; ++i) low[i] = high[i] = Vector{};
  UNROLLED
  for (Size k = 0; k < K; ++k, packed += COLUMNS) {
    const Vector p_low = load(packed), p_high = load(packed + W);
    for (int i = 0; i < R; ++i) {
      const float a_k = a[i * lda + k];
      low[i] += a_k * p_low;
      high[i] += a_k * p_high;
    }
  }
  for (int i = 0; i < R; ++i, to += ld) {
    store(to, add ? load(to, left) + low[i] : low[i], left);
    if (left > W) store(to + W, add ? load(to + W, left - W) + high[i] : high[i], left - W);
  }
}

// R columns of a, over its rows, times COLUMNS of b: added to `to`.
template <int R>
void over_rows(Size n_rows, const float* a, Size lda, const float* b, Size ldb, float* to, Size ld) {
  Vector low[R], high[R];
  for (int i = 0; i < R; ++i) low[i] = high[i] = Vector{};
  UNROLLED
  for (Size k = 0; k < n_rows; ++k, a += lda, b += ldb) {
    const Vector b_low = load(b), b_high = load(b + W);
    for (int i = 0; i < R; ++i) {
      low[i] += a[i] * b_low;
      high[i] += a[i] * b_high;
    }
  }
  for (int i = 0; i < R; ++i, to += ld) {
    store(to, load(to) + low[i]);
    store(to + W, load(to + W) + high[i]);
  }
}

// What a thread adds up, and room for a block of rows. Widths are filled up to whole tiles.
struct Sums {
  Size F, H;
  Memory w, v, bias;                 // (3P, F), (3P, H), (4P)
  Memory of_slot, parts, h, x, before;  // of a block: bias, gradients of parts and hidden states; copies

  explicit Sums(const Rows& rows)
      : F(up_to(rows.F, COLUMNS)), H(up_to(rows.H, COLUMNS)), w(3 * rows.P * F), v(3 * rows.P * H),
        bias(4 * rows.P), of_slot(4 * rows.P), parts(BLOCK * 4 * rows.P), h(BLOCK * H), x(BLOCK * F), before(BLOCK * H) {}
};

class Backward {
 public:
  // parts (rows, 4P), d_hidden (rows, H) -> d_x (rows, F), if it is asked for, and sums
  Backward(const Rows& rows, const float* w, const float* v, const float* parts,
           const float* d_hidden, float* d_x)
      : rows_(rows), w_(3 * rows.P * up_to(rows.F, COLUMNS)), v_(3 * rows.P * up_to(rows.H, COLUMNS)),
        parts_(parts), d_hidden_(d_hidden), d_x_(d_x) {
    constexpr int of_x[] = {2, 0, 1}, of_h[] = {0, 1, 2};  // n, r, z; r, z, m
    for (int part = 0; part < 3; ++part) {
      pack(w + of_x[part] * rows.H * rows.F, rows.F, part, w_ + 0);
      pack(v + of_h[part] * rows.H * rows.H, rows.H, part, v_ + 0);
    }
  }

  void block(Size first, Size last, const Sums& sums) const {
    const Size F = rows_.F, H = rows_.H, P = rows_.P;
    Size t = 0;
    while (t < rows_.n_slots && rows_.sizes[t] > first) ++t;
    std::fill(sums.h + 0, sums.h + BLOCK * sums.H, 0.0f);
    while (t--) {
      const Size n = std::min(last, rows_.sizes[t]) - first, at = rows_.begins[t] + first;
      const float *x = rows_.x + at * F, *before = rows_.before(t, first);
      through_gates(n, at, before, sums);
      if (t) all_times(n, sums.parts + P, v_ + 0, H, sums.h + 0, sums.H, true);
      if (d_x_) all_times(n, sums.parts + 0, w_ + 0, F, d_x_ + at * F, F, false);
      all_over_rows(n, sums.parts + 0, whole_tiles(x, n, F, sums.F, sums.x), sums.F, sums.w + 0);
      all_over_rows(n, sums.parts + P, whole_tiles(before, n, H, sums.H, sums.before), sums.H,
                    sums.v + 0);
    }
  }

  void add(const Sums& sums, float* d_w, float* d_v, float* d_b_w, float* d_b_v) const {
    const Size F = rows_.F, H = rows_.H, P = rows_.P;
    for (Size u = 0; u < H; ++u)
      for (int part = 0; part < 3; ++part) {  // r, z, n
        const Size of_x = (part + 1) % 3 * P + u, to = part * H + u;
        for (Size k = 0; k < F; ++k) d_w[to * F + k] += (sums.w + of_x * sums.F)[k];
        for (Size k = 0; k < H; ++k) d_v[to * H + k] += (sums.v + (part * P + u) * sums.H)[k];
        d_b_w[to] += (sums.bias + of_x)[0];
        d_b_v[to] += (sums.bias + (part + 1) * P + u)[0];
      }
  }

 private:
  // (H, n) of one of three parts -> for COLUMNS at a time: (3P, COLUMNS)
  void pack(const float* weights, Size n, int part, float* to) const {
    const Size P = rows_.P;
    for (Size u = 0; u < rows_.H; ++u)
      for (Size k = 0; k < n; ++k)
        to[(k / COLUMNS * 3 * P + part * P + u) * COLUMNS + k % COLUMNS] = weights[u * n + k];
  }

  // From the gradient of hidden states to that of the parts, before their activations.
  void through_gates(Size n_rows, Size row, const float* before, const Sums& sums) const {
    const Size H = rows_.H, P = rows_.P;
    std::fill(sums.of_slot + 0, sums.of_slot + 4 * P, 0.0f);
    for (Size i = 0; i < n_rows; ++i)
      for (Size u = 0; u < P; u += W) {
        const float* parts = parts_ + (row + i) * 4 * P + u;
        const Vector n = load(parts), r = load(parts + P), z = load(parts + 2 * P),
                     m = load(parts + 3 * P);
        float* d_before = sums.h + (i * sums.H + u);
        const Vector d_h = load(d_hidden_ + (row + i) * H + u, H - u) + load(d_before);
        const Vector h = load(before + i * H + u, H - u);
        const Vector d_n = d_h * (1.0f - z) * (1.0f - n * n), d_m = d_n * r;
        const Vector d_r = d_m * m * (1.0f - r), d_z = d_h * (h - n) * z * (1.0f - z);
        store(d_before, d_h * z);
        const Vector d_parts[] = {d_n, d_r, d_z, d_m};
        for (int part = 0; part < 4; ++part) {
          float* bias = sums.of_slot + (part * P + u);
          store(sums.parts + ((i * 4 + part) * P + u), d_parts[part]);
          store(bias, load(bias) + d_parts[part]);
        }
      }
    for (Size k = 0; k < 4 * P; ++k) (sums.bias + 0)[k] += (sums.of_slot + 0)[k];
  }

  // d_parts (n_rows, 3P) of wider rows, times weights (3P, n)
  void all_times(Size n_rows, const float* d_parts, const float* packed, Size n, float* to, Size ld,
                 bool add) const {
    const Size P = rows_.P;
    in_tiles<ROWS>(n_rows, [&](auto R, Size i) {
      for (Size k = 0; k < n; k += COLUMNS)
        times<R>(d_parts + i * 4 * P, 4 * P, 3 * P, packed + k * 3 * P, to + i * ld + k, ld, n - k,
                 add);
    });
  }

  // d_parts' (3P, n_rows) b (n_rows, n), added to `to`
  void all_over_rows(Size n_rows, const float* d_parts, const float* b, Size n, float* to) const {
    for (Size k = 0; k < n; k += COLUMNS)
      in_tiles<ROWS>(3 * rows_.P, [&](auto R, Size i) {
        over_rows<R>(n_rows, d_parts + i, 4 * rows_.P, b + k, n, to + i * n + k, n);
      });
  }

  // Rows of `width` as they are, or a copy that is filled up.
  static const float* whole_tiles(const float* rows, Size n, Size width, Size filled,
                                  const Memory& room) {
    if (width == filled) return rows;
    for (Size i = 0; i < n; ++i) std::copy_n(rows + i * width, width, room + i * filled);
    return room + 0;
  }

  const Rows& rows_;
  Memory w_, v_;
  const float *parts_, *d_hidden_;
  float* d_x_;
};

}  // namespace

extern "C" {

// Numbers of a vector: parts have H numbers each, filled up to a multiple of it.
Size gru_vector() { return W; }

// Weights and biases as GRUCell has them; parts (rows, 4P) are kept for `gru_backward` if not null.
void gru_forward(const float* x, const float* w, const float* v, const float* b_w, const float* b_v,
                 const float* start, const Size* sizes, Size n_slots, Size F, Size H,
                 Size n_threads, float* hidden, float* parts) {
  const Rows rows(n_slots, sizes, F, H, x, start, hidden);
  const Forward forward(rows, w, v, b_w, b_v, hidden, parts);
  in_blocks(n_slots ? sizes[0] : 0, n_threads,
            [&](Size, Size first, Size last) { forward.block(first, last); });
}

// d_x may be null; the gradients of weights and biases are added to what is there.
void gru_backward(const float* x, const float* w, const float* v, const float* start,
                  const Size* sizes, Size n_slots, Size F, Size H, Size n_threads,
                  const float* hidden, const float* parts, const float* d_hidden, float* d_x,
                  float* d_w, float* d_v, float* d_b_w, float* d_b_v) {
  const Rows rows(n_slots, sizes, F, H, x, start, hidden);
  const Backward backward(rows, w, v, parts, d_hidden, d_x);
  std::vector<Sums> sums;
  for (Size thread = 0; thread < n_threads; ++thread) sums.emplace_back(rows);
  in_blocks(n_slots ? sizes[0] : 0, n_threads, [&](Size thread, Size first, Size last) {
    backward.block(first, last, sums[thread]);
  });
  for (const Sums& each : sums) backward.add(each, d_w, d_v, d_b_w, d_b_v);
}
}
