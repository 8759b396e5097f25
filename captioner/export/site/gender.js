/**
 * Replaces genders that the photograph does not show: "a man" becomes "a person". The rule is that
 * of `captioner/generation/gender.py`.
 */

/** @typedef {import("./captioner.js").Concept} Concept */

/**
 * @typedef {object} Gender
 * @property {string[][]} genders the words of each gender
 * @property {Record<string, string>} neutral
 * @property {string[]} concepts all concepts of the model
 * @property {number} confirms the probability from which a concept confirms its gender
 */

/**
 * @param {string[]} words of a caption
 * @param {Concept[]} concepts of the photograph
 * @param {Gender} tables
 * @returns {string[]} the same array if no word changes
 */
export function neutralWords(words, concepts, tables) {
  const named = tables.genders.filter((gender) => words.some((word) => gender.includes(word)));
  if (named.length !== 1) return words;
  const [gender] = named;
  const known = tables.concepts.some((word) => gender.includes(word));
  const confirmed = concepts.some(({ word, probability }) => probability > tables.confirms && gender.includes(word));
  if (!known || confirmed) return words;
  const replaced = words.map((word) => tables.neutral[word] ?? word);
  const names = new Set(Object.values(tables.neutral));
  const people = replaced.filter((word) => names.has(word) && word !== "their");
  return new Set(people).size === people.length ? replaced : words;
}
