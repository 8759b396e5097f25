/** The page: a photograph comes in by file, drop, paste, camera or example; captions come out. */

import { takePhotograph } from "./camera.js";
import { Captioner } from "./captioner.js";
import { captionView } from "./view.js";

/** @param {string} id @returns {any} */
const $ = (id) => document.getElementById(id);
const loading = Captioner.load();
/** @type {Promise<import("./captioner.js").Photograph> | null} */
let shown = null; // what the model makes of the last photograph that came

/**
 * Writes a caption or an answer into a section; its heading gets the focus.
 * @param {HTMLElement} section
 * @param {string | null} question
 */
async function write(section, question) {
  const mine = shown;
  say(question === null ? "Looking …" : "Thinking …");
  try {
    const { about } = await loading;
    const photograph = await mine;
    if (!photograph) return;
    const caption = question === null ? await photograph.caption() : await photograph.answer(question);
    if (mine !== shown) return; // another photograph has come meanwhile
    const view = captionView(caption, about, photograph.picture, question);
    section.prepend(view);
    view.querySelector("h2")?.focus({ preventScroll: true });
    view.scrollIntoView({ block: "nearest" });
    $("ask").hidden = !about.answers;
    say("");
  } catch (error) {
    if (mine === shown) fail(error);
  }
}

/** @param {Blob | null | undefined} file */
function open(file) {
  if (!file) return;
  shown?.then(({ picture }) => picture.close(), () => {}); // its memory is free at once
  shown = loading.then((captioner) => captioner.look(file));
  $("caption").replaceChildren();
  $("answers").replaceChildren();
  $("ask").hidden = true;
  write($("caption"), null);
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
  if (question) write($("answers"), question);
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

loading.then(async ({ about }) => {
  $("version").textContent = about.version;
  if (!shown) say("");
  // After the model, so that both do not wait for each other. Without HTTPS there is none.
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("service-worker.js");
  await navigator.serviceWorker.ready;
  $("offline").textContent = "This page works offline now.";
}, fail);
