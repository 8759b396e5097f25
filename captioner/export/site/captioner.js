/**
 * Captions photographs, and answers questions about them, in the browser.
 *
 *     import { Captioner } from "./captioner.js";
 *
 *     const captioner = await Captioner.load();
 *     const photograph = await captioner.look(file);
 *     console.log((await photograph.caption()).text);
 *     console.log((await photograph.answer("what is the table made of?")).text);
 *
 * A worker does the work, so the page stays responsive. Only the files beside this one are fetched.
 * No data are sent.
 */

/**
 * A word, the probability that the model gave it, and where it looked: `[h * w]`, row by row.
 * @typedef {{ word: string, probability: number, attention: Float32Array }} Word
 */

/**
 * A sentence, its score (the mean log-probability of its tokens) and its words.
 * @typedef {{ text: string, score: number, words: Word[] }} Candidate
 */

/**
 * A word that may describe the photograph, and its probability.
 * @typedef {{ word: string, probability: number }} Concept
 */

/**
 * The best candidate, and all candidates, best first. The confidence is the probability that it is
 * right; null for a preset without calibration.
 * @typedef {Candidate & { candidates: Candidate[], confidence: number | null, concepts: Concept[] }} Caption
 */

/**
 * The properties of a model.
 * @typedef {object} About
 * @property {string} version of captioner
 * @property {[number, number]} grid h and w, the rows and columns of the attention
 * @property {boolean} answers whether it answers questions
 * @property {[number, number, number][]} colours of attention, from none to the most
 * @property {string[]} colourWords such as "red"
 * @property {string[]} numberWords such as "two"
 */

export class Captioner {
  #worker;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #calls = 0;
  /** @type {About | null} */
  #about = null;

  /**
   * Only for `load`.
   * @param {Worker} worker
   */
  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => {
      const call = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) call?.reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
      else call?.resolve(data.result);
    };
    worker.onerror = (event) => this.#fail(event.message || "the worker cannot be loaded");
  }

  /**
   * Loads the model that lies beside this file.
   * @returns {Promise<Captioner>}
   */
  static async load() {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    const captioner = new Captioner(worker);
    captioner.#about = await captioner.#call("load");
    return captioner;
  }

  /** @returns {About} the model */
  get about() {
    if (!this.#about) throw new Error("not loaded: use Captioner.load");
    return this.#about;
  }

  /**
   * Encodes a photograph, once for its caption and all questions.
   * @param {Blob} file
   * @returns {Promise<Photograph>}
   * @throws {Error} named "PhotographError": the browser cannot read it
   */
  async look(file) {
    const { features, picture } = await this.#call("look", file);
    return new Photograph(picture, (question) => this.#call("write", features, question));
  }

  /** Frees the memory. Unfinished calls are rejected. */
  close() {
    this.#worker.terminate();
    this.#fail("closed");
  }

  /**
   * @param {string} name of a function of the worker
   * @param {...unknown} values
   * @returns {Promise<any>}
   */
  #call(name, ...values) {
    return new Promise((resolve, reject) => {
      this.#calls += 1;
      this.#waiting.set(this.#calls, { resolve, reject });
      this.#worker.postMessage({ id: this.#calls, name, values });
    });
  }

  /** @param {string} reason */
  #fail(reason) {
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }
}

/** An encoded photograph. */
export class Photograph {
  #write;

  /**
   * Only for `Captioner.look`.
   * @param {ImageBitmap} picture upright, for a page to show
   * @param {(question: string | null) => Promise<Caption>} write
   */
  constructor(picture, write) {
    this.picture = picture;
    this.#write = write;
  }

  /**
   * @returns {Promise<Caption>} whose text is a sentence
   */
  caption() {
    return this.#write(null);
  }

  /**
   * @param {string} question with a word in it
   * @returns {Promise<Caption>} whose text is a phrase
   */
  answer(question) {
    return this.#write(question);
  }
}
