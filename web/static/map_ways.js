// The ways of several exhibits: asked for one by one, drawn each in its colour under its reference.
import { collection, extent, hasPlace, point, way } from "/static/map_shapes.js";
import { read } from "/static/map_words.js";

const AT_ONCE = 4; // Requests under way at a time.
/** Told apart by their references on the map; colours only help the eye. */
const COLOURS = ["#1d70b8", "#00703c", "#912b88", "#b10e1e", "#0b0c0c", "#6f4200", "#28807a", "#4c2c92"];

/** What the page lists as `data-way`: `known` has those with places, `failed` the references that did not come. */
export async function ways() {
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
  return { failed, known, area };
}

async function all(lines) {
  const failed = [];
  const waiting = [...lines];
  const next = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      try {
        one.fixes = mainFixes(await read(one.address));
      } catch {
        failed.push(one.reference);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return failed;
}

/** Those of the source that says most often where it was. */
export function mainFixes({ sources, fixes }) {
  const best = sources.reduce((one, other) => (other.placed > (one?.placed ?? -1) ? other : one), null);
  return best ? fixes.filter((fix) => fix.source === best.id) : fixes;
}

/** Needs the layers of `addLayers`, with the colour taken from the features. */
export function drawWays(map, known) {
  map.getSource("way").setData(collection(known.flatMap(({ fixes, colour }) => way(fixes, { colour }))));
  map.addSource("names", { type: "geojson", data: collection(known.map(named)) });
  map.addLayer({
    id: "names",
    type: "symbol",
    source: "names",
    layout: {
      "text-field": ["get", "reference"],
      "text-font": ["Arial"],
      "text-size": 14,
      "text-variable-anchor": ["bottom", "top", "left", "right"],
      "text-radial-offset": 0.7,
    },
    paint: { "text-color": ["get", "colour"], "text-halo-color": "#fff", "text-halo-width": 2 },
  });
  map.addLayer({ id: "starts", type: "circle", source: "names", paint: { "circle-radius": 6, "circle-color": "#fff", "circle-stroke-color": ["get", "colour"], "circle-stroke-width": 3 } });
  for (const { line, colour } of known) {
    const mark = line.querySelector("[data-colour]");
    if (!mark) continue;
    mark.style.setProperty("background-color", colour);
    mark.hidden = false;
  }
}

function named({ fixes, reference, colour }) {
  const first = fixes.find(hasPlace);
  return point(first.lat, first.lon, { reference, colour });
}
