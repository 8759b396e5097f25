"use strict";
const $ = (id) => document.getElementById(id);
let photograph = null;  // a File or Blob, the one that is asked about
let turn = 0;  // answers to what was asked before the last photograph came are dropped

async function view(question) {
  const form = new FormData();
  form.append("photo", photograph, "photo");
  if (question) form.append("question", question);
  const response = await fetch("view", { method: "POST", body: form });
  if (response.ok) return response.text();
  let reason = `the server said ${response.status}`;
  try { reason = (await response.json()).error; } catch { /* no JSON: a proxy's page */ }
  throw new Error(reason);
}

// Asks the server, and puts what it says into a section, where the keyboard's focus goes.
async function show(section, question, working) {
  const mine = turn;
  $("status").textContent = working;
  $("error").textContent = "";
  try {
    const part = await view(question);
    if (mine !== turn) return;
    section.insertAdjacentHTML("afterbegin", part);
    const article = section.firstElementChild;
    bindLook(article.querySelector(".look"));
    article.querySelector("h3").focus({ preventScroll: true });
    article.scrollIntoView({ block: "nearest" });
    $("status").textContent = "";
    $("ask").hidden = false;
  } catch (error) {
    if (mine !== turn) return;
    $("status").textContent = "";
    $("error").textContent = error instanceof TypeError ? "The server cannot be reached; is it still running?" : error.message;
  }
}

function open(file) {
  if (!file) return;
  photograph = file;
  turn += 1;
  $("caption").replaceChildren();
  $("answers").replaceChildren();
  $("ask").hidden = true;
  show($("caption"), null, "Looking …");
}

for (const id of ["photo", "camera"]) {
  $(id).addEventListener("change", (event) => {
    open(event.target.files[0]);
    event.target.value = "";  // so that the same one can be chosen again
  });
}
$("example").addEventListener("click", async () => open(await (await fetch("example")).blob()));
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (question) show($("answers"), question, "Thinking …");
  $("question").select();
});

document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = Array.from(event.clipboardData.files).find((f) => f.type.startsWith("image/"));
  if (file) { event.preventDefault(); open(file); }
});
