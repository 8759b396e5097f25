/**
 * Sentences to words and back, as `captioner/data/tokenizer.py` does it: with the rules of NLTK's
 * NLTKWordTokenizer and TreebankWordDetokenizer.
 */

/** @typedef {[RegExp, string]} Rule */

const PUNCTUATION = new Set(
  ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"],
);
/** @type {Rule[]} */
const TYPOGRAPHY = [[/[“”]/g, '"'], [/‘/g, " ` "], [/’/g, "'"], [/[–—]/g, " -- "], [/…/g, " "], [/\.{2,}/g, " "]];
const ABBREVIATION =
  /^[^\p{L}\p{N}_]*(?:(?:[a-z]\.)+|(?:ave|co|dr|etc|ft|inc|jr|mr|mrs|ms|mt|sr|st|vs)\.)$/u;
const LAST_PERIOD = /\.(?=["')\]}]*$)/g;

/** @type {Rule[]} */
const SPLITTING = [
  [/([«„]|`+)/g, " $1 "],
  [/^"/, "``"],
  [/(``)/g, " $1 "],
  [/([ ([{<])("|'{2})/g, "$1 `` "],
  [/(?<![\p{L}\p{N}_])(')(?!(?:re|ve|ll|m|t|s|d|n)(?![\p{L}\p{N}_]))(?=[\p{L}\p{N}_])/gu, "$1 "],
  [/([^.])(\.)([\])}>"'» ]*)\s*$/, "$1 $2 $3 "],
  [/([:,])([^\d])/g, " $1 $2"],
  [/([:,])$/, " $1 "],
  [/[;@#$%&]/g, " $& "],
  [/[\u2012-\u2015]/g, " $& "],
  [/[?!]/g, " $& "],
  [/([^'])' /g, "$1 ' "],
  [/[*]/g, " $& "],
  [/[\][(){}<>]/g, " $& "],
  [/\(/g, "-LRB-"],
  [/\)/g, "-RRB-"],
  [/\[/g, "-LSB-"],
  [/\]/g, "-RSB-"],
  [/\{/g, "-LCB-"],
  [/\}/g, "-RCB-"],
  [/--/g, " -- "],
  [/^.*$/, " $& "],
  [/»/g, " » "],
  [/''|"/g, " '' "],
  [/\s+/g, " "],
  [/([^' ])('s|'m|'d|') /g, "$1 $2 "],
  [/([^' ])('ll|'re|'ve|n't) /g, "$1 $2 "],
  [/\b(can)(not)\b/g, " $1 $2 "],
  [/\b(d)('ye)\b/g, " $1 $2 "],
  [/\b(gim|lem)(me)\b/g, " $1 $2 "],
  [/\b(gon)(na)\b/g, " $1 $2 "],
  [/\b(got)(ta)\b/g, " $1 $2 "],
  [/\b(more)('n)\b/g, " $1 $2 "],
  [/\b(wan)(na)(?=\s)/g, " $1 $2 "],
  [/ ('t)(is|was)\b/g, " $1 $2 "],
];

/** @type {Rule[]} */
const JOINING = [
  [/ ('t)\s(is|was)\b/g, "$1$2"],
  [/\b(can)\s(not)\b/g, "$1$2"],
  [/\b(d)\s('ye)\b/g, "$1$2"],
  [/\b(gim|lem)\s(me)\b/g, "$1$2"],
  [/\b(gon)\s(na)\b/g, "$1$2"],
  [/\b(got)\s(ta)\b/g, "$1$2"],
  [/\b(more)\s('n)\b/g, "$1$2"],
  [/\b(wan)\s(na)(?=\s)/g, "$1$2"],
  [/([^' ])\s('ll|'re|'ve|n't) /g, "$1$2 "],
  [/([^' ])\s('s|'m|'d|') /g, "$1$2 "],
  [/^\s+|\s+$/g, ""],
  [/ -- /g, "--"],
  [/([[({<])\s/g, "$1"],
  [/\s([\])}>])/g, "$1"],
  [/([\])}>])\s([:;,.])/g, "$1$2"],
  [/([^'])\s'\s/g, "$1' "],
  [/\s([?!])/g, "$1"],
  [/([^.])\s(\.)(?!\.)([\])}>"']*)/g, "$1$2$3"],
  [/([#$])\s/g, "$1"],
  [/\s([;%:,])/g, "$1"],
];

/**
 * Lower-case words without punctuation.
 * @param {string} sentence
 * @returns {string[]}
 */
export function tokenize(sentence) {
  const text = apply(TYPOGRAPHY, sentence.toLowerCase());
  const separated = words(text).map((word) =>
    ABBREVIATION.test(word) ? word : word.replace(LAST_PERIOD, " . "),
  );
  const tokens = words(apply(SPLITTING, `${separated.join(" ")} .`));
  return tokens.map((token) => token.toLowerCase()).filter((token) => !PUNCTUATION.has(token));
}

/**
 * Words joined as they are written: "a man 's dog" becomes "a man's dog".
 * @param {string[]} tokens
 */
export function phrase(tokens) {
  return apply(JOINING, ` ${tokens.join(" ")} `);
}

/**
 * Words as a written sentence: joined, with a capital and a full stop.
 * @param {string[]} tokens
 */
export function sentence(tokens) {
  const text = phrase(tokens);
  return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
}

/**
 * Whether there is more in a text than punctuation, as there must be in a question.
 * @param {string} text
 */
export function hasWords(text) {
  return /[\p{L}\p{N}]/u.test(text);
}

/**
 * @param {Rule[]} rules
 * @param {string} text
 */
function apply(rules, text) {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** @param {string} text */
function words(text) {
  return text.split(/\s+/).filter(Boolean);
}
