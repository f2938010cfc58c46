/**
 * Words where the map is or would be: a line above it that says what one sees, and a cover in its place while there
 * is nothing to see: no run yet, waiting, connection lost, failed.
 */
import { button, element, setText } from "../dom/element";
import { say } from "../language/say";
import type { Explorer } from "../state/explorer";
import { labelOf } from "../state/labels";
import { isSameHead } from "../state/sites";
import { situationOf } from "../state/situation";
import { watch } from "../state/store";

const TICK_MS = 500;

export function mountNotice(line: HTMLElement, host: HTMLElement, explorer: Explorer): void {
  const title = element("p", { class: "cover-title" });
  const detail = element("p", { class: "cover-detail" });
  const again = button(say("Try now"), { class: "quiet" }, () => explorer.reconnect());
  const stop = button(say("Stop"), { class: "quiet", title: say("End this run; what it found stays") }, () =>
    void explorer.stop(),
  );
  const cover = element("div", { class: "cover", role: "status", hidden: true }, title, detail, again, stop);
  const lineText = element("span");
  const lineAgain = button(say("Try now"), { class: "quiet" }, () => explorer.reconnect());
  line.append(lineText, lineAgain);
  host.append(cover);

  function show(): void {
    const situation = situationOf(
      explorer.run.value,
      explorer.connection.value,
      Date.now() - explorer.lastEventMs,
      explorer.selection.value,
      { model: explorer.modelOfRun, queue: explorer.queue.value },
    );
    cover.hidden = !situation?.covers;
    cover.className = `cover cover-${situation?.tone ?? "empty"}`;
    setText(title, situation?.title ?? "");
    setText(detail, situation?.detail ?? "");
    again.hidden = !situation?.canReconnect;
    stop.hidden = situation?.tone !== "waiting" || situation.canReconnect;
    const isLine = situation !== null && !situation.covers;
    line.classList.toggle("line-trouble", isLine);
    lineAgain.hidden = !isLine || !situation.canReconnect;
    setText(lineText, situation ? (isLine ? `${situation.title}. ${situation.detail}` : "") : aboutHead(explorer));
  }

  watch([explorer.run, explorer.connection, explorer.selection, explorer.queue], show);
  setInterval(show, TICK_MS);
  show();
}

/** What the model's card finds in this very head on this very text, else what its label means. */
function aboutHead(explorer: Explorer): string {
  const { example } = explorer;
  const selected = explorer.selection.value;
  if (!selected) return "";
  if (example && isSameHead(example, selected)) return example.finding;
  const site = explorer.run.value.sites.get(selected.site);
  return site ? labelOf(site, selected.head).sentence : "";
}
