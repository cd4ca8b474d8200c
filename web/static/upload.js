// Resumable uploads by tus, several at once. What was begun is remembered on this device, so that a reload loses nothing:
// choose the same file again and it goes on where it stopped. Without this script the form sends itself.
const AT_ONCE = 2;
const POLL_MS = 2000;
const RETRY_MS = [0, 1000, 2000, 5000, 10000, 20000, 30000, 60000, 60000, 60000];
const REMEMBERED = 40;
const FINAL = new Set(["secured", "stored", "duplicate", "refused", "failed"]);
const FIELDS = ["case", "kind", "device", "officer", "captured_at", "sidecar_for"];

const form = document.getElementById("upload-form");
const picker = form.querySelector('input[type="file"]'); // GOV.UK's script gives its own button the id "files".
const folder = document.getElementById("folder");
const list = document.getElementById("upload-list");
const memory = `exhibit.uploads.${form.dataset.person}`;
const entries = new Map();

function start() {
  // Where tus can't work, the plain form stays as it is.
  if (!window.tus?.isSupported) return;
  form.addEventListener("submit", submit);
  document.getElementById("folder-choice").hidden = !("webkitdirectory" in folder);
  for (const entry of recall()) {
    entries.set(entry.key, entry);
    show(entry);
    if (!FINAL.has(entry.state)) lookUp(entry);
  }
  window.addEventListener("online", () => [...entries.values()].filter((one) => one.broken).forEach(resume));
  // A file dropped beside the drop zone must not take the page away.
  for (const name of ["dragover", "drop"]) {
    window.addEventListener(name, (event) => event.target.closest?.(".govuk-drop-zone") || event.preventDefault());
  }
}

// --- the form -------------------------------------------------------------------------------------------------------

function submit(event) {
  event.preventDefault();
  const files = [...picker.files, ...[...folder.files].filter((file) => !isHidden(file))];
  const said = Object.fromEntries(FIELDS.map((name) => [name, (form.elements[name]?.value ?? "").trim()]));
  const most = Number(form.dataset.maxBytes);
  const errors = [];
  if (!said.kind) errors.push(["kind", "Choose the kind of recording"]);
  if (!files.length) errors.push(["files", "Choose at least one file"]);
  const wrong = (file) => {
    if (!file.size) return `${file.name} is empty. Check that the camera finished writing it`;
    return file.size > most ? `${file.name} is larger than ${size(most)}` : "";
  };
  for (const file of picker.files) if (wrong(file)) errors.push(["files", wrong(file)]);
  complain(errors);
  if (errors.length) return;
  const metadata = Object.fromEntries(Object.entries(said).filter(([, value]) => value));
  if (metadata.captured_at) metadata.captured_at = withUkOffset(metadata.captured_at);
  for (const file of files) {
    const entry = begin(file, folderOf(file) ? { ...metadata, folder: folderOf(file) } : metadata);
    // Nobody can take one file out of a folder that was chosen: the others go in without it.
    if (wrong(file)) set(entry, { state: "refused", title: `${wrong(file)}.`, text: "" });
  }
  next();
  folder.value = "";
  picker.value = "";
  picker.dispatchEvent(new Event("change", { bubbles: true }));
  document.getElementById("uploads").scrollIntoView({ block: "start" });
}

// Where a file lies in the folder that was chosen; empty for a file that was chosen by itself, and where the server would
// refuse it (a drive's letter, a control character): the file is to come in.
function folderOf(file) {
  const place = (file.webkitRelativePath ?? "").split("/").slice(0, -1).join("/").replace(/^(?:[A-Za-z]:)?[/\\]*/, "");
  return place.length > 1024 || /[\p{Cc}]|(^|[/\\])\.\.([/\\]|$)/u.test(place) ? "" : place;
}

function isHidden(file) {
  return file.webkitRelativePath.split("/").some((part) => part.startsWith("."));
}

function complain(errors) {
  const place = document.getElementById("upload-errors");
  place.replaceChildren();
  document.querySelector(".govuk-error-summary:not(#upload-errors *)")?.remove();
  for (const old of form.querySelectorAll(".govuk-error-message")) old.remove();
  for (const old of form.querySelectorAll(".govuk-form-group--error")) old.classList.remove("govuk-form-group--error");
  if (!errors.length) return;
  const summary = make("div", "govuk-error-summary");
  const alert = make("div");
  alert.setAttribute("role", "alert");
  const body = make("div", "govuk-error-summary__body");
  const items = make("ul", "govuk-list govuk-error-summary__list");
  for (const [field, sentence] of errors) {
    const link = make("a", "", sentence);
    link.href = `#${field}`;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const target = document.getElementById(field);
      target.closest(".govuk-form-group").scrollIntoView();
      target.focus();
    });
    items.append(make("li", "", link));
    const group = document.getElementById(field).closest(".govuk-form-group");
    if (!group.classList.contains("govuk-form-group--error")) {
      group.classList.add("govuk-form-group--error");
      const message = make("p", "govuk-error-message", make("span", "govuk-visually-hidden", "Error: "), sentence);
      message.id = `${field}-error`;
      (group.querySelector(".govuk-hint") ?? group.querySelector("legend, label")).after(message);
    }
  }
  body.append(items);
  alert.append(make("h2", "govuk-error-summary__title", "There is a problem"), body);
  summary.append(alert);
  summary.tabIndex = -1;
  place.append(summary);
  summary.focus();
}

// A time typed without a zone is UK time, whatever the clock of this device thinks.
function withUkOffset(text) {
  const asIfUtc = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/London", timeZoneName: "longOffset" });
  const offset = (at) => format.formatToParts(at).find((part) => part.type === "timeZoneName").value === "GMT+01:00" ? 1 : 0;
  const hours = offset(asIfUtc - 3600000 * offset(asIfUtc));
  return `${text}${hours ? "+01:00" : "+00:00"}`;
}

// --- one upload -----------------------------------------------------------------------------------------------------

function fingerprint(file, metadata) {
  const place = metadata.folder ? [metadata.folder] : [];
  return JSON.stringify([file.name, file.size, file.lastModified, metadata.case ?? "", metadata.kind, ...place]);
}

function begin(file, metadata) {
  const key = fingerprint(file, metadata);
  let entry = entries.get(key);
  if (entry && (entry.state === "sending" || entry.state === "queued" || entry.state === "checking")) return entry;
  if (!entry || FINAL.has(entry.state)) {
    entry?.element?.remove();
    entry = { key, name: file.name, size: file.size, metadata, url: null, state: "queued", sent: 0, title: "", text: "", exhibit: "" };
    entries.set(key, entry);
  }
  line(entry, file);
  return entry;
}

function line(entry, file) {
  entry.file = file;
  entry.broken = false;
  set(entry, { state: "queued", title: "Waiting for its turn.", text: "" });
}

function attach(entry, file) {
  line(entry, file);
  next();
}

function next() {
  const all = [...entries.values()];
  let running = all.filter((one) => one.state === "sending").length;
  for (const entry of all) {
    if (running >= AT_ONCE) return;
    if (entry.state === "queued" && entry.file) {
      send(entry);
      running += 1;
    }
  }
}

function send(entry) {
  set(entry, { state: "sending", title: "", text: "" });
  entry.upload = new window.tus.Upload(entry.file, {
    endpoint: form.dataset.endpoint,
    uploadUrl: entry.url,
    metadata: { filename: entry.name, ...entry.metadata },
    retryDelays: RETRY_MS,
    // One staged part a request: a refusal of the file's first bytes is heard, where a browser still sending would see
    // only a broken connection.
    chunkSize: 16 * 1024 * 1024,
    storeFingerprintForResuming: false,
    onBeforeRequest: (request) => request.setHeader("X-CSRF-Token", csrf()),
    onUploadUrlAvailable: () => {
      entry.url = entry.upload.url;
      remember();
    },
    onProgress: (sent) => progress(entry, sent),
    onSuccess: () => {
      entry.file = null;
      set(entry, { state: "checking", sent: entry.size, title: "Received. Being checked.", text: "Keep the card until this says that the original is secured." });
      poll(entry);
      next();
    },
    onError: (error) => failed(entry, error),
  });
  entry.upload.start();
}

function failed(entry, error) {
  const response = error.originalResponse;
  const status = response?.getStatus() ?? 0;
  let problem = {};
  try {
    problem = JSON.parse(response?.getBody() ?? "{}");
  } catch {
    // Not from our server: a proxy's page, or nothing at all.
  }
  if (status === 401 || status === 403) {
    set(entry, { state: "paused", title: "You are signed out, or may not upload here.", text: "Sign in again in another tab, then resume." });
  } else if (status >= 400 && status < 500 && ![409, 423, 429].includes(status)) {
    set(entry, { state: "refused", title: sentence(problem.detail) || "Refused.", text: `${problem.hint ?? ""} Nothing of it was kept.`.trim() });
  } else {
    entry.broken = true;
    set(entry, { state: "paused", title: "The connection broke.", text: `${problem.hint ?? "What arrived is kept."} Resume goes on where it stopped.` });
  }
  next();
}

function pause(entry) {
  entry.upload?.abort();
  set(entry, { state: "paused", title: "Paused.", text: "" });
  next();
}

function resume(entry) {
  if (entry.file) attach(entry, entry.file);
}

async function cancel(entry) {
  await entry.upload?.abort();
  if (entry.url) {
    const headers = { "Tus-Resumable": "1.0.0", "X-CSRF-Token": csrf() };
    await fetch(entry.url, { method: "DELETE", headers }).catch(() => {});
  }
  forget(entry);
  next();
}

function forget(entry) {
  entries.delete(entry.key);
  entry.element.remove();
  document.getElementById("uploads").hidden = entries.size === 0;
  remember();
}

// The same bytes go on at the server's offset; another file under the same name would not match at the end.
function chooseAgain(entry) {
  const input = make("input");
  input.type = "file";
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    if (file.size === entry.size && file.name === entry.name) attach(entry, file);
    else set(entry, { title: "That is another file.", text: `It goes on only with ${entry.name} of ${entry.size.toLocaleString("en-GB")} bytes.` });
  });
  input.click();
}

// --- what the server says -------------------------------------------------------------------------------------------

function idOf(entry) {
  return entry.url ? entry.url.replace(/\/+$/, "").split("/").pop() : "";
}

async function lookUp(entry) {
  const again = { state: "waiting", title: "Not finished.", text: "Choose the same file again to go on where it stopped." };
  set(entry, again);
  if (!entry.url) return;
  const [fate, upload] = await Promise.all([json(`/fate/${idOf(entry)}`), json(`/api/v1/uploads/${idOf(entry)}`)]);
  if (entry.state !== "waiting" || !fate) return;
  if (upload) entry.sent = upload.offset_bytes;
  if (fate.state === "sending") set(entry, again);
  else told(entry, fate);
}

async function poll(entry) {
  const fate = await json(`/fate/${idOf(entry)}`);
  if (fate && fate.state !== "sending") told(entry, fate);
  else setTimeout(() => poll(entry), POLL_MS);
}

function told(entry, fate) {
  set(entry, { state: fate.state, title: fate.title, text: fate.text, exhibit: fate.exhibit });
  if (!fate.final) setTimeout(() => poll(entry), POLL_MS);
}

async function json(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

// --- on the page and in memory --------------------------------------------------------------------------------------

function set(entry, values) {
  Object.assign(entry, values);
  show(entry);
  remember();
}

function progress(entry, sent) {
  entry.sent = sent;
  const now = performance.now();
  if (now - (entry.painted ?? 0) > 200 || sent === entry.size) {
    entry.painted = now;
    paintProgress(entry);
  }
}

function paintProgress(entry) {
  const share = entry.size ? entry.sent / entry.size : 0;
  slot(entry, "progress").textContent = `${size(entry.sent)} of ${size(entry.size)} (${Math.floor(100 * share)}%)`;
  entry.element.querySelector("progress").value = Math.round(1000 * share);
}

function show(entry) {
  if (!entry.element) {
    entry.element = document.getElementById("upload-template").content.firstElementChild.cloneNode(true);
    entry.element.querySelector(".app-upload__name").textContent = entry.name;
    entry.element.querySelector("progress").setAttribute("aria-label", `Upload of ${entry.name}`);
    const to = entry.metadata.case ? `to case ${entry.metadata.case}` : "to the unfiled tray";
    slot(entry, "case").textContent = entry.metadata.folder ? `from ${entry.metadata.folder}, ${to}` : to;
    const acts = { pause, resume, cancel, again: chooseAgain, dismiss: forget };
    for (const [name, act] of Object.entries(acts)) {
      const button = entry.element.querySelector(`[data-act="${name}"]`);
      button.append(make("span", "govuk-visually-hidden", `: ${entry.name}`));
      button.addEventListener("click", () => act(entry));
    }
    list.prepend(entry.element);
  }
  document.getElementById("uploads").hidden = false;
  const { state } = entry;
  entry.element.dataset.state = state;
  paintProgress(entry);
  entry.element.querySelector(".app-progress").hidden = FINAL.has(state) || state === "checking";
  const words = slot(entry, "words");
  words.replaceChildren(...(entry.title ? [make("strong", "", entry.title), " ", entry.text] : []));
  words.hidden = !entry.title;
  const visible = {
    pause: state === "sending",
    resume: state === "paused" && Boolean(entry.file),
    again: state === "waiting" || (state === "paused" && !entry.file),
    cancel: ["sending", "paused", "waiting", "queued"].includes(state),
    dismiss: FINAL.has(state),
  };
  for (const [name, is] of Object.entries(visible)) entry.element.querySelector(`[data-act="${name}"]`).hidden = !is;
  const link = slot(entry, "link");
  link.hidden = !entry.exhibit;
  link.textContent = "Open the exhibit";
  link.href = entry.exhibit || "#";
}

function remember() {
  const kept = [...entries.values()].slice(-REMEMBERED);
  const plain = kept.map(({ key, name, size, metadata, url, state, sent, title, text, exhibit }) => ({ key, name, size, metadata, url, state, sent, title, text, exhibit }));
  try {
    localStorage.setItem(memory, JSON.stringify(plain));
  } catch {
    // Full or forbidden: uploads work, only a reload forgets them.
  }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(memory) ?? "[]");
  } catch {
    return [];
  }
}

function slot(entry, name) {
  return entry.element.querySelector(`[data-slot="${name}"]`);
}

function csrf() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

function make(tag, classes = "", ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
}

function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? amount.toFixed(0) : amount.toFixed(1)} ${units[unit]}`;
}

start();
