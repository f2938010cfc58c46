/** Light or dark: the system's choice until the person makes one, which a cookie keeps so that the server can say it too. */
import { Store } from "./store";

export type Theme = "light" | "dark";

const COOKIE = "headlight_theme";
const YEAR_S = 365 * 24 * 3600;

export function openTheme(window: Window): Store<Theme> {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = new RegExp(`(?:^|; )${COOKIE}=(light|dark)`).exec(window.document.cookie)?.[1] as Theme | undefined;
  const root = window.document.documentElement;
  if (chosen) root.dataset.theme = chosen;
  const theme = new Store<Theme>(chosen ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => {
    if (!root.dataset.theme) theme.set(system.matches ? "dark" : "light");
  });
  return theme;
}

export function chooseTheme(theme: Store<Theme>, choice: Theme): void {
  document.documentElement.dataset.theme = choice;
  document.cookie = `${COOKIE}=${choice}; path=/; max-age=${YEAR_S}; samesite=lax`;
  theme.set(choice);
}
