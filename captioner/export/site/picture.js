/** The photograph for display: upright, and small, because the page keeps several. */

import { BACKWARDS, isTurned, MIRRORED, sides } from "./orientation.js";

const SIDE = 1000; // pixels, at most

/**
 * @param {ImageBitmap} bitmap as the camera held it
 * @param {number} orientation 1 to 8, as EXIF numbers them
 * @returns {ImageBitmap}
 */
export function pictureOf(bitmap, orientation) {
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = sides(bitmap, orientation).map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const [right, left] = BACKWARDS.includes(orientation) ? [-1, width] : [1, 0];
  const [down, top] = MIRRORED.includes(orientation) ? [-1, height] : [1, 0];
  context.imageSmoothingQuality = "high";
  if (isTurned(orientation)) {
    context.setTransform(0, down, right, 0, left, top);
    context.drawImage(bitmap, 0, 0, height, width);
  } else {
    context.setTransform(right, 0, 0, down, left, top);
    context.drawImage(bitmap, 0, 0, width, height);
  }
  return canvas.transferToImageBitmap();
}
