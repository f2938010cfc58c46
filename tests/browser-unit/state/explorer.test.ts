import { expect, test, vi } from "vitest";
import { Explorer } from "../../../static/src/state/explorer";

test("choices change with the head and the scale, not while a map is moved", () => {
  const history = { pushState() {}, replaceState() {} };
  const location = new URL("http://host/");
  const explorer = new Explorer({ addEventListener() {}, requestAnimationFrame() {}, history, location } as unknown as Window, null);
  const changed = vi.fn();
  explorer.choices.subscribe(changed);
  explorer.view.update((view) => ({ ...view, frame: { row: 3, col: 4, cell_px: 20 } }));
  expect(changed).not.toHaveBeenCalled();
  explorer.view.update((view) => ({ ...view, scale: "log" }));
  expect(changed).toHaveBeenCalledTimes(1);
});
