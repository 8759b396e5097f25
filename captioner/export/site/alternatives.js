/**
 * Help for authors of alternative texts: elements to choose from, and no finished text. Authors who
 * start from a finished text write worse ones. The model is unsure of words that differ between variations.
 */

import { element } from "./view.js";

/**
 * @typedef {object} Elements
 * @property {string} caption
 * @property {string[]} colours that are probably there
 * @property {string[]} counts such as "two"
 * @property {string[]} others other probable things and actions
 * @property {{ word: string, common: boolean }[][]} variations the candidates; "common" marks the words of all
 */

/**
 * @param {import("./captioner.js").Caption} caption
 * @param {import("./captioner.js").About} about the model
 * @returns {Elements}
 */
export function elementsOf({ text, candidates, concepts }, { colourWords, numberWords }) {
  const words = concepts.map(({ word }) => word);
  const colours = words.filter((word) => colourWords.includes(word));
  const counts = words.filter((word) => numberWords.includes(word));
  const others = words.filter((word) => !colours.includes(word) && !counts.includes(word));
  const said = candidates.map((candidate) => new Set(candidate.words.map(({ word }) => word)));
  const variations = candidates.map((candidate) =>
    candidate.words.map(({ word }) => ({ word, common: said.every((set) => set.has(word)) })),
  );
  return { caption: text, colours, counts, others, variations };
}

/**
 * Buttons for the elements, and the variations with their common words in bold.
 * @param {Elements} elements
 * @param {(text: string) => void} choose receives the text of the pressed button
 * @returns {HTMLElement}
 */
export function elementsView({ caption, colours, counts, others, variations }, choose) {
  const groups = { Caption: [caption], "Probably there": others, Colours: colours, Counts: counts };
  const rows = Object.entries(groups).filter(([, texts]) => texts.length);
  return element("div", {}, [
    ...rows.map(([name, texts]) => buttons(name, texts, choose)),
    element("p", { textContent: "Variations. Words of all of them are bold; check the others." }),
    element("ol", {}, variations.map(variationView)),
  ]);
}

/**
 * @param {string} name
 * @param {string[]} texts
 * @param {(text: string) => void} choose
 */
function buttons(name, texts, choose) {
  const row = element("p", { role: "group", ariaLabel: name }, [`${name}: `]);
  for (const text of texts) {
    row.append(element("button", { type: "button", textContent: text, onclick: () => choose(text) }), " ");
  }
  return row;
}

/** @param {Elements["variations"][number]} words */
function variationView(words) {
  const parts = words.map(({ word, common }) => (common ? element("strong", { textContent: word }) : word));
  return element("li", {}, parts.flatMap((part) => [part, " "]));
}
