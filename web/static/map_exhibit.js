// The map of one exhibit: its way, what the picture shows of the ground, what was located; in step with the player, both ways.
import { seek } from "/static/player.js";
import { BADGES, collection, ellipse, extent, fixAt, flagged, footprint, hasPlace, point, printAt, sight, way } from "/static/map_shapes.js";
import { mainFixes } from "/static/map_ways.js";
import { read, tell } from "/static/map_words.js";

const CLICK_PX = 22;
const ANOTHER_PASS_S = 5;
const NEAR_S = 2;
const WORDS_EVERY_S = 0.2; // While it plays: figures that change with every picture can't be read.
const GROUND_EVERY_MS = 60;
const UNKNOWN_AFTER_S = 5; // Further from any fix than this, the player's moment has no place.

let shown = null; // What `show` made of the frame that stands in the page now.

async function start() {
  document.addEventListener("exhibit:replaced", (event) => {
    if (event.target.dataset.part === "where") show();
  });
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) document.addEventListener(name, () => shown?.follow(), true);
  document.addEventListener("play", () => requestAnimationFrame(run), true);
  await show();
}

function run() {
  const film = player();
  shown?.follow();
  if (film && !film.paused && !film.ended) requestAnimationFrame(run);
}

const player = () => document.querySelector("[data-player] video");

async function show() {
  const frame = document.querySelector("[data-map-exhibit]");
  shown?.map?.remove(); // Of the part that was replaced: browsers give a page few graphics contexts.
  shown = null;
  if (!frame) return;
  const note = document.querySelector("[data-map-note]");
  let places;
  try {
    places = main(await read(frame.dataset.fixes));
  } catch (error) {
    tell(note, `The map can’t be drawn: ${error.message} The table below has the way in words.`);
    return;
  }
  const words = new Words(frame, places);
  const fixes = places.fixes.filter(hasPlace);
  const area = extent([...fixes.map((fix) => [fix.lon, fix.lat]), ...places.located.map((one) => [one.lon, one.lat]), ...corners(places)]);
  const [{ openMap }, layers] = await Promise.all([import("/static/map.js"), import("/static/map_layers.js")]);
  const map = area ? await openMap(frame, { bounds: area, name: `Map of the way of ${frame.dataset.name}. The same is told in words below.` }) : null;
  if (map) {
    for (const plan of document.querySelectorAll("[data-map-instead]")) plan.hidden = true;
    for (const part of document.querySelectorAll("[data-with-map]")) part.hidden = false;
    shown = new Shown(frame, map, places, words, layers);
  } else {
    tell(note, area ? "This browser can’t draw maps (it has no WebGL). The drawing and the table show the same." : "");
    shown = { follow: () => words.follow() };
  }
  shown.follow();
  frame.dataset.state = map ? "drawn" : "words";
}

/** The source that the page follows says most often where it was; what others say is in the exports. */
function main(places) {
  const fixes = mainFixes(places);
  const source = places.sources.find(({ id }) => id === fixes[0]?.source);
  const footprints = source ? places.footprints.filter((print) => print.source === source.id) : places.footprints;
  const zoned = fixes.map((fix) => ({ ...fix, claimed: fix.claimed && `${fix.claimed.replace("T", " ")} ${source?.zone ?? ""}` }));
  return { ...places, fixes: zoned, footprints };
}

const corners = (places) => places.footprints.flatMap((print) => (print.corners ?? []).map(([lat, lon]) => [lon, lat]));

/** Seconds of the exhibit's time line at which the player stands. */
function moment(frame) {
  const film = player();
  const offset = Number(frame.dataset.offset || 0);
  return film && film.readyState ? film.currentTime - offset : 0;
}

/** The lines beside the map that say where the player's moment is. */
class Words {
  constructor(frame, places) {
    Object.assign(this, { frame, places, board: document.querySelector("[data-readout]") });
    if (this.board) this.board.hidden = false;
  }

  follow() {
    const at = moment(this.frame);
    if (at === this.at) return this.last;
    const fix = fixAt(this.places.fixes, at, UNKNOWN_AFTER_S);
    const print = printAt(this.places.footprints, at, UNKNOWN_AFTER_S);
    const resting = player()?.paused ?? true;
    if (this.board && (resting || !(Math.abs(at - this.told) < WORDS_EVERY_S))) {
      fill(this.board, fix, print);
      others(fix, print);
      this.told = at;
    }
    Object.assign(this, { at, last: { fix, print } });
    return this.last;
  }
}

/** The map beside the player. */
class Shown {
  constructor(frame, map, places, words, { addLayers, camera }) {
    Object.assign(this, { frame, map, places, words, marker: camera(map), before: {} });
    this.fixes = places.fixes.filter(hasPlace);
    addLayers(map);
    map.getSource("way").setData(collection(way(places.fixes)));
    map.getSource("fixes").setData(collection(this.fixes.map((fix) => point(fix.lat, fix.lon))));
    this.filter = document.querySelector("[data-located-filter]");
    if (this.filter && places.located.length) this.choose();
    else if (this.filter) this.filter.hidden = true;
    map.on("click", (event) => this.clicked(event));
    map.on("mousemove", (event) => {
      const over = map.queryRenderedFeatures(event.point, { layers: ["way-near", "spots"] }).length > 0;
      map.getCanvas().style.cursor = over ? "pointer" : "";
    });
  }

  follow() {
    const { fix, print } = this.words.follow();
    if (fix !== this.before.fix) {
      this.marker.at(fix && hasPlace(fix) ? fix : null);
      if (fix && hasPlace(fix) && !this.map.isMoving() && !this.map.getBounds().contains([fix.lon, fix.lat])) this.map.panTo([fix.lon, fix.lat], { animate: false });
    }
    const now = performance.now();
    if (print !== this.before.print && (!print?.between || (player()?.paused ?? true) || !(now - this.drawn < GROUND_EVERY_MS))) {
      this.drawn = now;
      this.map.getSource("footprint").setData(collection(footprint(print)));
      this.map.getSource("sight").setData(collection(sight(print)));
      this.before.print = print;
    }
    this.before.fix = fix;
    this.frame.dataset.at = String(moment(this.frame).toFixed(3));
    if (this.filter?.elements.near?.checked) this.draw();
  }

  /** Detections on the map, by label and time. */
  choose() {
    const { label, from, to, near } = this.filter.elements;
    const counts = new Map();
    for (const one of this.places.located) counts.set(one.label, (counts.get(one.label) ?? 0) + 1);
    label.append(...[...counts].sort().map(([name, count]) => new Option(`${name} (${count})`, name)));
    this.filter.hidden = false;
    this.filter.addEventListener("submit", (event) => event.preventDefault());
    for (const field of [label, from, to, near]) field.addEventListener("input", () => this.draw(true));
    this.draw(true);
  }

  draw(aloud = false) {
    const { label, from, to, near } = this.filter.elements;
    const at = moment(this.frame);
    const first = near.checked ? at - NEAR_S : (seconds(from.value) ?? -Infinity);
    const last = near.checked ? at + NEAR_S : (seconds(to.value) ?? Infinity);
    const some = this.places.located.filter((one) => (!label.value || one.label === label.value) && one.at_s >= first && one.at_s <= last);
    const key = `${some.length} ${some[0]?.at_s} ${some.at(-1)?.at_s} ${label.value}`;
    if (key === this.key) return;
    this.key = key;
    const facts = (one) => ({ label: one.label, track: one.track, at_s: one.at_s, certainty: one.certainty, motion: motion(one) });
    this.map.getSource("spots").setData(collection(some.map((one) => point(one.lat, one.lon, facts(one)))));
    this.map.getSource("ellipses").setData(collection(some.filter((one) => one.ellipse).map((one) => ellipse(one.lat, one.lon, one.ellipse, facts(one)))));
    const tracks = Map.groupBy ? Map.groupBy(some, (one) => one.track) : grouped(some);
    const lines = [...tracks.values()].flatMap((one) => way(one.map((spot) => ({ ...spot, flags: [] }))));
    this.map.getSource("tracks").setData(collection(lines));
    if (aloud) this.filter.querySelector("[data-located-count]").textContent = `${some.length} shown`;
  }

  clicked({ point: at }) {
    const [spot] = this.map.queryRenderedFeatures([[at.x - 6, at.y - 6], [at.x + 6, at.y + 6]], { layers: ["spots"] });
    if (spot) {
      this.go(spot.properties.at_s, `${spot.properties.label} ${spot.properties.track}, ${spot.properties.certainty}${spot.properties.motion}`);
      return;
    }
    const passes = this.passes(at);
    if (!passes.length) return;
    this.go(passes[0].at_s, "");
    this.others(passes.slice(1));
  }

  /** The fixes at a point of the map, the nearest first, one of each time it came by. */
  passes(at) {
    const near = this.fixes
      .map((fix) => ({ fix, px: this.map.project([fix.lon, fix.lat]).dist(at) }))
      .filter(({ px }) => px <= CLICK_PX)
      .sort((a, b) => a.px - b.px);
    const found = [];
    for (const { fix } of near) if (found.every((one) => Math.abs(one.at_s - fix.at_s) > ANOTHER_PASS_S)) found.push(fix);
    return found;
  }

  others(passes) {
    const place = document.querySelector("[data-passes]");
    if (!place) return;
    place.hidden = !passes.length;
    const buttons = passes.sort((a, b) => a.at_s - b.at_s).slice(0, 8).map((fix) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "app-small", textContent: clock(fix.at_s) });
      button.addEventListener("click", () => this.go(fix.at_s, ""));
      return button;
    });
    place.querySelector("[data-passes-at]").replaceChildren(...buttons);
  }

  go(at, words) {
    if (player()) seek(Math.max(0, at + Number(this.frame.dataset.offset || 0)));
    document.getElementById("announcer").textContent = `${words ? `${words}. ` : ""}Player at ${clock(at)}`;
    if (words) tell(document.querySelector("[data-map-note]"), `${words[0].toUpperCase()}${words.slice(1)}, at ${clock(at)}.`);
  }
}

function grouped(some) {
  const found = new Map();
  for (const one of some) found.set(one.track, [...(found.get(one.track) ?? []), one]);
  return found;
}

function seconds(text) {
  const parts = text.trim().split(":").map(Number);
  if (!text.trim() || parts.some((part) => !Number.isFinite(part)) || parts.length > 3) return null;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

function clock(at) {
  const tenths = Math.max(0, Math.round(at * 10));
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(minutes / 60);
  return `${hours ? `${hours}:${two(minutes % 60)}` : minutes}:${two(Math.floor(rest / 10))}.${rest % 10}`;
}

function motion({ speed_mps: speed, speed_error_mps: error, heading, heading_error: off }) {
  if (speed == null || error == null) return "";
  const told = `, ${number(speed, 1)} ± ${number(error, 1)} m/s`;
  return heading == null || off == null ? told : `${told} towards ${number(heading, 0)}° ± ${number(off, 0)}° from north`;
}

const number = (value, digits) => value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");

function fill(board, fix, print) {
  const put = (name, text) => {
    const row = board.querySelector(`[data-row="${name}"]`);
    row.hidden = !text;
    row.querySelector("[data-text]").textContent = text ?? "";
  };
  const badge = (name, certainty) => {
    for (const one of BADGES) board.querySelector(`[data-row="${name}"] [data-badge="${one}"]`).hidden = one !== certainty;
  };
  const placed = fix && hasPlace(fix);
  const between = placed && (fix.between || flagged(fix, "interpolated"));
  put("place", placed ? `${number(fix.lat, 6)}, ${number(fix.lon, 6)}${fix.accuracy_m != null ? ` ±${NBSP}${number(fix.accuracy_m, 1)}${NBSP}m` : ""}` : "No fix at this moment");
  badge("place", placed ? (between ? "estimated" : fix.certainty) : null);
  const heights = [
    fix?.height_takeoff_m != null ? `${number(fix.height_takeoff_m, 1)} m above take-off` : "",
    fix?.height_sea_m != null ? `${number(fix.height_sea_m, 1)} m above sea level` : "",
  ].filter(Boolean);
  put("height", heights.join(", "));
  const looks = [
    fix?.yaw != null ? `${number(((fix.yaw % 360) + 360) % 360, 0)}° from north` : "",
    fix?.pitch != null ? (fix.pitch < 0 ? `${number(-fix.pitch, 0)}° down` : `${number(fix.pitch, 0)}° up`) : "",
  ].filter(Boolean);
  put("looks", looks.join(", "));
  put("speed", fix?.speed_mps != null ? `${number(fix.speed_mps, 1)} m/s (${number(fix.speed_mps * 2.236936, 0)} mph)` : "");
  put("time", fix?.utc ? `${utc(fix.utc)}${fix.utc_error_s != null ? ` ±${NBSP}${number(fix.utc_error_s, fix.utc_error_s < 0.1 ? 2 : fix.utc_error_s < 10 ? 1 : 0)}${NBSP}s` : ""}` : "");
  put("claimed", fix?.claimed ?? "");
  const within = print?.error_m != null ? `${number(print.error_m, print.error_m < 10 ? 1 : 0)}${NBSP}m` : "";
  const middle = print?.centre ? [`Its middle within ${within}`, print.corners ? "" : "its edges are not known"] : print?.why ? ["Not known"] : [];
  put("ground", [...middle, print?.why].filter(Boolean).join("; "));
  badge("ground", print?.centre ? print.certainty : null);
  const names = (fix?.flags ?? []).map((flag) => flag.toLowerCase().replace(/\W/g, "_"));
  const flags = [...new Set(between ? [...names, "interpolated"] : names)].map((name) => FLAGS[name]).filter(Boolean);
  put("flags", flags.join("; "));
}

/** Where to ask what else has filmed the middle of the picture, or else where the device was. */
function others(fix, print) {
  const link = document.querySelector("[data-else]");
  const [lat, lon] = print?.centre ?? (fix && hasPlace(fix) ? [fix.lat, fix.lon] : []);
  link.hidden = lat == null;
  if (lat != null) link.href = `/map?lat=${lat.toFixed(6)}&lon=${lon.toFixed(6)}&metres=25`;
}

const NBSP = "\u00a0"; // No line breaks between a number and its unit.
const FLAGS = {
  jump: "An impossible speed would have been needed to come here: the fix may be wrong",
  interpolated: "Between two fixes, not from the file",
  clock_step: "The device’s clock leapt here",
};

function utc(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  return `${day}, ${at.toISOString().slice(11, 21)} UTC`;
}

start();
