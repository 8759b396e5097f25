/** Runs the exported graphs with onnxruntime-web, and turns their outputs into words. */

import * as ort from "./onnxruntime/ort.wasm.bundle.min.js";
import { confidence, photographProbability } from "./confidence.js";
import { Prose } from "./prose.js";
import { ranked } from "./reranking.js";
import { hasWords, tokenize } from "./tokenizer.js";

const MOST_THREADS = 4;

/** @typedef {import("./captioner.js").About} About */
/** @typedef {import("./captioner.js").Candidate} Candidate */
/** @typedef {import("./captioner.js").Caption} Caption */
/** @typedef {import("./captioner.js").Concept} Concept */

/**
 * `model.json`, which the export writes.
 * @typedef {object} Settings
 * @property {About} about
 * @property {number} size of the square that the encoder reads, in pixels
 * @property {number} steps T, tokens of the longest sentence, its end included
 * @property {number} beams K
 * @property {number} questionWords Q, or 0 for a model that cannot be asked
 * @property {string[]} vocabulary by the ids of tokens
 * @property {{ padding: number, end: number, unknown: number }} tokens
 * @property {number} likely the probability from which on a concept counts
 * @property {import("./prose.js").Tables} prose
 * @property {import("./confidence.js").Calibration} calibration
 */

/**
 * The features of a photograph: `[1, R, C]`.
 * @typedef {{ data: Float32Array, dims: readonly number[] }} Features
 */

/** A model that cannot be loaded, or a question that cannot be asked. */
class ModelError extends Error {
  name = "ModelError";
}

export class Model {
  /**
   * @param {Settings} settings
   * @param {ort.InferenceSession} encoder
   * @param {ort.InferenceSession} search
   */
  constructor(settings, encoder, search) {
    this.settings = settings;
    this.encoder = encoder;
    this.search = search;
    this.prose = new Prose(settings.prose);
    this.ids = new Map(settings.vocabulary.map((word, id) => [word, id]));
  }

  /** @param {URL} folder of the files */
  static async load(folder) {
    // The service worker isolates the page from the second visit on.
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
    ort.env.wasm.wasmPaths = { wasm: new URL("onnxruntime/ort-wasm-simd-threaded.wasm", folder).href };
    const files = ["model.json", "encoder.onnx", "search.onnx"].map((name) => fetchFile(new URL(name, folder)));
    const [settings, encoder, search] = await Promise.all(files);
    return new Model(await settings.json(), await session(encoder), await session(search));
  }

  get about() {
    return this.settings.about;
  }

  get size() {
    return this.settings.size;
  }

  /**
   * @param {Uint8Array} pixels `[S, S, 3]`
   * @returns {Promise<Features>}
   */
  async encode(pixels) {
    const shape = [1, this.size, this.size, 3];
    const { features } = await this.encoder.run({ photographs: new ort.Tensor("uint8", pixels, shape) });
    return { data: features.data, dims: features.dims };
  }

  /**
   * Writes by beam search.
   * @param {Features} features of a photograph
   * @param {string | null} question
   * @returns {Promise<Caption>} an answer, or without a question a caption
   */
  async write(features, question) {
    const { steps, beams, questionWords } = this.settings;
    /** @type {Record<string, ort.Tensor>} */
    const inputs = {
      features: new ort.Tensor("float32", features.data, features.dims),
      uniform: new ort.Tensor("float32", new Float32Array(steps * beams), [steps, 1, beams]),
      temperature: new ort.Tensor("float32", [0], []),
      top_p: new ort.Tensor("float32", [1], []),
    };
    const ids = question === null ? [] : this.questionIds(question);
    if (questionWords) {
      inputs.questions = new ort.Tensor("int32", padded(ids, questionWords), [1, 1, questionWords]);
    }
    const photograph = photographProbability(features, this.settings.calibration);
    return this.captionOf(await this.search.run(inputs), ids.length > 0, photograph);
  }

  /** @param {string} question */
  questionIds(question) {
    const { questionWords, tokens } = this.settings;
    if (!questionWords) throw new ModelError("This model only captions: it was trained without questions.");
    if (!hasWords(question)) throw new ModelError("A question has words.");
    return tokenize(question).map((word) => this.ids.get(word) ?? tokens.unknown);
  }

  /**
   * @param {Record<string, ort.Tensor>} found the outputs of the search
   * @param {boolean} asked
   * @param {number} photograph how likely the picture is to be a photograph
   * @returns {Caption}
   */
  captionOf(found, asked, photograph) {
    const { beams, calibration } = this.settings;
    const likeliest = Array.from({ length: beams }, (_, beam) => this.candidate(found, beam, asked));
    likeliest.sort((one, other) => other.score - one.score);
    const concepts = this.concepts(found);
    const candidates = asked ? likeliest : ranked(likeliest, concepts, calibration);
    const caption = { ...candidates[0], candidates, concepts };
    return { ...caption, confidence: confidence(caption, asked, photograph, calibration) };
  }

  /**
   * @param {Record<string, ort.Tensor>} found
   * @param {number} beam
   * @param {boolean} asked
   * @returns {Candidate}
   */
  candidate(found, beam, asked) {
    const { steps, tokens, vocabulary, about } = this.settings;
    const ids = row(found.tokens, beam, steps);
    const logProbs = row(found.log_probs, beam, steps);
    const written = ids.filter((id) => id !== tokens.padding).length;
    const regions = about.grid[0] * about.grid[1];
    const attention = row(found.attention, beam, steps * regions);
    const words = [];
    for (let i = 0; i < written && ids[i] !== tokens.end; i++) {
      words.push({
        word: vocabulary[ids[i]],
        probability: Math.exp(logProbs[i]),
        attention: attention.slice(i * regions, (i + 1) * regions),
      });
    }
    const score = logProbs.slice(0, written).reduce((sum, value) => sum + value, 0) / written;
    const text = this.prose.textOf(words.map(({ word }) => word), asked);
    return { text, score, words };
  }

  /**
   * @param {Record<string, ort.Tensor>} found
   * @returns {Concept[]}
   */
  concepts(found) {
    if (!found.concepts) return [];
    const { vocabulary, likely } = this.settings;
    const named = Array.from(found.concepts.data, (id, i) => ({
      word: vocabulary[id],
      probability: 1 / (1 + Math.exp(-found.odds.data[i])),
    }));
    return named.filter(({ probability }) => probability > likely);
  }
}

/** @param {URL} address */
async function fetchFile(address) {
  const response = await fetch(address);
  if (!response.ok) throw new ModelError(`${address} cannot be fetched (${response.status}).`);
  return response;
}

/** @param {Response} file a graph */
async function session(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  // Weights become float32 when the graph is loaded. Otherwise it would multiply in 8 bits.
  return ort.InferenceSession.create(bytes, { extra: { session: { disable_quant_qdq: "1" } } });
}

/**
 * @param {ort.Tensor} tensor
 * @param {number} i
 * @param {number} length of a row
 */
function row(tensor, i, length) {
  return tensor.data.slice(i * length, (i + 1) * length);
}

/**
 * @param {number[]} ids
 * @param {number} length
 */
function padded(ids, length) {
  const result = new Int32Array(length);
  result.set(ids.slice(0, length));
  return result;
}
