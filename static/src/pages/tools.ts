/** What stands at the top: the way to all pages and to one's account, copy the link to this very view, the language, light or dark. */
import { button, element } from "../dom/element";
import { createMenu } from "../dom/menu";
import { announce } from "../dom/tooltip";
import { say } from "../language/say";
import { chooseTheme, type Theme } from "../state/theme";
import type { Store } from "../state/store";

const COPIED_MS = 1_600;
const LANGUAGE_COOKIE = "headlight_language";
const YEAR_S = 365 * 24 * 3600;

/**
 * The way to every page; `current` is the address of the one that is open, and `""` one that has no place in it. Classes
 * stand there for whoever teaches or is in one.
 */
export function pageLinks(app: HTMLElement, current: string): HTMLElement {
  const pages: [string, string, string][] = [
    ["/", say("Explore"), say("Read a text, and see what every head looks at")],
    ["/train", say("Train"), say("Train a model, and watch its heads form")],
    ["/library", say("Library"), say("Bring a model of your own, or choose one")],
    ["/runs", say("Runs"), say("Runs that were made here, to find again")],
  ];
  if (app.dataset.classes) pages.push(["/classes", say("Classes"), say("Your classes, and who is in them")]);
  const links = pages.map(([href, name, title]) => element("a", { class: "quiet", href, title, "aria-current": href === current ? "page" : null }, name));
  return element("nav", { "aria-label": say("Pages") }, ...links);
}

/** null where nobody can sign in. */
export function accountLink(app: HTMLElement): HTMLElement | null {
  const { person, signIn } = app.dataset;
  if (person) return element("a", { class: "quiet account-link", href: "/account", title: person }, say("Account"));
  if (signIn === "off" || !signIn) return null;
  const back = encodeURIComponent(window.location.pathname + window.location.search);
  return element("a", { class: "quiet account-link", href: `/accounts/login/?next=${back}` }, say("Sign in"));
}

export function linkButton(): HTMLElement {
  const copy = button(
    say("Copy link"),
    { class: "quiet copy-link", title: say("Copies the address of this run, head and token") },
    () => void write(),
  );
  async function write(): Promise<void> {
    try {
      await navigator.clipboard.writeText(window.location.href);
      copy.textContent = say("Copied");
      announce(say("Link copied"));
    } catch {
      copy.textContent = say("Copy it from the address bar");
    }
    setTimeout(() => (copy.textContent = say("Copy link")), COPIED_MS);
  }
  return copy;
}

export function themeButton(theme: Store<Theme>): HTMLElement {
  const toggle = button("", { class: "quiet theme" }, () => chooseTheme(theme, other(theme.value)));
  const show = () => {
    toggle.textContent = theme.value === "dark" ? "☀\uFE0E" : "☾\uFE0E";
    const words = theme.value === "dark" ? say("Switch to light") : say("Switch to dark");
    toggle.setAttribute("aria-label", words);
    toggle.title = words;
  };
  theme.subscribe(show);
  show();
  return toggle;
}

/** `names` is the server's list, "en=English de=Deutsch"; null where there is nothing to choose. */
export function languageMenu(names: string): HTMLElement | null {
  const languages = names.split(" ").map((entry) => entry.split("=") as [string, string]);
  if (languages.length < 2) return null;
  const current = document.documentElement.lang;
  const menu = createMenu(say("Language"), (code) => {
    document.cookie = `${LANGUAGE_COOKIE}=${code}; path=/; max-age=${YEAR_S}; samesite=lax`;
    window.location.reload();
  });
  menu.root.classList.add("menu-right");
  menu.setChoices(
    languages.map(([value, label]) => ({ value, label })),
    current,
  );
  menu.setLabel(current);
  return menu.root;
}

function other(theme: Theme): Theme {
  return theme === "dark" ? "light" : "dark";
}
