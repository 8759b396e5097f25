/** A caption or an answer as a part of a page: text, photograph, and words with their attention. */

import { describeWord, heatLayer, heatLimit } from "./heat.js";
import { bindLook } from "./look.js";

const SCALE = 64; // colours shown of the scale
const DOUBTFUL = 0.4; // confidence, below which a caption needs a warning
const VERDICTS = [
  { least: 0.7, text: "Probably right" },
  { least: DOUBTFUL, text: "Perhaps right" },
  { least: 0, text: "Probably wrong" },
];

/**
 * @param {import("./captioner.js").Caption} caption
 * @param {import("./captioner.js").About} about the model
 * @param {ImageBitmap} picture the photograph
 * @param {string | null} question that it answers
 * @returns {HTMLElement} with a heading that can have the focus
 */
export function captionView(caption, about, picture, question = null) {
  const heading = element("h2", { tabIndex: -1, textContent: caption.text });
  const article = element("article", {}, [
    ...(question === null ? [] : [element("p", { className: "asked", textContent: question })]),
    heading,
    ...sureness(caption, question),
    copyButton(caption.text),
    lookView(caption.words, about, picture, question === null ? "62vh" : "40vh"),
    ...otherCandidates(caption.candidates.slice(1)),
  ]);
  bindLook(article.querySelector(".look"));
  return article;
}

/**
 * The photograph and the words, for `bindLook`: the same as `captioner/overlay/look.html`.
 * @param {import("./captioner.js").Word[]} words
 * @param {import("./captioner.js").About} about
 * @param {ImageBitmap} picture
 * @param {string} tallest height of the photograph, in CSS
 */
export function lookView(words, about, picture, tallest) {
  const limit = heatLimit(words);
  const { width, height } = picture;
  const photograph = element("canvas", { className: "photograph", width, height });
  photograph.setAttribute("role", "img");
  photograph.setAttribute("aria-label", "The photograph");
  photograph.getContext("2d").drawImage(picture, 0, 0);
  const view = element("div", { className: "view" }, [photograph]);
  Object.assign(view.dataset, { aspect: String(width / height), height: tallest });
  for (const { attention } of words) {
    const heat = heatLayer(attention, about, limit);
    heat.className = "heat";
    view.append(heat);
  }
  const buttons = words.map((word) => {
    const probability = element("small", { textContent: word.probability.toFixed(2) });
    const button = element("button", { type: "button" }, [`${word.word} `, probability]);
    button.dataset.look = describeWord(word, about.grid);
    return button;
  });
  const group = element("div", { className: "words", role: "group" }, buttons);
  group.setAttribute("aria-label", "The words, each with its probability");
  const regions = about.grid[0] * about.grid[1];
  const note = `Attention: 1× is the share of each region when the model looks at all ${regions} alike.`;
  return element("div", { className: "look" }, [
    view,
    group,
    element("p", { className: "told", ariaLive: "polite" }),
    scaleView(about.colours, limit),
    element("p", { className: "note", textContent: note }),
  ]);
}

/**
 * @param {About["colours"]} colours
 * @param {number} limit
 * @typedef {import("./captioner.js").About} About
 */
function scaleView(colours, limit) {
  const canvas = element("canvas", { width: SCALE, height: 1 });
  const image = new ImageData(SCALE, 1);
  for (let i = 0; i < SCALE; i++) {
    image.data.set([...colours[Math.trunc((i * colours.length) / SCALE)], 255], 4 * i);
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return element("div", { className: "scale", ariaHidden: "true" }, ["0× ", canvas, ` ${limit.toFixed(1)}×`]);
}

/**
 * The confidence in words. If it is low, also the likely concepts.
 * @param {import("./captioner.js").Caption} caption
 * @param {string | null} question
 */
function sureness({ confidence, concepts }, question) {
  if (confidence === null) return [];
  const kind = question === null ? "captions" : "answers";
  const verdict = VERDICTS.find(({ least }) => confidence >= least)?.text;
  const often = `Such ${kind} are right in about ${Math.round(10 * confidence)} of 10 cases.`;
  const words = concepts.map(({ word }) => word).join(", ");
  const seen = question === null && confidence < DOUBTFUL && words ? ` It may show: ${words}.` : "";
  return [element("p", { className: "sure", textContent: `${verdict}. ${often}${seen}` })];
}

/** @param {string} text */
function copyButton(text) {
  const button = element("button", { type: "button", className: "link copy", textContent: "Copy the text" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser does not allow it";
    }
  });
  return button;
}

/** @param {import("./captioner.js").Candidate[]} candidates */
function otherCandidates(candidates) {
  if (!candidates.length) return [];
  const items = candidates.map(({ text }) => element("li", { textContent: text }));
  const summary = element("summary", { textContent: "Other candidates" });
  return [element("details", {}, [summary, element("ol", {}, items)])];
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} properties
 * @param {(Node | string)[]} children
 * @returns {any}
 */
export function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
