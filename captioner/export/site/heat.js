/** Attention as colour over a photograph. The same as `captioner/overlay/heat.py`. */

import { bicubicTaps } from "./resize.js";

const ENLARGED = 10; // pixels of a region; the browser enlarges the rest
const PLACES = [
  ["upper left", "top", "upper right"],
  ["left", "centre", "right"],
  ["lower left", "bottom", "lower right"],
];

/**
 * The upper end of the scale that all words share, in multiples of even attention.
 * @param {import("./captioner.js").Word[]} words
 */
export function heatLimit(words) {
  return Math.max(2, ...words.map(({ attention }) => Math.max(...attention) * attention.length));
}

/**
 * @param {Float32Array} attention `[h * w]`, which sums to 1
 * @param {import("./captioner.js").About} about
 * @param {number} limit of the scale
 * @returns {HTMLCanvasElement} the heat without the photograph; more opaque where it is hotter
 */
export function heatLayer(attention, { grid, colours }, limit) {
  const [height, width] = grid.map((side) => side * ENLARGED);
  const heat = enlarge(attention, grid, [height, width]);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let i = 0; i < heat.length; i++) {
    const share = Math.min(1, Math.max(0, (heat[i] * attention.length) / limit));
    const colour = colours[Math.min(colours.length - 1, Math.trunc(share * colours.length))];
    image.data.set(colour, 4 * i);
    image.data[4 * i + 3] = Math.round(255 * (0.3 + 0.45 * share));
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A description of the attention of a word, for people who do not see the picture.
 * @param {import("./captioner.js").Word} word
 * @param {[number, number]} grid
 */
export function describeWord({ word, probability, attention }, [height, width]) {
  const peak = attention.indexOf(Math.max(...attention));
  const multiple = attention[peak] * attention.length;
  const row = Math.trunc(((Math.trunc(peak / width) + 0.5) * 3) / height);
  const column = Math.trunc((((peak % width) + 0.5) * 3) / width);
  const look =
    multiple < 1.5
      ? "looked all over the photograph"
      : `looked most at the ${PLACES[row][column]}, ${multiple.toFixed(1)} times an even look`;
  return `${word}: probability ${probability.toFixed(2)}, ${look}`;
}

/**
 * @param {Float32Array} map
 * @param {[number, number]} from rows and columns
 * @param {number[]} to rows and columns
 */
function enlarge(map, [rows, columns], [height, width]) {
  return resizeRows(resizeRows(map, rows, bicubicTaps(columns, width)), width, bicubicTaps(rows, height));
}

/**
 * Resizes all rows, and exchanges rows and columns.
 * @param {ArrayLike<number>} map
 * @param {number} rows
 * @param {import("./resize.js").Taps} taps
 */
function resizeRows(map, rows, { starts, counts, weights, width }) {
  const result = new Float64Array(starts.length * rows);
  for (let y = 0; y < rows; y++) {
    const row = (y * map.length) / rows;
    for (let x = 0; x < starts.length; x++) {
      let sum = 0;
      for (let k = 0; k < counts[x]; k++) sum += map[row + starts[x] + k] * weights[x * width + k];
      result[x * rows + y] = sum;
    }
  }
  return result;
}
