/** What somebody dropped or chose: the files that make a model, out of a folder, an archive, or files alone. */

export interface Brought {
  /** With its folders, as in "my-model/config.json". */
  name: string;
  file: File;
}

export interface Picked {
  /** How the model may be called. */
  title: string;
  files: Brought[];
  /** How many files are no part of a model, and are not sent. */
  leftOut: number;
  /** Whether these are weights without a config.json, which says what they are. */
  isWeightsAlone: boolean;
}

const ARCHIVE = /\.(zip|tar|tar\.gz|tgz)$/i;
const WEIGHTS = /\.(safetensors|bin|pt|pth)$/i;
// As modelcore/inspection/names.py has them.
const WANTED =
  /^(config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|(source|target)\.spm|vocab\.json|merges\.txt|vocab\.txt|spiece\.model|sentencepiece\.bpe\.model|tokenizer\.model|preprocessor_config\.json|(model\.safetensors|pytorch_model\.bin)\.index\.json|(licen[cs]e|copying)(\.md|\.txt)?)$/i;
const NO_WEIGHTS = /^(optimizer|scheduler|training_args|rng_state|scaler|adapter_)/;

/** Only what makes a model is sent: of a training's folder most bytes are something else. */
export function pick(brought: readonly Brought[]): Picked {
  const visible = brought.filter(({ name }) => !name.split("/").some((part) => part.startsWith(".")));
  const archive = visible.length === 1 && ARCHIVE.test(visible[0]!.name);
  const home = homeOf(visible);
  const beside = visible.filter(({ name }) => folderOf(name) === home);
  const hasSafetensors = beside.some(({ name }) => /\.safetensors$/i.test(name));
  const files = archive ? visible : beside.filter(({ name }) => isWanted(baseOf(name), hasSafetensors));
  const isWeightsAlone = files.some(({ name }) => WEIGHTS.test(name)) && !files.some(({ name }) => baseOf(name) === "config.json");
  return { title: titleOf(visible), files, leftOut: visible.length - files.length, isWeightsAlone };
}

function isWanted(name: string, hasSafetensors: boolean): boolean {
  if (WANTED.test(name)) return !(hasSafetensors && name.startsWith("pytorch_model"));
  if (!WEIGHTS.test(name) || NO_WEIGHTS.test(name)) return false;
  return !hasSafetensors || /\.safetensors$/i.test(name);
}

/** Where the config.json lies that has the fewest folders above it; else the first file's folder. */
function homeOf(files: readonly Brought[]): string {
  const configs = files.filter(({ name }) => baseOf(name) === "config.json").map(({ name }) => folderOf(name));
  const depth = (folder: string) => (folder ? folder.split("/").length : 0);
  return configs.sort((a, b) => depth(a) - depth(b))[0] ?? folderOf(files[0]?.name ?? "");
}

function titleOf(files: readonly Brought[]): string {
  const [first] = files;
  if (!first) return "";
  const folder = first.name.split("/").length > 1 ? first.name.split("/")[0] : "";
  const named = folder || (files.length === 1 ? baseOf(first.name).replace(ARCHIVE, "").replace(WEIGHTS, "") : "");
  return (named || "model").slice(0, 120);
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

/** All files below what was dropped, each with its folders. */
export async function filesOf(transfer: DataTransfer): Promise<Brought[]> {
  // Entries must be asked for before the event is over, so none waits for another.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ name: file.name, file }));
  return (await Promise.all(entries.map(below))).flat();
}

async function below(entry: FileSystemEntry): Promise<Brought[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ name: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Brought[] = [];
  // A reader gives a hundred at a time, and none when it is through.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(below))).flat());
  }
}

/** Of a chooser: one of a folder tells each file's way. */
export function filesOfChooser(files: FileList): Brought[] {
  return [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}
