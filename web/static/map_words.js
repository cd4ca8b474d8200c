// Asking for places, and saying what went wrong.

/** The answer of `GET …/fixes`, with every list there. Raises: Error whose message is a sentence. */
export async function read(address) {
  let answer;
  try {
    answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
  } catch {
    throw new Error("the server can’t be reached.");
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(`${problem.detail ?? `the server answered ${answer.status}`}.`);
  }
  const { sources = [], fixes = [], footprints = [], located = [] } = await answer.json();
  return { sources, fixes, footprints, located };
}

export function tell(note, text) {
  if (!note) return;
  note.textContent = text;
  note.hidden = !text;
}
