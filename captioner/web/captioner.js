/** Captions photographs through the server. The static page has another file of this name. */

import { openPhotograph } from "./photograph.js";
import { pictureOf } from "./picture.js";

export class Captioner {
  /** @param {import("../export/site/captioner.js").About} about the model */
  constructor(about) {
    this.about = about;
  }

  static async load() {
    return new Captioner(await (await ask("about.json")).json());
  }

  /** @param {Blob} file */
  async look(file) {
    const { bitmap, orientation } = await openPhotograph(file).catch(() => openOnServer(file));
    const picture = pictureOf(bitmap, orientation);
    bitmap.close();
    return new Photograph(file, picture);
  }
}

class Photograph {
  #file;

  /**
   * @param {Blob} file
   * @param {ImageBitmap} picture upright, for a page to show
   */
  constructor(file, picture) {
    this.#file = file;
    this.picture = picture;
  }

  /** @returns {Promise<import("../export/site/captioner.js").Caption>} */
  async caption() {
    return (await ask("view", { photo: this.#file })).json();
  }

  /**
   * @param {string} question
   * @returns {Promise<import("../export/site/captioner.js").Caption>}
   */
  async answer(question) {
    return (await ask("view", { photo: this.#file, question })).json();
  }
}

/**
 * Opens a photograph with the server, for formats that the browser does not read.
 * @param {Blob} file
 */
async function openOnServer(file) {
  return openPhotograph(await (await ask("picture", { photo: file })).blob());
}

/**
 * @param {string} path
 * @param {Record<string, string | Blob>} [fields] to send
 * @returns {Promise<Response>}
 * @throws {Error} the server refuses the request, or cannot be reached
 */
async function ask(path, fields) {
  const body = fields && new FormData();
  for (const [name, value] of Object.entries(fields ?? {})) body?.append(name, value);
  const response = await fetch(path, body && { method: "POST", body }).catch(() => {
    throw new Error("The server cannot be reached; is it still running?");
  });
  if (response.ok) return response;
  const content = await response.json().catch(() => ({})); // the page of a proxy is no JSON
  throw new Error(content.error ?? `The server says ${response.status}.`);
}
