/** Which model the next run uses, with its size and whether a worker has it at hand. */
import { createMenu } from "../dom/menu";
import { count } from "../dom/numbers";
import { shortCount, sizeOf } from "../language/amounts";
import { say } from "../language/say";
import type { Explorer, Model } from "../state/explorer";
import { watch } from "../state/store";

/** Between two looks at the states, while the list is open. A worker tells its own every two seconds. */
const ASK_AGAIN_MS = 3_000;

export function mountModels(host: HTMLElement, explorer: Explorer): void {
  const menu = createMenu(say("Model"), (id) => {
    const chosen = explorer.models.value?.find((model) => model.id === id);
    if (chosen) explorer.model.set(chosen);
  });
  menu.root.classList.add("menu-right", "menu-models");
  menu.onOpen(() => void explorer.readModels(), ASK_AGAIN_MS);
  host.append(menu.root);

  function show(): void {
    const models = explorer.models.value ?? [];
    menu.setChoices(
      models.map((model) => ({
        value: model.id,
        label: model.name,
        ...(model.sentence ? { detail: model.sentence } : {}),
        facts: describe(model, explorer.workers.value),
      })),
      explorer.model.value?.id,
    );
    menu.setLabel(explorer.model.value?.name ?? say("Model"));
    menu.setDisabled(models.length === 0);
  }

  watch([explorer.models, explorer.model, explorer.workers], show);
  show();
}

function describe(model: Model, workers: number | null): string {
  const size = say("{n} parameters, {size}", {
    n: shortCount(model.parameters),
    size: sizeOf(model.size_bytes),
  });
  const shape = say("{layers} layers × {heads} heads, up to {n} tokens", {
    layers: model.layers,
    heads: model.heads,
    n: count(model.positions),
  });
  return [stateOf(model, workers), size, shape].join(" · ");
}

function stateOf({ state }: Model, workers: number | null): string {
  if (state === "cold" && workers === 0) return say("○ cold: no worker is running");
  const words = {
    ready: say("● ready: in a worker's memory"),
    loading: say("◐ loading: on its way into memory"),
    cold: say("○ cold: loaded by its first run"),
    missing: say("✕ missing: its files are gone"),
  };
  return words[state];
}
