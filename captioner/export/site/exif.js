/** The orientation that a camera wrote into the EXIF data of a JPEG, PNG or WebP file. */

const ORIENTATION = 0x0112;
const SHORT = 3; // a type of TIFF
const UPRIGHT = 1;

/**
 * Reads the orientation, and sets it to upright in the bytes, so that no browser turns them as well.
 * @param {Uint8Array<ArrayBuffer>} bytes of a file, which are changed
 * @returns {number} 1 to 8; 1 also for a file without orientation, or with damaged EXIF data
 */
export function takeOrientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const start = tiffStart(view);
    return start === null ? UPRIGHT : takeTag(view, start);
  } catch (error) {
    // The pixels may be sound: damaged EXIF data is no reason to refuse them.
    if (error instanceof RangeError) return UPRIGHT;
    throw error;
  }
}

/**
 * @param {DataView} view
 * @returns {number | null} where the TIFF structure of the EXIF data begins
 */
function tiffStart(view) {
  if (view.getUint16(0) === 0xffd8) return inJpeg(view);
  if (view.getUint32(0) === 0x89504e47) return inPng(view);
  if (text(view, 0, 4) === "RIFF" && text(view, 8, 4) === "WEBP") return inWebp(view);
  return null;
}

/** @param {DataView} view */
function inJpeg(view) {
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) return null; // the pixels
    if (marker === 0xe1 && text(view, at + 4, 6) === "Exif\0\0") return at + 10;
  }
  return null;
}

/** @param {DataView} view */
function inPng(view) {
  for (let at = 8; at < view.byteLength; at += 12 + view.getUint32(at)) {
    if (text(view, at + 4, 4) === "eXIf") return at + 8;
  }
  return null;
}

/** @param {DataView} view */
function inWebp(view) {
  for (let at = 12; at < view.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    if (text(view, at, 4) === "EXIF") return text(view, at + 8, 6) === "Exif\0\0" ? at + 14 : at + 8;
    at += 8 + size + (size % 2);
  }
  return null;
}

/**
 * @param {DataView} view
 * @param {number} start of the TIFF structure
 */
function takeTag(view, start) {
  const little = text(view, start, 2) === "II";
  const directory = start + view.getUint32(start + 4, little);
  for (let i = 0; i < view.getUint16(directory, little); i++) {
    const entry = directory + 2 + 12 * i;
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    if (view.getUint16(entry + 2, little) !== SHORT) continue;
    const orientation = view.getUint16(entry + 8, little);
    view.setUint16(entry + 8, UPRIGHT, little);
    return orientation >= 1 && orientation <= 8 ? orientation : UPRIGHT;
  }
  return UPRIGHT;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} length
 */
function text(view, at, length) {
  let found = "";
  for (let i = at; i < at + length; i++) found += String.fromCharCode(view.getUint8(i));
  return found;
}
