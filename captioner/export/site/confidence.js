/** How likely what was written is to be right, as `captioner/generation/confidence.py` has it. */

/**
 * Weights of a logistic regression, for captions and for answers; null where they were not measured.
 * @typedef {object} Calibration
 * @property {number[] | null} captions
 * @property {number[] | null} answers
 * @property {number} unseen the probability of what is no concept
 * @property {string[]} functionWords which name nothing
 */

/**
 * @param {Omit<import("./captioner.js").Caption, "confidence">} caption
 * @param {boolean} asked whether it answers a question
 * @param {Calibration} calibration
 * @returns {number | null} 0 to 1
 */
export function confidence(caption, asked, calibration) {
  const weights = asked ? calibration.answers : calibration.captions;
  if (!weights) return null;
  const features = featuresOf(caption, calibration);
  const odds = features.reduce((sum, value, i) => sum + value * weights[i], 0);
  return 1 / (1 + Math.exp(-odds));
}

/**
 * A constant, the score, the log-probability of the least likely word, and how likely the concepts
 * are that it names, in the mean and the least of them.
 * @param {Omit<import("./captioner.js").Caption, "confidence">} caption
 * @param {Calibration} calibration
 */
function featuresOf({ words, score, concepts }, { unseen, functionWords }) {
  const seen = new Map(concepts.map(({ word, probability }) => [word, probability]));
  const content = words.filter(({ word }) => !functionWords.includes(word));
  const named = content.length ? content.map(({ word }) => seen.get(word) ?? unseen) : [unseen];
  const mean = named.reduce((sum, value) => sum + value, 0) / named.length;
  const least = Math.log(Math.min(...words.map(({ probability }) => probability)));
  return [1, score, least, mean, Math.min(...named)];
}
