// Parts of a page that change while work goes on: asked for every two seconds, replaced when their version changed.
const EVERY_MS = 2000;
const SLOWEST_MS = 30000;

/** Follow every `data-live` address that has a part which isn't settled. */
export function follow() {
  const byAddress = new Map();
  for (const part of document.querySelectorAll("[data-live]:not([data-settled])")) {
    if (!byAddress.has(part.dataset.live)) byAddress.set(part.dataset.live, true);
  }
  for (const address of byAddress.keys()) ask(address, EVERY_MS);
}

function ask(address, wait) {
  setTimeout(async () => {
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => ask(address, 0), { once: true });
      return;
    }
    let next = wait || EVERY_MS;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403 || answer.status === 404) return;
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { settled, parts } = await answer.json();
      for (const [name, part] of Object.entries(parts)) replace(address, name, part);
      if (settled) return;
      next = EVERY_MS;
    } catch {
      next = Math.min(SLOWEST_MS, next * 2); // The server is away for a moment: ask more seldom, and go on.
    }
    ask(address, next);
  }, wait);
}

function replace(address, name, { version, html }) {
  const part = document.querySelector(`[data-live="${CSS.escape(address)}"][data-part="${CSS.escape(name)}"]`);
  if (!part || part.dataset.version === version) return;
  const focused = part.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  const open = [...part.querySelectorAll("details")].map((details) => details.open);
  const before = spoken(part);
  part.innerHTML = html; // Our own server's template, every value in it escaped.
  part.dataset.version = version;
  part.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open));
  if (focused) [...part.querySelectorAll("a, button, summary, [tabindex]")].find((one) => keyOf(one) === focused)?.focus();
  const after = spoken(part);
  if (after && after !== before) document.getElementById("announcer").textContent = after;
  part.dispatchEvent(new CustomEvent("exhibit:replaced", { bubbles: true }));
}

// What a screen reader should hear when it changes: the states, not every per cent.
function spoken(part) {
  return part.dataset.part === "tags" ? part.textContent.replace(/\s+/g, " ").trim() : "";
}

function keyOf(element) {
  return `${element.tagName} ${element.getAttribute("href") ?? ""} ${element.closest("form")?.getAttribute("action") ?? ""} ${element.textContent.trim()}`;
}
