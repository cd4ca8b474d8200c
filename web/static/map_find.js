// "What filmed this spot, when?": draw a rectangle, a shape or a point with a radius; the form does the asking.
import { addLayers } from "/static/map_layers.js";
import { apart, circle, collection, extent, ring } from "/static/map_shapes.js";
import { drawWays, ways } from "/static/map_ways.js";
import { tell } from "/static/map_words.js";

const UK = [-8.7, 49.8, 1.9, 60.9];
const SEEN = "exhibit-map-area"; // Where the map was left, in this tab alone.
const digits = (value) => value.toFixed(6);

async function start() {
  const frame = document.querySelector("[data-map-find]");
  if (!frame) return;
  const form = document.querySelector("[data-map-form]");
  const shape = given(form);
  const { known, area } = await ways();
  const { openMap } = await import("/static/map.js");
  const map = await openMap(frame, { bounds: areaOf(shape) ?? area ?? left() ?? UK, gestures: false, name: "Map to draw a place on. The fields below do the same." });
  frame.dataset.state = map ? "drawn" : "words";
  if (!map) {
    tell(document.querySelector("[data-map-note]"), "This browser can’t draw maps (it has no WebGL). Enter the place in the fields below.");
    return;
  }
  for (const part of document.querySelectorAll("[data-with-map]")) part.hidden = false;
  addLayers(map, ["get", "colour"]);
  drawWays(map, known);
  map.on("moveend", () => sessionStorage.setItem(SEEN, JSON.stringify(map.getBounds().toArray().flat())));
  new Drawing(map, form, shape);
}

function left() {
  try {
    const area = JSON.parse(sessionStorage.getItem(SEEN));
    return Array.isArray(area) && area.length === 4 && area.every(Number.isFinite) ? area : null;
  } catch {
    return null;
  }
}

/** The shape that the form holds, as the server last understood it, or null. */
function given(form) {
  const numbers = (text) => text.split(",").map(Number);
  const box = form.elements.bbox.value;
  const corners = form.elements.polygon.value;
  if (corners) return { kind: "polygon", points: corners.split(";").map(numbers) };
  if (box) {
    const [west, south, east, north] = numbers(box);
    return { kind: "bbox", points: [[west, south], [east, north]] };
  }
  const [lat, lon, metres] = ["lat", "lon", "metres"].map((name) => Number.parseFloat(form.elements[name].value));
  return [lat, lon, metres].every(Number.isFinite) ? { kind: "near", points: [[lon, lat]], metres } : null;
}

function drawn(shape) {
  if (!shape?.points.length) return [];
  if (shape.kind === "near") return [circle(shape.points[0][1], shape.points[0][0], shape.metres)];
  if (shape.kind === "polygon") return shape.points.length > 2 ? [ring(shape.points)] : [{ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: shape.points } }];
  if (shape.points.length < 2) return [];
  const [[west, south], [east, north]] = shape.points;
  return [ring([[west, south], [east, south], [east, north], [west, north]])];
}

function areaOf(shape) {
  const points = drawn(shape).flatMap(({ geometry }) => geometry.coordinates.flat());
  return points.length ? extent(points) : null;
}

const HELP = {
  near: "Click the map where you want to know. Drag from the point to make the circle larger.",
  bbox: "Press on one corner of the rectangle, and drag to the other.",
  polygon: "Click each corner of the shape; double-click the last one.",
  "": "",
};

/** What is being drawn, with a mouse, a pen or a finger. */
class Drawing {
  constructor(map, form, shape) {
    Object.assign(this, { map, form, shape, tool: "", help: document.querySelector("[data-draw-help]"), finish: document.querySelector("[data-draw-finish]") });
    this.finish.addEventListener("click", () => this.ask());
    this.buttons = [...document.querySelectorAll("[data-draw]")];
    for (const button of this.buttons) button.addEventListener("click", () => this.choose(this.tool === button.dataset.draw ? "" : button.dataset.draw));
    for (const [down, move, up] of [["mousedown", "mousemove", "mouseup"], ["touchstart", "touchmove", "touchend"]]) {
      map.on(down, (event) => this.pressed(event));
      map.on(move, (event) => this.moved(event));
      map.on(up, (event) => this.released(event));
    }
    map.on("click", (event) => this.clicked(event));
    map.on("dblclick", (event) => this.ended(event));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.tool && this.choose(""));
    this.show();
  }

  choose(tool) {
    this.tool = tool;
    this.from = null;
    if (tool) this.shape = null;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.draw === tool));
    this.help.textContent = HELP[tool];
    const act = tool ? "disable" : "enable";
    this.map.doubleClickZoom[act]();
    this.map.dragPan[tool && tool !== "polygon" ? "disable" : "enable"]();
    this.map.boxZoom[act]();
    this.map.getCanvas().style.cursor = tool ? "crosshair" : "";
    this.show();
  }

  pressed(event) {
    if (this.tool !== "bbox" && this.tool !== "near") return;
    if ((event.points?.length ?? 1) > 1) return;
    event.preventDefault();
    this.from = event.lngLat.toArray();
    this.shape = this.tool === "near" ? { kind: "near", points: [this.from], metres: this.metres() } : { kind: "bbox", points: [] };
    this.show();
  }

  moved({ lngLat, point }) {
    if (!this.from) return;
    const to = lngLat.toArray();
    const far = this.map.project(this.from).dist(point) > 4;
    if (this.tool === "near" && far) this.shape.metres = Math.max(1, Math.round(apart(this.from, to)));
    if (this.tool === "bbox" && far) {
      const [lons, lats] = [0, 1].map((k) => [this.from[k], to[k]].sort((a, b) => a - b));
      this.shape.points = [[lons[0], lats[0]], [lons[1], lats[1]]];
    }
    this.show();
  }

  released() {
    if (!this.from) return;
    this.from = null;
    if (drawn(this.shape).length) this.ask();
  }

  clicked({ lngLat }) {
    if (this.tool !== "polygon") return;
    const points = this.shape?.points ?? [];
    this.shape = { kind: "polygon", points: [...points, lngLat.toArray()] };
    this.show();
  }

  ended(event) {
    if (this.tool !== "polygon" || !this.shape) return;
    event.preventDefault();
    // The two clicks of a double click each added a corner, at one place or nearly so.
    const points = this.shape.points.filter((one, index, all) => !index || this.map.project(one).dist(this.map.project(all[index - 1])) > 4);
    this.shape = { kind: "polygon", points };
    if (points.length > 2) this.ask();
  }

  metres() {
    const asked = Number.parseFloat(this.form.elements.metres.value);
    return Number.isFinite(asked) && asked > 0 ? asked : 25;
  }

  show() {
    this.map.getSource("shape").setData(collection(drawn(this.shape)));
    this.finish.hidden = this.tool !== "polygon" || (this.shape?.points.length ?? 0) < 3;
  }

  ask() {
    const { bbox, polygon, lat, lon, metres } = this.form.elements;
    const { kind, points } = this.shape;
    const text = (some) => some.map(digits).join(",");
    bbox.value = kind === "bbox" ? text(points.flat()) : "";
    polygon.value = kind === "polygon" ? points.map(text).join(";") : "";
    lat.value = kind === "near" ? digits(points[0][1]) : "";
    lon.value = kind === "near" ? digits(points[0][0]) : "";
    if (kind === "near") metres.value = String(this.shape.metres);
    this.show();
    this.form.requestSubmit();
  }
}

start();
