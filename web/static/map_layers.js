// What lies on a map, from below: footprint, way, detections, the camera. Kinds differ by dashes too, never by colour alone.
import { Marker } from "/static/vendor/maplibre-gl.mjs";
import { empty } from "/static/map_shapes.js";

const WAY = "#1d70b8";
const GROUND = "#f47738";
const SPOT = "#d4351c";
const DASHES = { measured: null, derived: [6, 2], estimated: [2, 1.5], interpolated: [0.6, 1.6], jump: [1, 3] };
const SOURCES = ["footprint", "sight", "way", "fixes", "ellipses", "tracks", "spots", "shape"];

/** `color` of the way: one for all, or an expression on its features. */
export function addLayers(map, color = WAY) {
  for (const name of SOURCES) map.addSource(name, { type: "geojson", data: empty });
  map.addLayer({ id: "shape", type: "fill", source: "shape", paint: { "fill-color": "#4c2c92", "fill-opacity": 0.15 } });
  map.addLayer({ id: "shape-edge", type: "line", source: "shape", paint: { "line-color": "#4c2c92", "line-width": 3 } });
  map.addLayer({ id: "footprint", type: "fill", source: "footprint", paint: { "fill-color": GROUND, "fill-opacity": 0.22 } });
  dashed(map, "footprint-edge", "footprint", "certainty", { "line-color": "#c2410c", "line-width": 2 });
  map.addLayer({ id: "sight", type: "line", source: "sight", paint: { "line-color": "#c2410c", "line-width": 1.5, "line-dasharray": [3, 2] } });
  const round = { "line-cap": "round", "line-join": "round" };
  map.addLayer({ id: "way-near", type: "line", source: "way", layout: round, paint: { "line-color": "#fff", "line-width": 22, "line-opacity": 0.01 } });
  map.addLayer({ id: "way-edge", type: "line", source: "way", layout: round, paint: { "line-color": "#fff", "line-width": 7 } });
  dashed(map, "way", "way", "manner", { "line-color": color, "line-width": 4 });
  map.addLayer({ id: "fixes", type: "circle", source: "fixes", minzoom: 17.5, paint: { "circle-radius": 2.5, "circle-color": "#fff", "circle-stroke-color": WAY, "circle-stroke-width": 1.5 } });
  map.addLayer({ id: "ellipses", type: "fill", source: "ellipses", paint: { "fill-color": SPOT, "fill-opacity": 0.12 } });
  map.addLayer({ id: "ellipses-edge", type: "line", source: "ellipses", paint: { "line-color": SPOT, "line-width": 1, "line-opacity": 0.6 } });
  map.addLayer({ id: "tracks", type: "line", source: "tracks", layout: round, paint: { "line-color": SPOT, "line-width": 2 } });
  map.addLayer({ id: "spots", type: "circle", source: "spots", paint: { "circle-radius": 5, "circle-color": SPOT, "circle-stroke-color": "#fff", "circle-stroke-width": 1.5 } });
}

/** Lines in the dashes of their kind; `paint` may hold expressions on the features. */
function dashed(map, id, source, property, paint) {
  for (const [kind, dashes] of Object.entries(DASHES)) {
    const here = kind === "jump" ? { ...paint, "line-color": SPOT } : paint;
    map.addLayer({
      id: `${id}-${kind}`,
      type: "line",
      source,
      filter: ["==", ["get", property], kind],
      layout: { "line-join": "round" },
      paint: dashes ? { ...here, "line-dasharray": dashes } : here,
    });
  }
}

const ARROW = "M15 3 L23 25 L15 20.5 L7 25 Z";

/** A mark that stands at a fix and points where the camera looks; a plain ring where nobody says. */
export function camera(map) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of [["viewBox", "0 0 30 30"], ["width", "30"], ["height", "30"], ["class", "app-map__camera"]]) svg.setAttribute(name, value);
  const arrow = document.createElementNS(svg.namespaceURI, "path");
  const ring = document.createElementNS(svg.namespaceURI, "circle");
  arrow.setAttribute("d", ARROW);
  for (const [name, value] of [["cx", "15"], ["cy", "15"], ["r", "8"]]) ring.setAttribute(name, value);
  svg.append(ring, arrow);
  const mark = document.createElement("div");
  mark.append(svg);
  const marker = new Marker({ element: mark, rotationAlignment: "map" });
  let there = false;
  return {
    at(fix) {
      if (!fix) {
        marker.remove();
        there = false;
        return;
      }
      svg.classList.toggle("app-map__camera--between", Boolean(fix.between));
      marker.setLngLat([fix.lon, fix.lat]).setRotation(fix.yaw ?? 0);
      arrow.setAttribute("visibility", fix.yaw == null ? "hidden" : "visible");
      ring.setAttribute("visibility", fix.yaw == null ? "visible" : "hidden");
      if (!there) marker.addTo(map);
      mark.setAttribute("aria-hidden", "true");
      mark.removeAttribute("aria-label");
      there = true;
    },
  };
}
