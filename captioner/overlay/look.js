"use strict";
// Lights where a word looked, under the mouse or the keyboard's focus, in one element of class "look".
function bindLook(root) {
  const view = root.querySelector(".view");
  const told = root.querySelector(".told");
  const heats = Array.from(root.querySelectorAll(".heat"));
  const words = Array.from(root.querySelectorAll(".words button"));
  const hint = "Point at a word, or go through them with Tab or the arrow keys.";
  const { aspect, height } = view.dataset;
  view.style.width = `min(100%, calc(${height} * ${aspect}))`;

  heats.forEach((heat) => { heat.hidden = false; });  // which they are where no script may run

  function light(chosen) {
    words.forEach((word, i) => word.classList.toggle("lit", i === chosen));
    heats.forEach((heat, i) => heat.classList.toggle("lit", i === chosen));
    view.classList.toggle("looking", chosen >= 0);
    told.textContent = chosen >= 0 ? words[chosen].dataset.look : hint;
  }

  words.forEach((word, i) => {
    word.addEventListener("mouseenter", () => light(i));
    // The mouse gone, the word in focus is shown again; indexOf gives -1 where there is none.
    word.addEventListener("mouseleave", () => light(words.indexOf(document.activeElement)));
    word.addEventListener("focus", () => light(i));
    word.addEventListener("blur", () => light(-1));
    word.addEventListener("click", () => word.focus());
    word.addEventListener("keydown", (event) => {
      const next = { ArrowLeft: i - 1, ArrowUp: i - 1, ArrowRight: i + 1, ArrowDown: i + 1,
        Home: 0, End: words.length - 1 }[event.key];
      if (event.key === "Escape") word.blur();
      if (next === undefined) return;
      event.preventDefault();
      words[Math.max(0, Math.min(next, words.length - 1))].focus();
    });
  });
  light(-1);
}
