/**
 * Pillow's bicubic resize, number for number: an antialiased filter, 8-bit between its two passes.
 * A browser's own resize differs between browsers, and the model was trained on this one.
 */

const BITS = 22; // of a fixed-point weight after the point
const HALF = 1 << (BITS - 1);
const SUPPORT = 2; // of the filter, in pixels of the smaller picture
const SHARPNESS = -0.5; // the "a" of the bicubic filter

/**
 * The input pixels of each output pixel, along one side.
 * @typedef {object} Taps
 * @property {Int32Array} starts the first input pixel of each output pixel
 * @property {Int32Array} counts how many it reads
 * @property {Float64Array} weights `width` for each output pixel; those read sum to 1
 * @property {number} width
 */

/**
 * @param {number} from the input's pixels along one side
 * @param {number} to the output's
 * @returns {Taps}
 */
export function bicubicTaps(from, to) {
  const scale = from / to;
  const stretch = Math.max(scale, 1); // the filter widens where it shrinks a picture
  const support = SUPPORT * stretch;
  const width = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Float64Array(to * width);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
    const taps = weights.subarray(i * width, i * width + count);
    let sum = 0;
    for (let j = 0; j < count; j++) {
      taps[j] = bicubic((j + start - centre + 0.5) / stretch);
      sum += taps[j];
    }
    for (let j = 0; j < count; j++) taps[j] /= sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, width };
}

/** @param {number} x */
function bicubic(x) {
  x = Math.abs(x);
  if (x < 1) return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * SHARPNESS;
  return 0;
}

/**
 * Whether Pillow (version 13) resizes along the columns first, which rounds in another way. It does so
 * for pictures that are much higher than wide.
 * @param {number} width of the picture
 * @param {number} height of the picture
 * @param {number} size of the square
 */
export function columnsFirst(width, height, size) {
  return height > size && height - size > 2 * (width - size);
}

/**
 * @param {Uint8Array} square `[S, S, 3]`
 * @param {number} size
 * @returns {Uint8Array} with rows and columns exchanged
 */
export function transposed(square, size) {
  const result = new Uint8Array(square.length);
  for (let i = 0; i < size * size; i++) {
    const source = 3 * ((i % size) * size + Math.trunc(i / size));
    result.set(square.subarray(source, source + 3), 3 * i);
  }
  return result;
}

/**
 * A picture that comes in strips of rows and is squashed to a square, along the rows first. The sums
 * fit into 32 bits, since positive weights sum to less than 1.2.
 */
export class Squasher {
  /**
   * @param {number} width of the picture
   * @param {number} height of the picture
   * @param {number} size of the square
   */
  constructor(width, height, size) {
    this.width = width;
    this.height = height;
    this.size = size;
    this.across = width === size ? null : fixedPoint(bicubicTaps(width, size));
    this.narrow = new Uint8Array(height * size * 3);
  }

  /**
   * @param {number} top the first row of the strip
   * @param {Uint8Array | Uint8ClampedArray} rgba its rows, from left to right
   */
  add(top, rgba) {
    const rows = rgba.length / (4 * this.width);
    for (let y = 0; y < rows; y++) this.#addRow((top + y) * this.size * 3, rgba, y * this.width * 4);
  }

  /**
   * @param {number} target
   * @param {Uint8Array | Uint8ClampedArray} rgba
   * @param {number} source
   */
  #addRow(target, rgba, source) {
    const { size, narrow } = this;
    if (!this.across) {
      for (let x = 0; x < 3 * size; x++) narrow[target + x] = rgba[source + 4 * Math.trunc(x / 3) + (x % 3)];
      return;
    }
    const { starts, counts, weights, width } = this.across;
    for (let x = 0; x < size; x++, target += 3) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let at = source + 4 * starts[x];
      const last = x * width + counts[x];
      for (let k = x * width; k < last; k++, at += 4) {
        const weight = weights[k];
        red = (red + Math.imul(rgba[at], weight)) | 0;
        green = (green + Math.imul(rgba[at + 1], weight)) | 0;
        blue = (blue + Math.imul(rgba[at + 2], weight)) | 0;
      }
      narrow[target] = byte(red);
      narrow[target + 1] = byte(green);
      narrow[target + 2] = byte(blue);
    }
  }

  /**
   * The square, once all strips were added.
   * @returns {Uint8Array} `[size, size, 3]`
   */
  square() {
    const { size, height, narrow } = this;
    if (height === size) return narrow;
    const { starts, counts, weights, width } = fixedPoint(bicubicTaps(height, size));
    const row = size * 3;
    const square = new Uint8Array(size * row);
    const sums = new Int32Array(row);
    for (let y = 0; y < size; y++) {
      sums.fill(HALF);
      for (let k = 0; k < counts[y]; k++) {
        const weight = weights[y * width + k];
        const from = (starts[y] + k) * row;
        for (let x = 0; x < row; x++) sums[x] += Math.imul(narrow[from + x], weight);
      }
      for (let x = 0; x < row; x++) square[y * row + x] = byte(sums[x]);
    }
    return square;
  }
}

/** @param {Taps} taps */
function fixedPoint(taps) {
  const weights = Int32Array.from(taps.weights, (w) => Math.trunc(w * 2 ** BITS + Math.sign(w) / 2));
  return { ...taps, weights };
}

/** @param {number} sum in fixed point */
function byte(sum) {
  return Math.min(255, Math.max(0, sum >> BITS));
}
