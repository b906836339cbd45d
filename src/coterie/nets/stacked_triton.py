"""The three products of ``stacked_kernels`` as Triton compiles them: what one program computes of its result.

A program has ``rows`` x ``columns`` sums, over ``depth`` products at a time, of one run (the last axis of the grid).
Maps come with their strides (b, r, c, h, w); kernels are 5 x 5, so 25 taps, row by row. how: "tf32", or "ieee"
(float32).
"""

import triton
import triton.language as tl


@triton.jit
def conv(
    x, w, bias, y, b, c_in, c_out, h_in, w_in, h_out, w_out, first_h, first_w,
    xb, xr, xc, xh, xw, yb, yr, yc, yh, yw,
    stride: tl.constexpr, has_bias: tl.constexpr, how: tl.constexpr,
    rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr,
):  # fmt: skip
    """y of x (b, r, c_in, h_in, w_in) and w (r, c_out, 25, c_in)."""
    run = tl.program_id(2)
    m, n = tl.program_id(0) * rows + tl.arange(0, rows), tl.program_id(1) * columns + tl.arange(0, columns)
    image, pixel = m // (h_out * w_out), m % (h_out * w_out)
    row, column = pixel // w_out, pixel % w_out
    top, left = row * stride - first_h, column * stride - first_w
    x += run.to(tl.int64) * xr + image.to(tl.int64) * xb
    w += run.to(tl.int64) * c_out * 25 * c_in
    total = 25 * c_in
    sums = tl.zeros((rows, columns), tl.float32)
    for start in range(0, total, depth):
        k = start + tl.arange(0, depth)
        tap, c = k // c_in, k % c_in
        at_h, at_w = top[:, None] + (tap // 5)[None, :], left[:, None] + (tap % 5)[None, :]
        inside = (at_h >= 0) & (at_h < h_in) & (at_w >= 0) & (at_w < w_in)
        inside &= (image < b)[:, None] & (k < total)[None, :]
        seen = tl.load(x[:, None] + c[None, :] * xc + at_h * xh + at_w * xw, inside, 0.0)
        weights = tl.load(w + n[None, :] * total + k[:, None], (n < c_out)[None, :] & (k < total)[:, None], 0.0)
        sums = tl.dot(seen, weights, sums, input_precision=how)
    if has_bias:
        sums += tl.load(bias + run * c_out + n, n < c_out, 0.0)[None, :]
    place = y + run.to(tl.int64) * yr + image.to(tl.int64) * yb + row * yh + column * yw
    tl.store(place[:, None] + n[None, :] * yc, sums, (image < b)[:, None] & (n < c_out)[None, :])


@triton.jit
def transposed(
    y, w, x, b, c_in, c_out, h_in, w_in, h_out, w_out, first_h, first_w,
    xb, xr, xc, xh, xw, yb, yr, yc, yh, yw,
    stride: tl.constexpr, how: tl.constexpr,
    rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr,
):  # fmt: skip
    """x of y (b, r, c_out, h_out, w_out) and w (r, 25, c_in, c_out)."""
    run, parity = tl.program_id(2) // (stride * stride), tl.program_id(2) % (stride * stride)
    odd_h, odd_w = parity // stride, parity % stride
    some_h = tl.maximum((h_in - odd_h + stride - 1) // stride, 1)  # none where a side is one pixel
    some_w = tl.maximum((w_in - odd_w + stride - 1) // stride, 1)
    m, n = tl.program_id(0) * rows + tl.arange(0, rows), tl.program_id(1) * columns + tl.arange(0, columns)
    image, pixel = m // (some_h * some_w), m % (some_h * some_w)
    row, column = (pixel // some_w) * stride + odd_h, (pixel % some_w) * stride + odd_w
    tap_h, tap_w = (odd_h + first_h) % stride, (odd_w + first_w) % stride  # the first tap that meets such a pixel
    taps_h, taps_w = (5 - tap_h + stride - 1) // stride, (5 - tap_w + stride - 1) // stride
    from_h, from_w = (row + first_h - tap_h) // stride, (column + first_w - tap_w) // stride
    y += run.to(tl.int64) * yr + image.to(tl.int64) * yb
    w += run.to(tl.int64) * 25 * c_in * c_out
    total = taps_h * taps_w * c_out
    sums = tl.zeros((rows, columns), tl.float32)
    for start in range(0, total, depth):
        k = start + tl.arange(0, depth)
        step, o = k // c_out, k % c_out
        step_h, step_w = step // taps_w, step % taps_w
        at_h, at_w = from_h[:, None] - step_h[None, :], from_w[:, None] - step_w[None, :]
        inside = (at_h >= 0) & (at_h < h_out) & (at_w >= 0) & (at_w < w_out)
        inside &= (image < b)[:, None] & (k < total)[None, :]
        seen = tl.load(y[:, None] + o[None, :] * yc + at_h * yh + at_w * yw, inside, 0.0)
        tap = (tap_h + step_h * stride) * 5 + tap_w + step_w * stride
        of = (n < c_in)[None, :] & (k < total)[:, None]
        weights = tl.load(w + (tap * c_in)[:, None] * c_out + n[None, :] * c_out + o[:, None], of, 0.0)
        sums = tl.dot(seen, weights, sums, input_precision=how)
    place = x + run.to(tl.int64) * xr + image.to(tl.int64) * xb + row * xh + column * xw
    real = (image < b) & (row < h_in) & (column < w_in)
    tl.store(place[:, None] + n[None, :] * xc, sums, real[:, None] & (n < c_in)[None, :])


@triton.jit
def of_weights(
    x, y, w, b, c_in, c_out, h_in, w_in, h_out, w_out, first_h, first_w,
    xb, xr, xc, xh, xw, yb, yr, yc, yh, yw, n_runs, length,
    stride: tl.constexpr, flat: tl.constexpr, how: tl.constexpr,
    rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr,
):  # fmt: skip
    """Parts of w (parts, r, 25, c_in, c_out), each of ``length`` of the b h_out w_out pixels, to be summed."""
    run, part = tl.program_id(2) % n_runs, tl.program_id(2) // n_runs
    if flat:
        m = tl.program_id(0) * rows + tl.arange(0, rows)
        tap, c, within = m // c_in, m % c_in, m < 25 * c_in
    else:  # all rows of one tap
        blocks = tl.cdiv(c_in, rows)
        tap, c = tl.program_id(0) // blocks, (tl.program_id(0) % blocks) * rows + tl.arange(0, rows)
        m, within = tap * c_in + c, c < c_in
    n = tl.program_id(1) * columns + tl.arange(0, columns)
    tap_h, tap_w = tap // 5 - first_h, tap % 5 - first_w
    x += run.to(tl.int64) * xr
    y += run.to(tl.int64) * yr
    end = min((part + 1) * length, b * h_out * w_out)
    sums = tl.zeros((rows, columns), tl.float32)
    for start in range(part * length, end, depth):
        k = start + tl.arange(0, depth)
        image, pixel = (k // (h_out * w_out)).to(tl.int64), k % (h_out * w_out)
        row, column = pixel // w_out, pixel % w_out
        if flat:
            at_h, at_w = (row * stride)[None, :] + tap_h[:, None], (column * stride)[None, :] + tap_w[:, None]
            inside = (at_h >= 0) & (at_h < h_in) & (at_w >= 0) & (at_w < w_in) & (k < end)[None, :]
            place = x + (image * xb)[None, :] + (c * xc)[:, None] + at_h * xh + at_w * xw
            seen = tl.load(place, inside & within[:, None], 0.0)
        else:
            at_h, at_w = row * stride + tap_h, column * stride + tap_w
            inside = (at_h >= 0) & (at_h < h_in) & (at_w >= 0) & (at_w < w_in) & (k < end)
            place = (x + image * xb + at_h * xh + at_w * xw)[None, :] + (c * xc)[:, None]
            seen = tl.load(place, inside[None, :] & within[:, None], 0.0)
        place = (y + image * yb + row * yh + column * yw)[:, None] + (n * yc)[None, :]
        given = tl.load(place, (k < end)[:, None] & (n < c_out)[None, :], 0.0)
        if how == "ieee":
            sums = tl.dot(seen, given, sums, input_precision=how)
        else:  # high and low halves; the product of the low ones is beyond float32
            seen_high, given_high = seen.to(tl.bfloat16), given.to(tl.bfloat16)
            seen_low = (seen - seen_high.to(tl.float32)).to(tl.bfloat16)
            given_low = (given - given_high.to(tl.float32)).to(tl.bfloat16)
            sums = tl.dot(seen_low, given_high, sums)
            sums = tl.dot(seen_high, given_low, sums)
            sums = tl.dot(seen_high, given_high, sums)
    place = w + ((part * n_runs + run).to(tl.int64) * 25 * c_in + m[:, None]) * c_out + n[None, :]
    tl.store(place, sums, within[:, None] & (n < c_out)[None, :])
