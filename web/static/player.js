// The player of an exhibit: jumps to tracks, steps by frames, shows another copy at the same moment, fills in clip times.
const NEAR_S = 0.0005; // Times in the page are rounded to the millisecond.

function start() {
  wire();
  document.addEventListener("exhibit:replaced", (event) => {
    if (event.target.dataset.part === "player") wire();
    if (event.target.dataset.part === "tracks") filter();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-seek]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !video()) return;
    event.preventDefault();
    seek(Number(link.dataset.seek));
    for (const other of document.querySelectorAll('[data-seek][aria-current="true"]')) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    if (!inView(video())) video().scrollIntoView({ block: "start" });
  });
  filter();
  for (const button of document.querySelectorAll("[data-take]")) {
    button.addEventListener("click", () => take(button.dataset.take));
  }
}

function video() {
  return document.querySelector("[data-player] video");
}

function inView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= window.innerHeight;
}

/** The exact moment of the frame on screen, where the browser tells it. */
let shown = null;

function wire() {
  const player = document.querySelector("[data-player]");
  const film = video();
  shown = null;
  for (const button of document.querySelectorAll("[data-take]")) button.hidden = !film;
  if (!film || film.dataset.wired) return;
  film.dataset.wired = "yes";
  for (const element of player.querySelectorAll("[data-with-script]")) element.hidden = false;
  const now = player.querySelector("[data-now]");
  const marks = document.querySelectorAll(".app-timeline__now");
  const duration = Number(document.querySelector("[data-timeline]")?.dataset.duration);
  const tell = () => {
    now.textContent = clock(film.currentTime);
    for (const mark of marks) mark.setAttribute("x", `${Math.min(100, (100 * film.currentTime) / (duration || film.duration || 1))}%`);
  };
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) film.addEventListener(name, tell);
  if (film.requestVideoFrameCallback) {
    const note = (_at, frame) => {
      shown = { time: frame.mediaTime, player: film };
      film.requestVideoFrameCallback(note);
    };
    film.requestVideoFrameCallback(note);
  }
  const frame = Number(player.dataset.frame) || 0.04;
  for (const button of player.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      const step = { "-frame": -frame, frame }[button.dataset.step] ?? Number(button.dataset.step);
      film.pause();
      seek(Math.max(0, moment() + step));
    });
  }
  for (const link of player.querySelectorAll("[data-source]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      change(link);
    });
  }
  for (const lane of document.querySelectorAll("[data-lane]")) {
    lane.addEventListener("click", (event) => {
      const { left, width } = lane.getBoundingClientRect();
      seek(((event.clientX - left) / width) * (duration || film.duration));
    });
  }
  tell();
}

export function seek(seconds) {
  const film = video();
  if (!film) return;
  shown = null;
  const go = () => (film.currentTime = seconds + NEAR_S);
  if (film.readyState >= HTMLMediaElement.HAVE_METADATA) go();
  else {
    film.addEventListener("loadedmetadata", go, { once: true });
    film.load();
  }
}

function change(link) {
  const film = video();
  const at = film.currentTime;
  const playing = !film.paused;
  for (const other of link.parentElement.querySelectorAll("[data-source]")) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  film.removeAttribute("poster");
  film.src = link.dataset.source;
  film.addEventListener(
    "loadedmetadata",
    () => {
      film.currentTime = at;
      if (playing) film.play();
    },
    { once: true },
  );
  film.load();
}

function moment() {
  const film = video();
  return shown && Math.abs(shown.time - film.currentTime) < 0.5 && film.paused ? shown.time : film.currentTime;
}

// The frame on screen belongs to the clip, whichever end it is: the start is rounded down, the end up.
function take(name) {
  const at = moment();
  const milliseconds = name === "from" ? Math.floor(at * 1000 + 0.001) : Math.ceil(at * 1000 - 0.001);
  document.getElementById(name).value = clock(Math.max(0, milliseconds) / 1000, 3);
}

function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const whole = Math.floor(seconds * scale + 1e-6);
  const fraction = String(whole % scale).padStart(digits, "0");
  const total = Math.floor(whole / scale);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const start = hours ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${start}:${two(total % 60)}.${fraction}`;
}

function filter() {
  const form = document.querySelector("[data-track-filter]");
  if (!form) return;
  for (const element of form.querySelectorAll("[data-without-script]")) element.hidden = true;
  const chosen = form.elements.label;
  const show = (tell) => {
    let count = 0;
    for (const track of document.querySelectorAll(".app-track")) {
      track.hidden = Boolean(chosen.value) && track.dataset.label !== chosen.value;
      count += track.hidden ? 0 : 1;
    }
    if (tell) document.querySelector("[data-track-count]").textContent = `${count} shown`;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  chosen.addEventListener("change", () => show(true));
  show(false);
}

start();
