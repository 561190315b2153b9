// Find a site by typing. The page is whole without this file.
"use strict";

const input = document.getElementById("find");
const found = document.getElementById("found");
const groups = [...document.querySelectorAll(".group")];
const tiles = [...document.querySelectorAll(".tile")].map((element) => {
  const group = element.closest(".group");
  return {
    element,
    group,
    link: element.querySelector("a"),
    text: plain(`${element.textContent} ${group.querySelector("h2").textContent}`),
  };
});

// Small letters without accents, so that "cafe" finds "Café".
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function shown() {
  return tiles.filter((tile) => !tile.element.hidden);
}

function filter() {
  const words = plain(input.value).split(/\s+/).filter(Boolean);
  for (const tile of tiles) {
    tile.element.hidden = !words.every((word) => tile.text.includes(word));
    tile.element.classList.remove("first");
  }
  const matches = shown();
  for (const group of groups) {
    group.hidden = !matches.some((tile) => tile.group === group);
  }
  if (!words.length) {
    found.textContent = "";
  } else if (!matches.length) {
    found.textContent = "No site matches. Esc shows all again.";
  } else {
    matches[0].element.classList.add("first");
    found.textContent = `${matches.length} of ${tiles.length}. Enter opens ${matches[0].link.textContent}.`;
  }
}

function clear() {
  input.value = "";
  filter();
  input.focus();
}

// The tile that lies in the direction of the arrow: sideways in reading order, up and down by the nearest edge.
function neighbour(from, key) {
  const all = shown();
  const at = all.indexOf(from);
  if (key === "ArrowRight") return all[at + 1];
  if (key === "ArrowLeft") return all[at - 1];
  const here = from.element;
  const sign = key === "ArrowDown" ? 1 : -1;
  let best;
  let least = Infinity;
  for (const tile of all) {
    // Offsets, not client rectangles: a card that is focused is lifted for a moment.
    const there = tile.element;
    const rows = sign * (there.offsetTop - here.offsetTop);
    const distance = rows * 1000 + Math.abs(there.offsetLeft - here.offsetLeft);
    if (rows > 0 && distance < least) {
      best = tile;
      least = distance;
    }
  }
  return best;
}

function arrow(event) {
  if (document.activeElement === input) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    shown()[0]?.link.focus();
    return;
  }
  const from = tiles.find((tile) => tile.link === document.activeElement);
  if (!from) return;
  event.preventDefault();
  const next = neighbour(from, event.key);
  if (next) next.link.focus();
  else if (event.key === "ArrowUp") input.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "/" && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (event.key === "Escape" && (input.value || document.activeElement === input)) {
    event.preventDefault();
    clear();
  } else if (event.key === "Enter" && document.activeElement === input && input.value.trim()) {
    shown()[0]?.link.click();
  } else if (event.key.startsWith("Arrow")) {
    arrow(event);
  }
});

input.addEventListener("input", filter);
window.addEventListener("pageshow", filter);
