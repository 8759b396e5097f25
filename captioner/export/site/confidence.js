/** The probability that a caption or an answer is right. The same as `captioner/generation/confidence.py`. */

import { dot, leastLikely, probabilities } from "./reranking.js";

/**
 * Weights of logistic regressions, and of the ranking; null where they were not measured.
 * @typedef {object} Calibration
 * @property {number[] | null} captions
 * @property {number[] | null} answers
 * @property {number[] | null} photograph for pictures: a constant, and C for the mean features
 * @property {number[] | null} ranking for the candidates of a caption
 * @property {number} unseen the probability of a word that is no likely concept
 * @property {number} longest words of the longest n-grams that the ranking compares
 * @property {string[]} functionWords such as "the"
 */

/**
 * @param {Omit<import("./captioner.js").Caption, "confidence">} caption
 * @param {boolean} asked whether it answers a question
 * @param {number} photograph how likely the picture is to be a photograph
 * @param {Calibration} calibration
 * @returns {number | null} 0 to 1
 */
export function confidence(caption, asked, photograph, calibration) {
  const weights = asked ? calibration.answers : calibration.captions;
  return weights && photograph * logistic(dot(featuresOf(caption, calibration), weights));
}

/**
 * How likely a picture is to be a photograph.
 * @param {import("./model.js").Features} features
 * @param {Calibration} calibration
 * @returns {number} 0 to 1
 */
export function photographProbability({ data, dims }, { photograph }) {
  if (!photograph) return 1;
  const [constant, ...weights] = photograph;
  const [, regions, channels] = dims;
  const sum = data.reduce((total, value, i) => total + value * weights[i % channels], 0);
  return logistic(constant + sum / regions);
}

/**
 * A constant, the score, the log-probability of the least likely word, and how likely the concepts
 * are that it names, in the mean and the least of them.
 * @param {Omit<import("./captioner.js").Caption, "confidence">} caption
 * @param {Calibration} calibration
 */
function featuresOf({ words, score, concepts }, calibration) {
  const content = words.map(({ word }) => word).filter((word) => !calibration.functionWords.includes(word));
  const { mean, least } = probabilities(content, concepts, calibration);
  return [1, score, leastLikely(words), mean, least];
}

/** @param {number} odds */
function logistic(odds) {
  return 1 / (1 + Math.exp(-odds));
}
