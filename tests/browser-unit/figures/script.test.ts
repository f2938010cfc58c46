/** The Python that goes with a figure. That it runs and gives the same numbers, tests/browser/test_figures.py shows. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { mapScript, measuresScript, type Origin } from "../../../static/src/figures/script";

const PART = { heads: [["encoder.self.1", 2]], rows: [0, 4], cols: [2, 9], cell: 1 } as const;
const HOSTILE = 'a"""\nimport os\\ \u2028 🙂 \'"';

function origin(source: Origin["source"]): Origin {
  return { title: HOSTILE, file: "figure", checkpoint: HOSTILE, source };
}

/** Python reads the script as a program, and gives its texts back. */
function constants(script: string): string[] {
  const read = "import ast, json, sys; print(json.dumps([n.value for n in ast.walk(ast.parse(sys.stdin.read())) if isinstance(n, ast.Constant) and isinstance(n.value, str)]))";
  return JSON.parse(execFileSync("python3", ["-c", read], { input: script, encoding: "utf-8" }));
}

test("what somebody typed stays a text within the script", () => {
  const script = mapScript(origin({ kind: "pair", text: HOSTILE, text_pair: "b" }), PART);
  expect(constants(script).filter((text) => text === HOSTILE)).toHaveLength(2);
  expect(script).not.toMatch(/^import os/m);
});

test("ids, several heads, parts and cells are said", () => {
  const ids = Array.from({ length: 200 }, (_, index) => index);
  const source = { kind: "ids", encoder: null, decoder: ids } as const;
  const script = mapScript(origin(source), { ...PART, heads: [["decoder.self.0", 1], ["decoder.self.1", 0]], cell: 2 });
  expect(script).toContain('HEADS = [("decoder.self.0", 1), ("decoder.self.1", 0)]');
  expect(script).toContain("ROWS, COLS = slice(0, 4), slice(2, 9)");
  expect(script).toContain("CELL = 2");
  expect(Math.max(...script.split("\n").map((line) => line.length))).toBeLessThan(140);
  constants(script);
});

test("an encoder–decoder is given both sequences", () => {
  const source = { kind: "ids", encoder: [1, 2], decoder: [0, 7] } as const;
  expect(measuresScript(origin(source), "decoder.cross.0", 1, ["entropy"])).toContain("TraceRequest(ids=SOURCE, target_ids=TARGET)");
});

test("another reading is made by Headlight's own code, and a gradient's output is said", () => {
  const source = { kind: "ids", encoder: null, decoder: [1, 2] } as const;
  const influence = { name: "gradient", position: 3, token: 31 };
  const script = mapScript(origin(source), { ...PART, cell: 2, influence });
  expect(script).toContain('read_influence(*asked, "gradient", ROWS, COLS, Target(3, 31)).numpy()');
  expect(script).toContain("ROWS, COLS = range(0, 4), range(2, 9)");
  expect(mapScript(origin(source), { ...PART, influence: { ...influence, position: null } })).toContain("Target(None, 31)");
  expect(mapScript(origin(source), { ...PART, influence: { name: "value", position: null, token: null } })).not.toContain("Target(");
  constants(script);
});
