// A map on a page: MapLibre over a plain grid or the tiles that are set, north up, with scale and degrees at its edges.
import { Map as Drawn, NavigationControl, ScaleControl } from "/static/vendor/maplibre-gl.mjs";
import { collection, empty } from "/static/map_shapes.js";

const LINE_EVERY_PX = 110;
const CORNER_PX = 34; // No label so near to a corner: two would lie on each other.
const INK = "#14263b";
const WORDS = {
  "Map.Title": "Map. The same is told in words below.",
  "NavigationControl.ZoomIn": "Zoom in",
  "NavigationControl.ZoomOut": "Zoom out",
  "CooperativeGesturesHandler.WindowsHelpText": "Hold Ctrl to zoom the map with the wheel",
  "CooperativeGesturesHandler.MacHelpText": "Hold ⌘ to zoom the map with the wheel",
  "CooperativeGesturesHandler.MobileHelpText": "Move the map with two fingers",
};

export function webglWorks() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

/**
 * Draw a map in `frame` (which says by data-tiles where its background comes from) and show `bounds`.
 * Resolves when layers can be added; null where the browser can't draw maps: the page's words stay.
 */
export async function openMap(frame, { bounds, gestures = true, name = "" } = {}) {
  if (!webglWorks()) return null;
  const canvas = document.createElement("div");
  canvas.className = "app-map__canvas";
  frame.replaceChildren(canvas);
  frame.hidden = false;
  const map = new Drawn({
    container: canvas,
    style: ground(frame.dataset.tiles ?? ""),
    bounds: bounds ?? [-8.7, 49.8, 1.9, 60.9],
    fitBoundsOptions: { padding: 50, maxZoom: 18, animate: false },
    attributionControl: false,
    maplibreLogo: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    maxPitch: 0,
    cooperativeGestures: gestures,
    fadeDuration: 0,
    locale: name ? { ...WORDS, "Map.Title": name } : WORDS,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ unit: "metric", maxWidth: 120 }), "bottom-right");
  canvas.append(north());
  credit(frame);
  map.on("error", ({ error, sourceId }) => {
    if (sourceId === "tiles") frame.dataset.tilesFailed = "yes"; // The grid is there all the same.
    else console.error(error);
  });
  await new Promise((resolve) => map.once("load", resolve));
  graticule(map, canvas);
  frame.dispatchEvent(new CustomEvent("exhibit:map", { bubbles: true, detail: map }));
  return map;
}

function ground(tiles) {
  const sources = { grid: { type: "geojson", data: empty } };
  const layers = [{ id: "ground", type: "background", paint: { "background-color": "#f3f2f1" } }];
  if (tiles) {
    sources.tiles = { type: "raster", tiles: [new URL(tiles, location.href).href.replace(/%7B/gi, "{").replace(/%7D/gi, "}")], tileSize: 256, maxzoom: 19 };
    layers.push({ id: "tiles", type: "raster", source: "tiles" });
  }
  const opacity = tiles ? 0.35 : 1;
  layers.push({ id: "grid", type: "line", source: "grid", paint: { "line-color": tiles ? INK : "#c9ced3", "line-width": 1, "line-opacity": opacity } });
  return { version: 8, sources, layers };
}

function north() {
  const mark = document.createElement("div");
  mark.className = "app-map__north";
  mark.textContent = "N";
  mark.title = "North is up";
  return mark;
}

function credit(frame) {
  if (!frame.dataset.tiles || !frame.dataset.attribution) return;
  const line = document.createElement("p");
  line.className = "app-map__credit";
  line.textContent = frame.dataset.attribution;
  frame.append(line);
}

/** Lines of latitude and longitude at round degrees, with their names at the left and the lower edge. */
function graticule(map, canvas) {
  const labels = document.createElement("div");
  labels.className = "app-map__degrees";
  labels.setAttribute("aria-hidden", "true");
  canvas.append(labels);
  let due = 0;
  const draw = () => {
    due = 0;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const area = map.getBounds();
    const [west, east, south, north] = [area.getWest(), area.getEast(), area.getSouth(), area.getNorth()];
    const lines = [];
    const names = [];
    for (const lon of rounds(west, east, width)) {
      lines.push([[lon.at, south], [lon.at, north]]);
      const x = map.project([lon.at, south]).x;
      if (x > CORNER_PX * 2 && x < width - CORNER_PX) names.push(name(degrees(lon, "E", "W"), "lon", x));
    }
    for (const lat of rounds(south, north, height)) {
      lines.push([[west, lat.at], [east, lat.at]]);
      const y = map.project([west, lat.at]).y;
      if (y > CORNER_PX && y < height - CORNER_PX) names.push(name(degrees(lat, "N", "S"), "lat", y));
    }
    map.getSource("grid")?.setData(collection(lines.map((coordinates) => ({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } }))));
    labels.replaceChildren(...names);
  };
  const soon = () => (due ||= requestAnimationFrame(draw));
  map.on("move", soon);
  map.on("resize", soon);
  draw();
}

function rounds(from, to, pixels) {
  const wanted = ((to - from) * LINE_EVERY_PX) / pixels;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= wanted * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) found.push({ at: k * step, digits });
  return found;
}

function degrees({ at, digits }, positive, negative) {
  return `${Math.abs(at).toFixed(digits)}°${at < -1e-12 ? ` ${negative}` : at > 1e-12 ? ` ${positive}` : ""}`;
}

function name(text, axis, at) {
  const label = document.createElement("span");
  label.className = `app-map__degree app-map__degree--${axis}`;
  label.textContent = text;
  label.style.setProperty(axis === "lon" ? "left" : "top", `${at}px`);
  return label;
}
