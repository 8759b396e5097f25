/**
 * A photograph with its caption, as an element of any page:
 *
 *     <script type="module" src="photo-caption.js"></script>
 *     <photo-caption src="photo.jpg"></photo-caption>
 *
 * With for="ID" it helps to write the alternative text in that field: see `alternatives.js`. Events:
 * "caption" and "answer", whose details are a `Caption` of `captioner.js`, and "failure", an `Error`.
 */

import { elementsOf, elementsView } from "./alternatives.js";
import { Captioner } from "./captioner.js";
import { bindLook } from "./look.js";
import { element, lookView } from "./view.js";

/** @type {Promise<Captioner> | null} */
let loading = null; // one model for all elements of a page

export class PhotoCaption extends HTMLElement {
  static observedAttributes = ["src"];
  /** @type {Promise<import("./captioner.js").Photograph> | null} */
  #looked = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const styles = ["look.css", "photo-caption.css"].map((name) =>
      element("link", { rel: "stylesheet", href: new URL(name, import.meta.url).href }),
    );
    const text = element("p", { id: "text", part: "text" });
    text.setAttribute("role", "status"); // so that screen readers announce it
    root.append(...styles, text, element("div", { id: "shown" }));
  }

  attributeChangedCallback() {
    const source = this.getAttribute("src");
    this.#looked = source ? this.#look(source) : null;
    this.#show(this.#looked);
  }

  /**
   * Answers a question about the photograph.
   * @param {string} question
   * @returns {Promise<import("./captioner.js").Caption>}
   */
  async answer(question) {
    const photograph = await this.#looked;
    if (!photograph) throw new Error("no photograph: set src");
    const detail = await photograph.answer(question);
    this.dispatchEvent(new CustomEvent("answer", { detail }));
    return detail;
  }

  /** @param {string} source */
  async #look(source) {
    loading ??= Captioner.load();
    const captioner = await loading;
    const response = await fetch(source);
    if (!response.ok) throw new Error(`${source} cannot be fetched (${response.status}).`);
    return captioner.look(await response.blob());
  }

  /** @param {Promise<import("./captioner.js").Photograph> | null} looked */
  async #show(looked) {
    this.#put("", []);
    try {
      const photograph = await looked;
      if (!photograph) return;
      const [{ about }, caption] = [await /** @type {Promise<Captioner>} */ (loading), await photograph.caption()];
      if (looked !== this.#looked) return; // it has another source by now
      const look = lookView(caption.words, about, photograph.picture, "62vh");
      bindLook(look);
      this.#put(caption.text, [look, ...this.#helper(caption, about)]);
      this.dispatchEvent(new CustomEvent("caption", { detail: caption }));
    } catch (error) {
      if (looked !== this.#looked) return;
      this.#put(error instanceof Error ? error.message : String(error), []);
      this.dispatchEvent(new CustomEvent("failure", { detail: error }));
    }
  }

  /**
   * @param {import("./captioner.js").Caption} caption
   * @param {import("./captioner.js").About} about
   */
  #helper(caption, about) {
    const field = document.getElementById(this.getAttribute("for") ?? "");
    if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return [];
    const insert = (/** @type {string} */ text) => {
      field.setRangeText(text, field.selectionStart ?? 0, field.selectionEnd ?? 0, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    };
    return [elementsView(elementsOf(caption, about), insert)];
  }

  /**
   * @param {string} text
   * @param {HTMLElement[]} parts
   */
  #put(text, parts) {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot);
    /** @type {HTMLElement} */ (root.querySelector("#text")).textContent = text;
    /** @type {HTMLElement} */ (root.querySelector("#shown")).replaceChildren(...parts);
  }
}

customElements.define("photo-caption", PhotoCaption);
