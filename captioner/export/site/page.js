/** The page: captions photographs from a file, drop, paste, camera, or the example. */

import { takePhotograph } from "./camera.js";
import { Captioner } from "./captioner.js";
import { History } from "./history.js";
import { captionView, element } from "./view.js";

/** @typedef {import("./history.js").Visit} Visit */

/** @param {string} id @returns {any} */
const $ = (id) => document.getElementById(id);
const loading = Captioner.load();
const history = new History($("history"), show);
/** @type {Visit | null} */
let shown = null;

/** @param {Blob | null | undefined} file */
function open(file) {
  if (!file) return;
  const looked = loading.then((captioner) => captioner.look(file));
  const visit = { looked, caption: element("div"), answers: element("div") };
  $("question").value = "";
  show(visit);
  write(visit, null);
}

/** @param {Visit} visit */
function show(visit) {
  shown = visit;
  $("caption").replaceChildren(visit.caption);
  $("answers").replaceChildren(visit.answers);
  history.mark(visit);
  say("");
  reach(visit.caption);
}

/**
 * Writes a caption or an answer; its heading gets the focus.
 * @param {Visit} visit
 * @param {string | null} question
 */
async function write(visit, question) {
  say(question === null ? "Looking …" : "Thinking …");
  try {
    const { about } = await loading;
    const photograph = await visit.looked;
    const caption = question === null ? await photograph.caption() : await photograph.answer(question);
    const section = question === null ? visit.caption : visit.answers;
    section.prepend(captionView(caption, about, photograph.picture, question));
    if (question === null) history.add(visit, photograph.picture, caption.text);
    if (visit !== shown) return; // the user has chosen another one
    history.mark(visit);
    say("");
    reach(section);
  } catch (error) {
    if (visit === shown) fail(error);
  }
}

/** @param {HTMLElement} section whose first heading, if any, gets the focus */
function reach(section) {
  const heading = section.querySelector("h2");
  heading?.focus({ preventScroll: true });
  heading?.parentElement?.scrollIntoView({ block: "nearest" });
}

/** @param {string} text */
function say(text) {
  $("status").textContent = text;
  $("error").textContent = "";
}

/** @param {unknown} error */
function fail(error) {
  say("");
  $("error").textContent = error instanceof Error ? error.message : String(error);
}

/** @param {DataTransfer | null} data */
function pictureIn(data) {
  return Array.from(data?.files ?? []).find((file) => file.type.startsWith("image/"));
}

$("photo").addEventListener("change", () => {
  open($("photo").files[0]);
  $("photo").value = ""; // so that the same file can be chosen again
});
$("take").addEventListener("click", () => takePhotograph($("camera")).then(open, fail));
$("example").addEventListener("click", async () => open(await (await fetch("example.jpg")).blob()));
$("ask").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (question && shown) write(shown, question);
  $("question").select();
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer?.files.length) open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (!file) return;
  event.preventDefault();
  open(file);
});

say("Loading the model …");
loading.then(async ({ about }) => {
  if (!shown) say("");
  $("ask").hidden = !about.answers;
  // A server's page has no such place. Without HTTPS there is no service worker.
  if (!$("offline") || !navigator.serviceWorker) return;
  // After the model, so that both do not wait for each other.
  await navigator.serviceWorker.register("service-worker.js");
  await navigator.serviceWorker.ready;
  $("offline").textContent = "This page works offline now.";
}, fail);
