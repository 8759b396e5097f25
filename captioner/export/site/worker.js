/** The model in a worker: it answers the calls of `captioner.js`, one after the other. */

import { Model } from "./model.js";
import { loadPhotograph } from "./photograph.js";

/** @type {Model} */
let model;
let before = Promise.resolve(); // the call before, whether it failed or not

const CALLS = {
  async load() {
    model = await Model.load(new URL(".", import.meta.url));
    return model.about;
  },

  /** @param {Blob} file */
  async look(file) {
    const { pixels, picture } = await loadPhotograph(file, model.size);
    return { features: await model.encode(pixels), picture };
  },

  /**
   * @param {import("./model.js").Features} features
   * @param {string | null} question
   */
  write(features, question) {
    return model.write(features, question);
  },
};

self.onmessage = ({ data }) => {
  before = before.then(() => answer(data));
};

/** @param {{ id: number, name: keyof typeof CALLS, values: [any, any] }} call */
async function answer({ id, name, values }) {
  try {
    const result = await CALLS[name](...values);
    self.postMessage({ id, result }, { transfer: "picture" in result ? [result.picture] : [] });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    self.postMessage({ id, error: { name, message } });
  }
}
