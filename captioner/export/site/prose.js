/**
 * English text of the words that a captioner writes: articles that agree, and commas in lists. The
 * rules are those of `captioner/generation/prose.py`, which says why they are so.
 */

import { phrase, sentence } from "./tokenizer.js";

/**
 * The tables of the rules. The regular expressions match the beginning of a word.
 * @typedef {object} Tables
 * @property {string[]} articles
 * @property {string} vowelSound
 * @property {string} consonantSound
 * @property {string} historic
 * @property {string[]} cannotEnd
 * @property {string[]} colours
 * @property {string[]} beforeNouns
 * @property {string[]} determiners
 * @property {string[][]} kinds words of one kind; the first are the colours, the others are things
 * @property {string[]} compounds two words each
 */

export class Prose {
  /** @param {Tables} tables */
  constructor(tables) {
    this.articles = new Set(tables.articles);
    this.vowelSound = beginning(tables.vowelSound);
    this.consonantSound = beginning(tables.consonantSound);
    this.historic = beginning(tables.historic);
    this.cannotEnd = new Set(tables.cannotEnd);
    this.colours = new Set(tables.colours);
    this.beforeNouns = new Set(tables.beforeNouns);
    this.determiners = new Set(tables.determiners);
    this.kinds = tables.kinds.map((kind) => new Set(kind));
    this.things = new Set(tables.kinds.slice(1).flat());
    this.compounds = new Set(tables.compounds);
  }

  /**
   * @param {string[]} words
   * @param {boolean} asked whether they answer a question
   * @returns {string} a phrase where they do, else a sentence
   */
  textOf(words, asked) {
    const agreeing = this.withArticles(words);
    return asked ? phrase(agreeing) : sentence(this.withCommas(agreeing));
  }

  /**
   * "a umbrella" becomes "an umbrella", and "an dog" becomes "a dog".
   * @param {string[]} words
   */
  withArticles(words) {
    return words.map((word, i) => (this.articles.has(word) ? this.#article(word, words[i + 1]) : word));
  }

  /**
   * @param {string} word
   * @param {string | undefined} after
   */
  #article(word, after) {
    if (!after || this.cannotEnd.has(after) || this.historic.test(after)) return word;
    return this.vowelSound.test(after) && !this.consonantSound.test(after) ? "an" : "a";
  }

  /**
   * "a stove sink and a fridge" becomes "a stove , sink and a fridge".
   * @param {string[]} words
   */
  withCommas(words) {
    /** @type {Set<number>} */
    const after = new Set(); // numbers of the words that a comma follows
    words.forEach((word, i) => {
      if (word !== "and" || i === 0 || !this.#beginsItem(words, i + 1, words[i - 1])) return;
      for (const place of this.#commasBefore(words, i)) after.add(place);
    });
    return words.flatMap((word, i) => (after.has(i) ? [word, ","] : [word]));
  }

  /**
   * Whether an item begins at `start` that may stand in a list with another.
   * @param {string[]} words
   * @param {number} start
   * @param {string} other
   */
  #beginsItem(words, start, other) {
    while (this.determiners.has(words[start])) start += 1;
    if (this.colours.has(other)) return this.colours.has(words[start]);
    while (this.beforeNouns.has(words[start])) start += 1;
    return this.things.has(words[start]);
  }

  /**
   * The places of commas in a list. Its second last item ends before `end`.
   * @param {string[]} words
   * @param {number} end
   */
  #commasBefore(words, end) {
    const after = [];
    while (end > 1) {
      const noun = end - 1;
      const colour = this.colours.has(words[noun]);
      let start = noun;
      while (!colour && this.beforeNouns.has(words[start - 1])) start -= 1;
      const marked = this.determiners.has(words[start - 1]);
      if (marked) start -= 1;
      const before = words[start - 1];
      const listed =
        marked && !colour
          ? this.things.has(words[noun]) && this.things.has(before)
          : start === noun && this.#ofAKind(before, words[noun]);
      if (!listed) break;
      end = start;
      after.push(end - 1);
    }
    return after;
  }

  /**
   * @param {string | undefined} one
   * @param {string} other
   */
  #ofAKind(one, other) {
    if (one === undefined || one === other || this.compounds.has(`${one} ${other}`)) return false;
    return this.kinds.some((kind) => kind.has(one) && kind.has(other));
  }
}

/** @param {string} source */
function beginning(source) {
  return new RegExp(`^(?:${source})`);
}
