/** The input of the model: the photograph upright, in RGB on white, resized to a square. */

import { takeOrientation } from "./exif.js";
import { BACKWARDS, EXCHANGED, isTurned, MIRRORED, sides } from "./orientation.js";
import { pictureOf } from "./picture.js";
import { columnsFirst, Squasher, transposed } from "./resize.js";

const ROWS = 64; // of a strip; a canvas for all of a large photograph would take much memory

/** A photograph that cannot be used. */
export class PhotographError extends Error {
  name = "PhotographError";
}

/**
 * @param {Blob} file of a format that the browser reads
 * @param {number} size of the square
 * @returns {Promise<{ pixels: Uint8Array, picture: ImageBitmap }>} `[size, size, 3]`, and the
 *   picture for display
 * @throws {PhotographError} the browser cannot read it
 */
export async function loadPhotograph(file, size) {
  const { bitmap, orientation } = await openPhotograph(file);
  try {
    return { pixels: squash(bitmap, orientation, size), picture: pictureOf(bitmap, orientation) };
  } finally {
    bitmap.close();
  }
}

/**
 * @param {Blob} file
 * @returns {Promise<{ bitmap: ImageBitmap, orientation: number }>} as the camera held it, and how
 *   it lies, 1 to 8 as EXIF numbers them
 * @throws {PhotographError} the browser cannot read it
 */
export async function openPhotograph(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const orientation = takeOrientation(bytes);
  return { bitmap: await decode(new Blob([bytes], { type: file.type })), orientation };
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
  const turned = isTurned(orientation);
  const canvas = turned ? new OffscreenCanvas(ROWS, width) : new OffscreenCanvas(width, ROWS);
  const squasher = new Squasher(width, height, size);
  for (let top = 0; top < height; top += ROWS) {
    const rows = Math.min(ROWS, height - top);
    // The last rows may be the first ones of the bitmap.
    const first = MIRRORED.includes(orientation) ? height - top - rows : top;
    const strip = turned
      ? pixels(canvas, bitmap, first, 0, rows, width)
      : pixels(canvas, bitmap, 0, first, width, rows);
    squasher.add(top, upright(strip, orientation, rows));
  }
  return squasher.square();
}

/**
 * Turns a strip.
 * @param {Uint32Array} strip rows of a photograph as the bitmap holds them
 * @param {number} orientation
 * @param {number} rows of the photograph
 * @returns {Uint8Array} RGBA, row by row
 */
function upright(strip, orientation, rows) {
  if (orientation === 1) return new Uint8Array(strip.buffer);
  const turned = isTurned(orientation);
  const mirrored = MIRRORED.includes(orientation);
  const backwards = BACKWARDS.includes(orientation);
  const width = strip.length / rows;
  const across = turned ? rows : 1; // from a pixel of a row to the next one, within the strip
  const down = turned ? 1 : width;
  const result = new Uint32Array(strip.length);
  for (let y = 0; y < rows; y++) {
    let at = (mirrored ? rows - 1 - y : y) * down + (backwards ? width - 1 : 0) * across;
    for (let x = 0; x < width; x++, at += backwards ? -across : across) {
      result[y * width + x] = strip[at];
    }
  }
  return new Uint8Array(result.buffer);
}

/**
 * Pixels of a part of a bitmap, on white where they are transparent.
 * @param {OffscreenCanvas} canvas at least as large as the part
 * @param {ImageBitmap} bitmap
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function pixels(canvas, bitmap, left, top, width, height) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new PhotographError("This browser has no memory left. Close other pages.");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, -left, -top); // not scaled: a copy
  return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
}
