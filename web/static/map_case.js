// The map of a case: the way of every exhibit that has one, each under its reference; a click leads to the player's moment.
import { addLayers } from "/static/map_layers.js";
import { hasPlace } from "/static/map_shapes.js";
import { drawWays, ways } from "/static/map_ways.js";
import { tell } from "/static/map_words.js";

const CLICK_PX = 14;
const PASS_S = 5;

let drawn = null; // The map in the page now, and whether somebody moved it.

async function start() {
  document.addEventListener("exhibit:replaced", (event) => {
    if (event.target.dataset.part === "where") show();
  });
  await show();
}

async function show() {
  const before = drawn;
  const kept = before?.moved ? { center: before.map.getCenter(), zoom: before.map.getZoom() } : null;
  before?.map.remove(); // Of the part that was replaced: browsers give a page few graphics contexts.
  drawn = null;
  const frame = document.querySelector("[data-map-case]");
  if (!frame) return;
  const note = document.querySelector("[data-map-note]");
  const { failed, known, area } = await ways();
  const { openMap } = await import("/static/map.js");
  const map = area ? await openMap(frame, { bounds: area, name: `Map of the ways of ${frame.dataset.name}. The exhibits are listed below.` }) : null;
  if (failed.length) tell(note, `Not on the map, as the server did not answer: ${failed.join(", ")}.`);
  else if (area && !map) tell(note, "This browser can’t draw maps (it has no WebGL). The exhibits are listed below.");
  if (!frame.isConnected) {
    map?.remove(); // Replaced again meanwhile.
    return;
  }
  frame.dataset.state = map ? "drawn" : "words";
  if (!map) return;
  drawn = { map, moved: Boolean(kept) };
  if (kept) map.jumpTo(kept);
  map.on("movestart", (event) => {
    if (event.originalEvent) drawn.moved = true;
  });
  addLayers(map, ["get", "colour"]);
  drawWays(map, known);
  map.on("click", ({ point: at }) => found(map, known, at));
  map.on("mousemove", ({ point: at }) => {
    map.getCanvas().style.cursor = map.queryRenderedFeatures(at, { layers: ["way-near"] }).length ? "pointer" : "";
  });
}

/** Every exhibit that came by where somebody clicked, each time it did, as links to that moment. */
function found(map, known, at) {
  const place = document.querySelector("[data-found]");
  const links = [];
  for (const one of known) {
    const near = one.fixes
      .filter(hasPlace)
      .map((fix) => ({ fix, px: map.project([fix.lon, fix.lat]).dist(at) }))
      .filter(({ px }) => px <= CLICK_PX)
      .sort((a, b) => a.px - b.px);
    const passes = [];
    for (const { fix } of near) if (passes.every((other) => Math.abs(other.at_s - fix.at_s) > PASS_S)) passes.push(fix);
    for (const fix of passes.sort((a, b) => a.at_s - b.at_s)) links.push(link(one, fix));
  }
  place.hidden = !links.length;
  place.querySelector("[data-found-links]").replaceChildren(...links.slice(0, 12));
  if (links.length) document.getElementById("announcer").textContent = `${links.length} found where you clicked`;
}

function link({ reference, href, offset }, fix) {
  const item = document.createElement("li");
  const anchor = document.createElement("a");
  anchor.className = "govuk-link";
  anchor.href = `${href}?at=${Math.max(0, fix.at_s + offset).toFixed(3)}`;
  anchor.textContent = `${reference} at ${minutes(fix.at_s + offset)}`;
  item.append(anchor);
  return item;
}

function minutes(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}

start();
