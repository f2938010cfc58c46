/** One's runs. */
import "../css/runs.css";
import { element } from "../dom/element";
import { mountTooltip } from "../dom/tooltip";
import { say } from "../language/say";
import { History, readWanted, writeWanted } from "../state/history";
import { openTheme } from "../state/theme";
import { mountRuns } from "../views/runs/runs";
import { accountLink } from "./people";
import { languageMenu, themeButton, trainLink } from "./tools";

function openPage(app: HTMLElement): void {
  const theme = openTheme(window);
  const history = new History(readWanted(window.location.search));
  history.wanted.subscribe((wanted) => window.history.replaceState(null, "", window.location.pathname + writeWanted(wanted)));
  const languages = languageMenu(app.dataset.languages ?? "");
  const account = accountLink(app);
  const main = element("main", { class: "runs-main" }, element("h1", {}, say("Runs")));
  app.replaceChildren(
    element(
      "header",
      { class: "top" },
      element("a", { class: "brand", href: "/" }, element("span", { class: "lamp", "aria-hidden": "true" }), "Headlight"),
      element("span", { class: "spring" }),
      element("div", { class: "tools" }, trainLink(), ...(account ? [account] : []), ...(languages ? [languages] : []), themeButton(theme)),
    ),
    main,
  );
  mountTooltip(document.body);
  mountRuns(main, history, Boolean(app.dataset.person));
  void history.read();
}

const app = document.getElementById("app");
if (app) openPage(app);
