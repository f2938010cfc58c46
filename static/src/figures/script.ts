/** Python that makes a figure's numbers again from the checkpoint, with transformers or with Headlight's own code. */

/** What the model read. */
export type Source =
  | { kind: "ids"; encoder: readonly number[] | null; decoder: readonly number[] | null }
  /** Two texts: the tokenizer knows what stands between them, and which token is whose. */
  | { kind: "pair"; text: string; text_pair: string }
  | { kind: "picture"; png_base64: string; channels: number; rescale: number; mean: readonly number[]; deviation: readonly number[] };

export interface Origin {
  title: string;
  /** The name of the files, without an ending. */
  file: string;
  /** Where the checkpoint lies, as far as the site tells. */
  checkpoint: string;
  source: Source;
}

export interface MapPart {
  /** Of each map its head; several are stacked. */
  heads: readonly (readonly [site: string, head: number])[];
  rows: readonly [number, number];
  cols: readonly [number, number];
  /** More than 1: the largest of cell × cell weights. */
  cell: number;
  /** Another reading of the maps than their weights, and of a gradient the output that it is for. */
  influence?: { name: string; position: number | null; token: number | null };
}

export function mapScript(origin: Origin, part: MapPart): string {
  if (part.influence) return influenceScript(origin, part, part.influence);
  const { rows, cols, cell } = part;
  const heads = part.heads.map(([site, head]) => `("${site}", ${head})`).join(", ");
  const made = origin.source.kind === "pair" ? mapsByHeadlight(origin.source) : mapsByTransformers(origin.source);
  const picked = [
    `HEADS = [${heads}]`,
    `ROWS, COLS = slice(${rows[0]}, ${rows[1]}), slice(${cols[0]}, ${cols[1]})`,
    "",
    ...made,
    "",
    "weights = np.stack([site_maps[site][head, ROWS, COLS] for site, head in HEADS]).astype(np.float32)",
    ...(cell > 1 ? pooled(cell) : []),
    ...(part.heads.length === 1 ? ["weights = weights[0]"] : []),
    `np.savez("${origin.file}.npz", weights=weights)`,
    `print("${origin.file}.npz:", weights.shape, "sum", float(weights.sum()))`,
  ];
  return script(origin, origin.source.kind === "pair" ? "headlight" : "transformers", picked);
}

/** Headlight's own code computes them; `modelcore/analysis/influence` has the formulas. */
function influenceScript(origin: Origin, { heads, rows, cols, cell }: MapPart, influence: NonNullable<MapPart["influence"]>): string {
  const { name, position, token } = influence;
  const target = name === "gradient" ? `, Target(${position ?? "None"}, ${token ?? "None"})` : "";
  return script(origin, "headlight", [
    "from modelcore.analysis.influence.gradient import Target",
    "from modelcore.analysis.influence.reading import read_influence",
    "from modelcore.analysis.request import TraceRequest",
    "from modelcore.opening import open_any",
    `HEADS = [${heads.map(([site, head]) => `("${site}", ${head})`).join(", ")}]`,
    `ROWS, COLS = range(${rows[0]}, ${rows[1]}), range(${cols[0]}, ${cols[1]})`,
    "checkpoint = open_any(Path(CHECKPOINT))",
    ...requestLines(origin.source),
    "asked = checkpoint.load(), request, checkpoint.tokenizer, HEADS",
    `weights = read_influence(*asked, "${name}", ROWS, COLS${target}).numpy()`,
    ...(cell > 1 ? pooledBySize(cell) : []),
    ...(heads.length === 1 ? ["weights = weights[0]"] : []),
    `np.savez("${origin.file}.npz", weights=weights)`,
    `print("${origin.file}.npz:", weights.shape, "sum", float(weights.sum()))`,
  ]);
}

export interface DifferencePart {
  site: string;
  head: number;
  rows: readonly [number, number];
  cols: readonly [number, number];
  cell: number;
  /** For each token of the first run its partner's place in the second, -1 where it has none. */
  ofRows: readonly number[];
  ofCols: readonly number[];
}

/** Two runs' maps read as the site reads them, and the second's weights less the first's. */
export function differenceScript(first: Origin, second: Origin, part: DifferencePart): string {
  const { site, head, rows, cols, cell } = part;
  const siteOf = (name: string) => `${name} = next(s.map for s in steps if isinstance(s, SiteTraced) and str(s.map.site) == "${site}")`;
  return script(first, "headlight", [
    "from modelcore.analysis.difference import read_difference",
    "from modelcore.analysis.partners import Partners",
    ...traceLines(first.source),
    siteOf("first"),
    "",
    `CHECKPOINT = sys.argv[2] if len(sys.argv) > 2 else ${second.checkpoint === first.checkpoint ? "CHECKPOINT" : pythonText(second.checkpoint)}`,
    ...traceLines(second.source).filter((line) => !line.startsWith("from ")),
    siteOf("second"),
    "",
    "# For each token of the first run its partner in the second, -1 where it has none.",
    ...listLines("OF_ROWS", part.ofRows),
    ...listLines("OF_COLS", part.ofCols),
    "weights = read_difference(",
    `    first, second, ${head}, range(${rows[0]}, ${rows[1]}), range(${cols[0]}, ${cols[1]}),`,
    `    Partners(np.array(OF_ROWS)), Partners(np.array(OF_COLS)), cell=${cell},`,
    ")",
    `np.savez("${first.file}.npz", difference=weights)`,
    `print("${first.file}.npz:", weights.shape, "furthest from 0", float(np.nanmax(np.abs(weights))))`,
  ]);
}

/** The likeliest tokens or classes: `kind` names the class of transformers. */
export function probabilitiesScript(
  origin: Origin,
  { kind, position, many }: { kind: "CausalLM" | "MaskedLM" | "Seq2SeqLM" | "ImageClassification"; position: number | null; many: number },
): string {
  const logits = position === null ? "output.logits[0]" : `output.logits[0, ${position}]`;
  return script(origin, "transformers", [
    ...modelLines(`AutoModelFor${kind}`),
    ...inputLines(origin.source),
    "",
    "with torch.inference_mode():",
    "    output = model(**inputs)",
    `top = ${logits}.float().softmax(-1).topk(${many})`,
    `np.savez("${origin.file}.npz", ids=top.indices.int().numpy(), probabilities=top.values.numpy())`,
    "for id_, probability in zip(top.indices.tolist(), top.values.tolist()):",
    '    print(f"{id_:8d}  {probability:.6f}")',
  ]);
}

/** Measures are Headlight's own: its code computes them. */
export function measuresScript(origin: Origin, site: string, head: number, names: readonly string[]): string {
  return script(origin, "headlight", [
    ...traceLines(origin.source),
    `site = next(step for step in steps if isinstance(step, SiteTraced) and str(step.map.site) == "${site}")`,
    `measures = {name: np.float32(site.measures[name][${head}]) for name in ${JSON.stringify(names)}}`,
    `np.savez("${origin.file}.npz", **measures)`,
    "for name, value in measures.items():",
    '    print(f"{name:20s} {value:.6f}")',
  ]);
}

/** One measure of every head, an array a site. */
export function everyHeadScript(origin: Origin, measure: string): string {
  return script(origin, "headlight", [
    ...traceLines(origin.source),
    "sites = [step for step in steps if isinstance(step, SiteTraced)]",
    `measured = [site for site in sites if "${measure}" in site.measures]`,
    `values = {str(site.map.site): np.float32(site.measures["${measure}"]) for site in measured}`,
    `np.savez("${origin.file}.npz", **values)`,
    "for site, value in values.items():",
    "    print(site, value)",
  ]);
}

/** One weight taken apart, in float64 as Headlight does it. */
export function pairScript(origin: Origin, site: string, head: number, row: number, col: number): string {
  return script(origin, "headlight", [
    "from modelcore.analysis.pair import read_pair",
    ...traceLines(origin.source),
    `site = next(step for step in steps if isinstance(step, SiteTraced) and str(step.map.site) == "${site}")`,
    `pair = read_pair(site.map, head=${head}, row=${row}, col=${col})`,
    "vectors = dict(query=pair.query_D, key=pair.key_D, products=pair.products_D)",
    "arrays = {name: vector.float().numpy() for name, vector in vectors.items()}",
    `np.savez("${origin.file}.npz", weight=np.float32(pair.weight), **arrays)`,
    'print(f"score {pair.score:.6f}, log-sum-exp {pair.log_sum_exp:.6f}, weight {pair.weight:.6f}")',
  ]);
}

function traceLines(source: Source): string[] {
  return [
    "from modelcore.analysis.trace import SiteTraced, TraceRequest, trace",
    "from modelcore.opening import open_any",
    "checkpoint = open_any(Path(CHECKPOINT))",
    ...requestLines(source),
    "steps = trace(checkpoint.load(), request, checkpoint.tokenizer)",
  ];
}

/** What each layer would say: Headlight's own code reads it. `tunedOf` names the model whose tuned lens is looked through. */
export function lensScript(
  origin: Origin,
  { positions, many, tunedOf }: { positions: readonly [number, number]; many: number; tunedOf: string | null },
): string {
  const place = pythonText(`data/lenses/${tunedOf}/lens.safetensors`);
  return script(origin, "headlight", [
    "from modelcore.analysis.lens import read_lens",
    "from modelcore.analysis.request import TraceRequest",
    "from modelcore.analysis.stream import read_stream",
    ...(tunedOf === null
      ? []
      : [
          "from modelcore.analysis.tuned_lens_file import open_tuned_lens",
          "from modelcore.checkpoints.digest import digest_of",
          `LENS = sys.argv[2] if len(sys.argv) > 2 else ${place}  # in Headlight's data folder`,
        ]),
    "from modelcore.opening import open_any",
    "checkpoint = open_any(Path(CHECKPOINT))",
    ...requestLines(origin.source),
    "model = checkpoint.load()",
    `translators = ${tunedOf === null ? "None" : "open_tuned_lens(Path(LENS), digest_of(checkpoint.path))"}`,
    "stream = read_stream(model, request, checkpoint.tokenizer)",
    `lens = read_lens(model, stream, range(${positions.join(", ")}), ${many}, translators)`,
    'NAMES = ("ids", "probabilities", "truth", "truth_probabilities", "truth_ranks")',
    `np.savez("${origin.file}.npz", **{name: getattr(lens, name).numpy() for name in NAMES})`,
    `print("${origin.file}.npz:", *lens.ids.shape, "layers, positions, guesses")`,
  ]);
}

function script({ title, file, checkpoint, source }: Origin, needs: "transformers" | "headlight", lines: string[]): string {
  const packages = needs === "transformers" ? "torch, transformers and numpy" : "Headlight's folder as the working directory";
  const sees = source.kind === "picture";
  const isImport = (line: string) => line.startsWith("from ");
  return [
    `"""${title.replaceAll("\\", "").replaceAll('"', "'").replace(/[\s\p{C}]+/gu, " ")}`,
    "",
    `Run it: python ${file}.py [CHECKPOINT]. It writes ${file}.npz.`,
    `Needs ${packages}${sees ? ", and Pillow" : ""}.`,
    '"""',
    "",
    ...(sees ? ["import base64", "import io"] : []),
    ...(needs === "headlight" ? ["import subprocess", "import sys", "from pathlib import Path"] : ["import sys"]),
    ...(needs === "headlight" ? ["", 'sys.path.insert(0, "")  # the working directory, where modelcore lies'] : []),
    "",
    "import numpy as np",
    ...(needs === "transformers" || sees ? ["import torch"] : []),
    ...(sees ? ["from PIL import Image"] : []),
    ...lines.filter(isImport),
    "",
    `CHECKPOINT = sys.argv[1] if len(sys.argv) > 1 else ${pythonText(checkpoint)}`,
    ...lines.filter((line) => !isImport(line)),
    "",
  ].join("\n");
}

function mapsByTransformers(source: Source): string[] {
  return [
    ...modelLines("AutoModel"),
    ...inputLines(source),
    "",
    "with torch.inference_mode():",
    "    output = model(**inputs, output_attentions=True)",
    "stacks = {",
    '    "encoder.self": output.get("encoder_attentions"),',
    '    "decoder.self": output.get("decoder_attentions"),',
    '    "decoder.cross": output.get("cross_attentions"),',
    "}",
    'if "attentions" in output:  # a model of one stack',
    '    stacks |= {"encoder.self": output.attentions, "decoder.self": output.attentions}',
    "site_maps = {",
    '    f"{stack}.{layer}": weights[0].float().numpy()',
    "    for stack, layers in stacks.items()",
    "    for layer, weights in enumerate(layers or ())",
    "}",
  ];
}

function mapsByHeadlight({ text, text_pair }: Extract<Source, { kind: "pair" }>): string[] {
  return [
    `TEXT, TEXT_PAIR = ${pythonText(text)}, ${pythonText(text_pair)}`,
    'command = [sys.executable, "-m", "modelcore", "attend", CHECKPOINT, "--text", TEXT, "--text-pair", TEXT_PAIR]',
    'subprocess.run([*command, "--out", "maps.npz"], check=True)',
    'site_maps = np.load("maps.npz")',
  ];
}

function modelLines(name: string): string[] {
  return [
    `from transformers import ${name}`,
    `model = ${name}.from_pretrained(CHECKPOINT, attn_implementation="eager", dtype=torch.float32)`,
  ];
}

function inputLines(source: Source): string[] {
  if (source.kind === "picture") return pictureLines(source, 'inputs = {"pixel_values": PIXELS}');
  if (source.kind === "pair") throw new Error("Two texts are read by Headlight's own code.");
  const { encoder, decoder } = source;
  if (encoder && decoder)
    return [
      ...listLines("SOURCE", encoder),
      ...listLines("TARGET", decoder),
      'inputs = {"input_ids": torch.tensor([SOURCE]), "decoder_input_ids": torch.tensor([TARGET])}',
    ];
  return [...listLines("IDS", encoder ?? decoder ?? []), 'inputs = {"input_ids": torch.tensor([IDS])}'];
}

function requestLines(source: Source): string[] {
  if (source.kind === "picture") return pictureLines(source, "request = TraceRequest(pixels=PIXELS)");
  if (source.kind === "pair") {
    const { text, text_pair } = source;
    return [`request = TraceRequest(text=${pythonText(text)}, text_pair=${pythonText(text_pair)})`];
  }
  const { encoder, decoder } = source;
  if (encoder && decoder)
    return [
      ...listLines("SOURCE", encoder),
      ...listLines("TARGET", decoder),
      "request = TraceRequest(ids=SOURCE, target_ids=TARGET)",
    ];
  return [...listLines("IDS", encoder ?? decoder ?? []), "request = TraceRequest(ids=IDS)"];
}

/** The picture as the model read it, so that nothing has to be resized again. */
function pictureLines({ png_base64, channels, rescale, mean, deviation }: Extract<Source, { kind: "picture" }>, last: string): string[] {
  const list = (numbers: readonly number[]) => `[${numbers.join(", ")}]`;
  return [
    "PNG = (",
    ...wrapped(png_base64, 100).map((line) => `    "${line}"`),
    ")",
    `seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(PNG))).convert("RGB"))[..., :${channels}]`,
    `values = (seen * np.float32(${rescale}) - np.float32(${list(mean)})) / np.float32(${list(deviation)})`,
    "PIXELS = torch.from_numpy(values.astype(np.float32).transpose(2, 0, 1)[None].copy())",
    last,
  ];
}

function pooled(cell: number): string[] {
  return [
    `CELL = ${cell}  # the largest of so many rows and columns`,
    "height, width = -(-weights.shape[1] // CELL), -(-weights.shape[2] // CELL)",
    "room = np.zeros((len(weights), height * CELL, width * CELL), np.float32)",
    "room[:, : weights.shape[1], : weights.shape[2]] = weights",
    "weights = room.reshape(-1, height, CELL, width, CELL).max((2, 4))",
  ];
}

/** Of values of either sign the largest in size, with its sign. */
function pooledBySize(cell: number): string[] {
  return [
    `CELL = ${cell}  # the largest in size of so many rows and columns`,
    "height, width = -(-weights.shape[1] // CELL), -(-weights.shape[2] // CELL)",
    "room = np.zeros((len(weights), height * CELL, width * CELL), np.float32)",
    "room[:, : weights.shape[1], : weights.shape[2]] = weights",
    "cells = room.reshape(-1, height, CELL, width, CELL).swapaxes(2, 3).reshape(-1, height, width, CELL * CELL)",
    "weights = np.take_along_axis(cells, np.abs(cells).argmax(-1)[..., None], -1)[..., 0]",
  ];
}

function listLines(name: string, numbers: readonly number[]): string[] {
  return [`${name} = [`, ...wrapped(numbers.join(", "), 100, ", ").map((line) => `    ${line}`), "]"];
}

function wrapped(text: string, width: number, at = ""): string[] {
  const lines: string[] = [];
  for (let rest = text; rest; ) {
    const cut = rest.length <= width ? rest.length : at ? rest.lastIndexOf(at, width) + at.length : width;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut);
  }
  return lines;
}

/** As JSON writes it, but for characters beyond the first plane, which Python spells in one. */
function pythonText(text: string): string {
  return JSON.stringify(text).replace(/[^\u0000-\uffff]/gu, (character) => {
    return `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, "0")}`;
  });
}
