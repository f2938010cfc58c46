/** Plays what is written: pause, one token on or back, the first, the newest, a slider over all of them, the speed. */
import { button, element, setAttributes, setText } from "../../dom/element";
import { type Icon, setIcon } from "../../dom/icons";
import { createMenu } from "../../dom/menu";
import { say } from "../../language/say";
import type { Explorer } from "../../state/explorer";
import { type Speed, SPEEDS } from "../../state/player";
import { isUnderWay } from "../../state/run";
import { watch } from "../../state/store";

export function buildTransport(explorer: Explorer): HTMLElement {
  const { player } = explorer;
  const mark = (icon: Icon, label: string, onPress: () => void) => {
    const made = button("", { class: "quiet transport-button", "aria-label": label, title: label }, onPress);
    setIcon(made, icon);
    return made;
  };
  const first = mark("first", say("Back to the first written token"), () => player.seek(1));
  const back = mark("back", say("One token back"), () => player.seek(player.shown.value - 1));
  const play = mark("pause", say("Pause"), () => (player.isPlaying.value ? player.pause() : player.play()));
  const on = mark("on", say("One token on"), () => player.seek(player.shown.value + 1));
  const newest = mark("newest", say("On to the newest token"), () => player.seek(player.arrived));
  const slider = element("input", { type: "range", min: 1, step: 1, class: "transport-slider", "aria-label": say("Written tokens shown") });
  slider.addEventListener("input", () => player.seek(slider.valueAsNumber));
  // Windows without a status line have no other.
  const stop = button(say("Stop"), { class: "quiet", title: say("End this run; what it found stays") }, () =>
    void explorer.stop(),
  );
  const where = element("span", { class: "transport-where" });
  const speed = createMenu(say("Speed"), (value) => player.speed.set(Number(value) as Speed));

  function show(): void {
    const [shown, arrived] = [player.shown.value, player.arrived];
    const isPlaying = player.isPlaying.value;
    setIcon(play, isPlaying ? "pause" : "play");
    const label = isPlaying ? say("Pause") : say("Play");
    setAttributes(play, { "aria-label": label, title: label });
    for (const one of [first, back]) one.disabled = shown <= 1;
    for (const one of [on, newest]) one.disabled = shown >= arrived;
    slider.max = String(Math.max(1, arrived));
    slider.value = String(shown);
    slider.disabled = arrived < 2;
    setAttributes(slider, { "aria-valuetext": say("{n} of {all} tokens", { n: shown, all: arrived }) });
    stop.hidden = !isUnderWay(explorer.told.value);
    setText(where, say("{n} of {all} tokens", { n: shown, all: arrived }));
  }

  function showSpeed(): void {
    const choices = SPEEDS.map((perSecond) => ({ value: String(perSecond), label: speedInWords(perSecond) }));
    speed.setChoices(choices, String(player.speed.value));
    speed.setLabel(speedInWords(player.speed.value));
  }

  watch([player.shown, player.isPlaying, explorer.told], show);
  player.speed.subscribe(showSpeed);
  showSpeed();
  show();
  return element("div", { class: "transport", role: "group", "aria-label": say("Playing") }, first, back, play, on, newest, slider, where, speed.root, stop);
}

function speedInWords(perSecond: Speed): string {
  if (perSecond === 0) return say("as it comes");
  return perSecond === 1 ? say("1 token a second") : say("{n} tokens a second", { n: perSecond });
}
