// The map of a case: the way of every exhibit that has one, each under its reference; a click leads to the player's moment.
import { addLayers } from "/static/map_layers.js";
import { collection, extent, hasPlace, point, way } from "/static/map_shapes.js";
import { read, tell } from "/static/map_words.js";

const AT_ONCE = 4; // Requests under way at a time.
const CLICK_PX = 14;
const PASS_S = 5;
/** Told apart by their references on the map; colours only help the eye. */
const COLOURS = ["#1d70b8", "#00703c", "#912b88", "#b10e1e", "#0b0c0c", "#6f4200", "#28807a", "#4c2c92"];

async function start() {
  const frame = document.querySelector("[data-map-case]");
  if (!frame) return;
  const note = document.querySelector("[data-map-note]");
  const lines = [...document.querySelectorAll("[data-way]")].map((line, index) => ({
    line,
    reference: line.dataset.reference,
    href: line.dataset.href,
    address: line.dataset.way,
    offset: Number(line.dataset.offset || 0),
    colour: COLOURS[index % COLOURS.length],
    fixes: [],
  }));
  const failed = await all(lines);
  const known = lines.filter((one) => one.fixes.some(hasPlace));
  const area = extent(known.flatMap((one) => one.fixes.filter(hasPlace).map((fix) => [fix.lon, fix.lat])));
  const { openMap } = await import("/static/map.js");
  const map = area ? await openMap(frame, { bounds: area, name: `Map of the ways of ${frame.dataset.name}. The exhibits are listed below.` }) : null;
  if (failed.length) tell(note, `Not on the map, as the server did not answer: ${failed.join(", ")}.`);
  else if (area && !map) tell(note, "This browser can’t draw maps (it has no WebGL). The exhibits are listed below.");
  frame.dataset.state = map ? "drawn" : "words";
  if (map) draw(map, known);
}

async function all(lines) {
  const failed = [];
  const waiting = [...lines];
  const next = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      try {
        one.fixes = (await read(one.address)).fixes;
      } catch {
        failed.push(one.reference);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return failed;
}

function draw(map, known) {
  addLayers(map, ["get", "colour"]);
  map.getSource("way").setData(collection(known.flatMap(({ fixes, colour }) => way(fixes, { colour }))));
  map.addSource("names", { type: "geojson", data: collection(known.map(named)) });
  map.addLayer({
    id: "names",
    type: "symbol",
    source: "names",
    layout: { "text-field": ["get", "reference"], "text-font": ["Arial"], "text-size": 14, "text-anchor": "bottom", "text-offset": [0, -0.6], "text-allow-overlap": false, "text-variable-anchor": ["bottom", "top", "left", "right"] },
    paint: { "text-color": ["get", "colour"], "text-halo-color": "#fff", "text-halo-width": 2 },
  });
  map.addLayer({ id: "starts", type: "circle", source: "names", paint: { "circle-radius": 6, "circle-color": "#fff", "circle-stroke-color": ["get", "colour"], "circle-stroke-width": 3 } });
  for (const { line, colour } of known) {
    const mark = line.querySelector("[data-colour]");
    if (!mark) continue;
    mark.style.setProperty("background-color", colour);
    mark.hidden = false;
  }
  map.on("click", ({ point: at }) => found(map, known, at));
  map.on("mousemove", ({ point: at }) => {
    map.getCanvas().style.cursor = map.queryRenderedFeatures(at, { layers: ["way-near"] }).length ? "pointer" : "";
  });
}

function named({ fixes, reference, colour }) {
  const first = fixes.find(hasPlace);
  return point(first.lat, first.lon, { reference, colour });
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
