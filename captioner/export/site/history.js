/** The photographs of this visit, as a row of buttons. */

import { element } from "./view.js";

const MOST = 12; // photographs; each takes some megabytes
const SIDE = 160; // pixels of a thumbnail

/**
 * A photograph with all that was written about it.
 * @typedef {object} Visit
 * @property {Promise<import("./captioner.js").Photograph>} looked
 * @property {HTMLElement} caption
 * @property {HTMLElement} answers
 */

export class History {
  /** @type {Map<Visit, HTMLElement>} the item of each, the newest last */
  #items = new Map();

  /**
   * @param {HTMLElement} root with a list
   * @param {(visit: Visit) => void} show receives the visit to show
   */
  constructor(root, show) {
    this.root = root;
    this.show = show;
  }

  /**
   * @param {Visit} visit
   * @param {ImageBitmap} picture
   * @param {string} text of the caption
   */
  add(visit, picture, text) {
    const button = element("button", { type: "button" }, [
      thumbnail(picture),
      element("span", { textContent: text }),
    ]);
    button.addEventListener("click", () => this.show(visit));
    const item = element("li", {}, [button]);
    this.#items.set(visit, item);
    this.root.querySelector("ol")?.prepend(item);
    if (this.#items.size > MOST) this.#dropOldest();
    this.root.hidden = this.#items.size < 2;
  }

  /** @param {Visit} shown which is marked */
  mark(shown) {
    for (const [visit, item] of this.#items) {
      item.querySelector("button")?.setAttribute("aria-current", String(visit === shown));
    }
  }

  #dropOldest() {
    const [[visit, item]] = this.#items;
    this.#items.delete(visit);
    item.remove();
    if (item.querySelector("[aria-current=true]")) return; // it is shown, and may be asked about
    visit.looked.then(({ picture }) => picture.close()); // its memory is free at once
  }
}

/** @param {ImageBitmap} picture */
function thumbnail(picture) {
  const side = Math.min(picture.width, picture.height);
  const canvas = element("canvas", { width: SIDE, height: SIDE });
  const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
  canvas.getContext("2d").drawImage(picture, left, top, side, side, 0, 0, SIDE, SIDE);
  return canvas;
}
