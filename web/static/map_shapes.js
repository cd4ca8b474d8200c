// Fixes, footprints and located detections as GeoJSON: pure functions, no page.

const EARTH_M = 6371008.8;
const GAP_S = 10; // Fixes further apart are not joined by a line: nobody said where it was between them.
const JOINED_S = 3; // As on the server: between fixes further apart nothing is filled in.
const EXACT_S = 0.02; // A frame of 50 a second: that close to a fix it is that fix.
const RING_POINTS = 48;
export const BADGES = ["measured", "derived", "estimated"];

export const empty = { type: "FeatureCollection", features: [] };
export const collection = (features) => ({ type: "FeatureCollection", features });
const feature = (type, coordinates, properties = {}) => ({ type: "Feature", properties, geometry: { type, coordinates } });
export const point = (lat, lon, properties) => feature("Point", [lon, lat], properties);

export function hasPlace(fix) {
  return Number.isFinite(fix.lat) && Number.isFinite(fix.lon) && !flagged(fix, "no_fix");
}

export function flagged(fix, name) {
  return (fix.flags ?? []).some((flag) => flag.toLowerCase().replace(/\W/g, "_") === name);
}

/** How a fix is drawn: by its certainty, or as the way between two fixes. */
function manner(fix) {
  return flagged(fix, "interpolated") ? "interpolated" : (fix.certainty ?? "measured");
}

/** The way as lines, one per stretch that is drawn alike; a gap is a gap. */
export function way(fixes, properties = {}) {
  const lines = [];
  let line = null;
  let before = null;
  const end = () => {
    if (line && line.coordinates.length > 1) lines.push(feature("LineString", line.coordinates, { ...properties, manner: line.manner }));
    line = null;
  };
  for (const fix of fixes) {
    if (!hasPlace(fix)) {
      end();
      before = null;
      continue;
    }
    const here = [fix.lon, fix.lat];
    if (before && fix.at_s - before.at_s > GAP_S) {
      end();
      before = null;
    }
    const how = flagged(fix, "jump") ? "jump" : manner(fix);
    if (!line || line.manner !== how) {
      end();
      line = { manner: how, coordinates: before ? [[before.lon, before.lat]] : [] };
    }
    line.coordinates.push(here);
    before = fix;
  }
  end();
  return lines;
}

/** Where it was at a moment between two of these that are near enough, on the straight line; else at the nearest, or null.
 *
 * `between` says that nobody wrote it: angles go the short way round, all else is the nearest fix's.
 */
export function fixAt(fixes, at, unknownAfter) {
  const found = pairAt(fixes, at);
  if (!found) return null;
  const { one, next, share, near } = found;
  if (share && hasPlace(one) && hasPlace(next) && !flagged(next, "jump")) {
    const lon = one.lon + share * short(next.lon - one.lon);
    const yaw = one.yaw == null || next.yaw == null ? near.yaw : one.yaw + share * short(next.yaw - one.yaw);
    return { ...near, accuracy_m: null, lat: one.lat + share * (next.lat - one.lat), lon, yaw, between: true };
  }
  return Math.abs(near.at_s - at) <= unknownAfter ? near : null;
}

/** What the picture showed of the ground at a moment, in the same way. */
export function printAt(prints, at, unknownAfter) {
  const found = pairAt(prints, at);
  if (!found) return null;
  const { one, next, share, near } = found;
  if (share && one.corners && next.corners) {
    const mixed = (a, b) => (a && b ? [a[0] + share * (b[0] - a[0]), a[1] + share * short(b[1] - a[1])] : null);
    const corners = one.corners.map((corner, index) => mixed(corner, next.corners[index]));
    return { ...near, corners, centre: mixed(one.centre, next.centre), camera: mixed(one.camera, next.camera), between: true };
  }
  return Math.abs(near.at_s - at) <= unknownAfter ? near : null;
}

/** The two items around a moment, and how far it lies from the first to the second: 0 at either, or where they are too far apart. */
function pairAt(items, at) {
  if (!items.length) return null;
  const index = atMoment(items, at);
  const [one, next] = [items[index], items[index + 1]];
  const span = next ? next.at_s - one.at_s : 0;
  const share = span > 0 ? (at - one.at_s) / span : 0;
  const near = share > 0.5 ? next : one;
  const exact = Math.min(Math.abs(one.at_s - at), Math.abs((next ?? one).at_s - at)) < EXACT_S;
  return { one, next, near, share: exact || share < 0 || span > JOINED_S ? 0 : share };
}

const short = (degrees) => degrees - 360 * Math.round(degrees / 360);

export function footprint(print) {
  if (!print?.corners) return [];
  const ring = print.corners.map(([lat, lon]) => [lon, lat]);
  const properties = { certainty: print.certainty };
  return [feature("Polygon", [[...ring, ring[0]]], properties)];
}

/** The line of sight: from the camera to the middle of its picture. */
export function sight(print) {
  if (!print?.camera || !print.centre) return [];
  const [camera, centre] = [print.camera, print.centre].map(([lat, lon]) => [lon, lat]);
  return [feature("LineString", [camera, centre], { certainty: print.certainty })];
}

function moved(lat, lon, north, east) {
  const up = (north / EARTH_M) * (180 / Math.PI);
  return [lon + ((east / EARTH_M) * (180 / Math.PI)) / Math.cos((lat * Math.PI) / 180), lat + up];
}

/** An ellipse with its longer half axis at an azimuth. Units: metres, degrees clockwise from north. */
export function ellipse(lat, lon, [major, minor, azimuth], properties) {
  const turn = (azimuth * Math.PI) / 180;
  const ring = [];
  for (let k = 0; k <= RING_POINTS; k++) {
    const angle = (2 * Math.PI * (k % RING_POINTS)) / RING_POINTS;
    const [along, across] = [major * Math.cos(angle), minor * Math.sin(angle)];
    ring.push(moved(lat, lon, along * Math.cos(turn) - across * Math.sin(turn), along * Math.sin(turn) + across * Math.cos(turn)));
  }
  return feature("Polygon", [ring], properties);
}

export const circle = (lat, lon, metres) => ellipse(lat, lon, [metres, metres, 0]);

export function ring(points) {
  return feature("Polygon", [[...points, points[0]]]);
}

/** Great-circle distance of two [lon, lat]. Units: metres. */
export function apart([lonA, latA], [lonB, latB]) {
  const rad = Math.PI / 180;
  const half = (angle) => Math.sin(angle / 2) ** 2;
  const h = half((latB - latA) * rad) + Math.cos(latA * rad) * Math.cos(latB * rad) * half((lonB - lonA) * rad);
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Index of the last item at or before a moment; 0 before the first. `items` are in the order of `at_s`. */
export function atMoment(items, at) {
  let [low, high] = [0, items.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (items[middle].at_s <= at + 1e-6) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** West, south, east, north of what has a place, or null. */
export function extent(places) {
  const known = places.filter(([lon, lat]) => Number.isFinite(lon) && Number.isFinite(lat));
  if (!known.length) return null;
  const [lons, lats] = [known.map((one) => one[0]), known.map((one) => one[1])];
  const least = (some) => some.reduce((a, b) => Math.min(a, b));
  const most = (some) => some.reduce((a, b) => Math.max(a, b));
  return [least(lons), least(lats), most(lons), most(lats)];
}
