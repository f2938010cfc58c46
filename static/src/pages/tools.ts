/** The buttons at the top right: copy the link to this very view, light or dark. */
import { button } from "../dom/element";
import { announce } from "../dom/tooltip";
import { chooseTheme, type Theme } from "../state/theme";
import type { Store } from "../state/store";

const COPIED_MS = 1_600;

export function linkButton(): HTMLElement {
  const copy = button(
    "Copy link",
    { class: "quiet", title: "Copies the address of this run, head and token" },
    () => void write(),
  );
  async function write(): Promise<void> {
    try {
      await navigator.clipboard.writeText(window.location.href);
      copy.textContent = "Copied";
      announce("Link copied");
    } catch {
      copy.textContent = "Copy it from the address bar";
    }
    setTimeout(() => (copy.textContent = "Copy link"), COPIED_MS);
  }
  return copy;
}

export function themeButton(theme: Store<Theme>): HTMLElement {
  const toggle = button("", { class: "quiet theme" }, () => chooseTheme(theme, other(theme.value)));
  const show = () => {
    toggle.textContent = theme.value === "dark" ? "☀" : "☾";
    toggle.setAttribute("aria-label", `Switch to ${other(theme.value)}`);
    toggle.title = `Switch to ${other(theme.value)}`;
  };
  theme.subscribe(show);
  show();
  return toggle;
}

function other(theme: Theme): Theme {
  return theme === "dark" ? "light" : "dark";
}
