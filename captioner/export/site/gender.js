/**
 * Replaces genders that the photograph does not show: "a man" becomes "a person". The rule is that
 * of `captioner/generation/gender.py`.
 */

/**
 * @typedef {object} Gender
 * @property {string[][]} genders the words of each gender
 * @property {Record<string, string>} neutral
 * @property {string[]} concepts all concepts of the model
 */

/**
 * @param {string[]} words of a caption
 * @param {Set<string>} likely concepts of the photograph
 * @param {Gender} tables
 * @returns {string[]} the same array if no word changes
 */
export function neutralWords(words, likely, tables) {
  const named = tables.genders.filter((gender) => words.some((word) => gender.includes(word)));
  if (named.length !== 1) return words;
  const [gender] = named;
  const known = tables.concepts.some((word) => gender.includes(word));
  if (!known || gender.some((word) => likely.has(word))) return words;
  const replaced = words.map((word) => tables.neutral[word] ?? word);
  const names = new Set(Object.values(tables.neutral));
  const people = replaced.filter((word) => names.has(word) && word !== "their");
  return new Set(people).size === people.length ? replaced : words;
}
