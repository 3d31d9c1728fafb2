// Files that are dropped anywhere on a page, with the folders among them.

/** More are not looked at. */
const MOST_FILES = 2000;
const DEEPEST = 8;
/** What a file inside of a folder has to be called to be looked at. */
const READABLE = /\.(safetensors|jsonl|ndjson|json)(\.(gz|zst))?$/i;

const nextOf = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => (entry.getFile ? entry.getFile() : new Promise((resolve, reject) => entry.file(resolve, reject)));

/** What a folder holds: a handle in browsers that have them (a page from disk can read no other), else an entry. */
async function inside(folder) {
  const held = [];
  if (folder.values) {
    for await (const handle of folder.values()) {
      if (held.length < MOST_FILES) held.push(handle);
    }
    return held;
  }
  const reader = folder.createReader();
  // A reader gives a hundred at a time.
  for (let some = await nextOf(reader); some.length > 0 && held.length < MOST_FILES; some = await nextOf(reader)) held.push(...some);
  return held;
}

/** Files below a folder, in the order of their names; hidden ones are left out. */
async function walk(folder, depth, found) {
  const held = (await inside(folder)).filter(({ name }) => !name.startsWith("."));
  held.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const one of held) {
    if (found.length >= MOST_FILES) return;
    if (one.isFile || one.kind === "file") found.push(await fileOf(one));
    else if (depth < DEEPEST) await walk(one, depth + 1, found);
  }
}

/** What to look at in a folder. A run's is its checkpoint: the final one, else the last by name, as earlier ones are steps on
 * the way to it. Of several runs none. Without a checkpoint, all files that may be of use. */
function ofFolder(name, all) {
  const models = all.filter((file) => /\.safetensors$/i.test(file.name));
  const finals = models.filter((file) => /final/i.test(file.name));
  const readable = models.length > 0 ? [finals[0] ?? models.at(-1)] : all.filter((file) => READABLE.test(file.name));
  const files = finals.length > 1 ? [] : readable;
  return { name, files, left: all.length - files.length, runs: finals.length, names: all.map((file) => file.name) };
}

/** What was dropped: single files, and for each folder its name, the files to look at, how many are left out, how many runs it
 * holds, and all names. */
async function droppedFiles(transfer) {
  // All has to be asked for before anything is awaited: the list is empty afterwards.
  const things = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => {
    const entry = item.webkitGetAsEntry?.();
    const folder = entry?.isDirectory ? (item.getAsFileSystemHandle?.().catch(() => entry) ?? entry) : null;
    return { folder, file: item.getAsFile() };
  });
  const [files, folders] = [[], []];
  for (const thing of things) {
    const folder = await thing.folder;
    if (!folder) {
      if (thing.file) files.push(thing.file);
      continue;
    }
    const all = [];
    await walk(folder, 0, all);
    folders.push(ofFolder(folder.name, all));
  }
  return { files, folders };
}

/** Takes files over the whole page: what misses a field must not make the browser leave it. `take` gets the dropped files and
 * the element under the pointer; `mark` the element while files are over it, and null when they are gone. */
function acceptDrops(take, mark = () => {}) {
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    if (holdsFiles(event)) mark(event.target);
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(null); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(null);
    const { target } = event;
    if (holdsFiles(event)) droppedFiles(event.dataTransfer).then((given) => take(given, target), (error) => take({ files: [], folders: [], error }, target));
  });
}

export { acceptDrops, droppedFiles };
