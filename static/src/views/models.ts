/** Which model the next run uses, with its size and whether a worker has it at hand. */
import { createMenu } from "../dom/menu";
import { count } from "../dom/numbers";
import { say } from "../language/say";
import type { Explorer, Model } from "../state/explorer";
import { watch } from "../state/store";

const MILLION = 1e6;

export function mountModels(host: HTMLElement, explorer: Explorer): void {
  const menu = createMenu(say("Model"), (id) => {
    const chosen = explorer.models.value?.find((model) => model.id === id);
    if (chosen) explorer.model.set(chosen);
  });
  menu.root.classList.add("menu-right", "menu-models");
  menu.onOpen(() => void explorer.readModels());
  host.append(menu.root);

  function show(): void {
    const models = explorer.models.value ?? [];
    menu.setChoices(
      models.map((model) => ({ value: model.id, label: model.name, detail: describe(model) })),
      explorer.model.value?.id,
    );
    menu.setLabel(explorer.model.value?.name ?? say("Model"));
    menu.setDisabled(models.length === 0);
  }

  watch([explorer.models, explorer.model], show);
  show();
}

function describe(model: Model): string {
  const size = say("{n} M parameters, {size} MB", {
    n: millions(model.parameters),
    size: millions(model.size_bytes),
  });
  const shape = say("{layers} layers × {heads} heads, up to {n} tokens", {
    layers: model.layers,
    heads: model.heads,
    n: count(model.positions),
  });
  const line = `${stateOf(model)} · ${shape} · ${size}`;
  return model.sentence ? `${model.sentence} ${line}` : line;
}

function millions(value: number): string {
  const many = value / MILLION;
  return many < 9.95 ? many.toFixed(1) : count(Math.round(many));
}

function stateOf({ state }: Model): string {
  const words = {
    ready: say("● ready: in a worker's memory"),
    loading: say("◐ loading: on its way into memory"),
    cold: say("○ cold: loaded by its first run"),
    missing: say("✕ missing: its files are gone"),
  };
  return words[state];
}
