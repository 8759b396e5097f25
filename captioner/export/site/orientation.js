/** The eight orientations of EXIF. */

/** Orientations whose rows run from bottom to top. */
export const MIRRORED = [3, 4, 7, 8];

/** Orientations whose rows run from right to left. */
export const BACKWARDS = [2, 3, 6, 7];

/** For each orientation, the one with rows and columns exchanged. */
export const EXCHANGED = [0, 5, 8, 7, 6, 1, 4, 3, 2];

/**
 * Whether the rows of the upright picture are columns of the bitmap.
 * @param {number} orientation
 */
export function isTurned(orientation) {
  return orientation > 4;
}

/**
 * @param {{ width: number, height: number }} bitmap
 * @param {number} orientation
 * @returns {[number, number]} width and height of the upright picture
 */
export function sides({ width, height }, orientation) {
  return isTurned(orientation) ? [height, width] : [width, height];
}
