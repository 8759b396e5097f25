/** Ranks the candidates of a search. The same as `captioner/generation/reranking.py`. */

/** @typedef {import("./captioner.js").Candidate} Candidate */
/** @typedef {import("./captioner.js").Concept} Concept */
/** @typedef {import("./confidence.js").Calibration} Calibration */

/**
 * The candidates of a caption, the best first; without weights, as they are.
 * @param {Candidate[]} candidates
 * @param {Concept[]} concepts that are likely to be in the photograph
 * @param {Calibration} calibration
 */
export function ranked(candidates, concepts, calibration) {
  const { ranking } = calibration;
  if (!ranking || candidates.length === 1) return candidates;
  const scores = featuresOf(candidates, concepts, calibration).map((row) => dot(row, ranking));
  const order = Array.from(scores.keys()).sort((one, other) => scores[other] - scores[one]);
  return order.map((i) => candidates[i]);
}

/**
 * A row for each candidate: its score, the number of its words, the log-probability of the least
 * likely of them, how likely the concepts are that it names (mean, least, sum), the sum of those that
 * it leaves out, and the shares of n-grams that are in the other candidates too.
 * @param {Candidate[]} candidates two or more
 * @param {Concept[]} concepts
 * @param {Calibration} calibration
 */
export function featuresOf(candidates, concepts, calibration) {
  const { functionWords, longest } = calibration;
  const texts = candidates.map(({ words }) => words.map(({ word }) => word));
  const likelihoods = candidates.map(({ score }) => Math.exp(score));
  const shares = Array.from({ length: longest }, (_, i) => sharesOf(texts, i + 1, likelihoods));
  return candidates.map(({ score, words }, i) => {
    const content = new Set(texts[i].filter((word) => !functionWords.includes(word)));
    const { mean, least } = probabilities([...content], concepts, calibration);
    const [named, leftOut] = [true, false].map((isNamed) =>
      sum(concepts.filter(({ word }) => content.has(word) === isNamed).map(({ probability }) => probability)),
    );
    const shared = shares.map((column) => column[i]);
    return [score, words.length, leastLikely(words), mean, least, named, leftOut, ...shared];
  });
}

/**
 * How likely the concepts are that words name, in the mean and the least of them.
 * @param {string[]} content words that are no function words
 * @param {Concept[]} concepts
 * @param {Calibration} calibration
 */
export function probabilities(content, concepts, { unseen }) {
  const likely = new Map(concepts.map(({ word, probability }) => [word, probability]));
  const named = content.length ? content.map((word) => likely.get(word) ?? unseen) : [unseen];
  return { mean: sum(named) / named.length, least: Math.min(...named) };
}

/**
 * The log-probability of the least likely word.
 * @param {import("./captioner.js").Word[]} words
 */
export function leastLikely(words) {
  return Math.log(Math.min(...words.map(({ probability }) => probability)));
}

/**
 * @param {number[]} values
 * @param {number[]} weights
 */
export function dot(values, weights) {
  return sum(values.map((value, i) => value * weights[i]));
}

/**
 * For each text the share of its n-grams that the others have as well, weighted by their likelihoods.
 * @param {string[][]} texts
 * @param {number} n
 * @param {number[]} likelihoods
 */
function sharesOf(texts, n, likelihoods) {
  const counts = texts.map((words) => countsOf(words, n));
  return counts.map((one, i) => {
    const others = [...counts.keys()].filter((j) => j !== i);
    const shares = others.map((j) => likelihoods[j] * share(one, counts[j]));
    return sum(shares) / sum(others.map((j) => likelihoods[j]));
  });
}

/**
 * @param {Map<string, number>} one
 * @param {Map<string, number>} other
 */
function share(one, other) {
  const common = [...one].map(([gram, count]) => Math.min(count, other.get(gram) ?? 0));
  return sum(common) / Math.max(1, sum([...one.values()]));
}

/**
 * How often each n-gram is in a text.
 * @param {string[]} words
 * @param {number} n
 */
function countsOf(words, n) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(" ");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
