/** A photograph as the model sees it: upright, RGB on white, squashed to a square. */

import { takeOrientation } from "./exif.js";
import { columnsFirst, Squasher, transposed } from "./resize.js";

const ROWS = 64; // of a strip; a canvas for all of a large photograph would take much memory

// Of each orientation, the one whose picture has rows and columns exchanged.
const EXCHANGED = [0, 5, 8, 7, 6, 1, 4, 3, 2];

/** A photograph that cannot be used. */
export class PhotographError extends Error {
  name = "PhotographError";
}

/**
 * @param {Blob} file of a format that the browser reads
 * @param {number} size of the square
 * @returns {Promise<Uint8Array>} `[size, size, 3]`
 * @throws {PhotographError} the browser cannot read it
 */
export async function loadPhotograph(file, size) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const orientation = takeOrientation(bytes);
  const bitmap = await decode(new Blob([bytes], { type: file.type }));
  try {
    return squash(bitmap, orientation, size);
  } finally {
    bitmap.close();
  }
}

/** @param {Blob} file */
async function decode(file) {
  try {
    // The numbers in the file, as in training; no profile of a screen may change them.
    return await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new PhotographError(
      "This file is damaged, or this browser cannot read its format. Choose a JPEG, PNG or WebP file.",
    );
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} orientation 1 to 8, as EXIF numbers them
 * @param {number} size
 */
function squash(bitmap, orientation, size) {
  const [width, height] = sides(bitmap, orientation);
  return columnsFirst(width, height, size)
    ? transposed(squashRows(bitmap, EXCHANGED[orientation], size), size)
    : squashRows(bitmap, orientation, size);
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} orientation
 * @param {number} size
 */
function squashRows(bitmap, orientation, size) {
  const [width, height] = sides(bitmap, orientation);
  const squasher = new Squasher(width, height, size);
  for (let top = 0; top < height; top += ROWS) {
    squasher.add(top, uprightRows(bitmap, orientation, top, Math.min(ROWS, height - top)));
  }
  return squasher.square();
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} orientation
 * @returns {[number, number]} width and height, upright
 */
function sides({ width, height }, orientation) {
  return orientation > 4 ? [height, width] : [width, height];
}

/**
 * Some rows of the upright photograph.
 * @param {ImageBitmap} bitmap as the camera held it
 * @param {number} orientation
 * @param {number} top
 * @param {number} rows
 * @returns {Uint8Array} RGBA
 */
function uprightRows(bitmap, orientation, top, rows) {
  const turned = orientation > 4; // its rows are columns of the bitmap
  const mirrored = [3, 4, 7, 8].includes(orientation); // the rows come from the other end
  const backwards = [2, 3, 6, 7].includes(orientation); // each row runs from right to left
  const length = turned ? bitmap.width : bitmap.height;
  const first = mirrored ? length - top - rows : top;
  const strip = turned
    ? pixels(bitmap, first, 0, rows, bitmap.height)
    : pixels(bitmap, 0, first, bitmap.width, rows);
  if (orientation === 1) return new Uint8Array(strip.buffer);

  const width = strip.length / rows;
  const across = turned ? rows : 1; // from a pixel of a row to the next one, within the strip
  const down = turned ? 1 : width;
  const upright = new Uint32Array(strip.length);
  for (let y = 0; y < rows; y++) {
    let at = (mirrored ? rows - 1 - y : y) * down + (backwards ? width - 1 : 0) * across;
    for (let x = 0; x < width; x++, at += backwards ? -across : across) {
      upright[y * width + x] = strip[at];
    }
  }
  return new Uint8Array(upright.buffer);
}

/**
 * Pixels of a part of a bitmap, on white where they are transparent.
 * @param {ImageBitmap} bitmap
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function pixels(bitmap, left, top, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new PhotographError("This browser has no memory left. Close other pages.");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, -left, -top); // not scaled: a copy
  return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
}
