/** One's runs. */
import "../css/runs.css";
import { element } from "../dom/element";
import { mountTooltip } from "../dom/tooltip";
import { say } from "../language/say";
import { History, readWanted, writeWanted } from "../state/history";
import { openTheme } from "../state/theme";
import { mountRuns } from "../views/runs/runs";
import { siteHeader } from "./header";

function openPage(app: HTMLElement): void {
  const theme = openTheme(window);
  const history = new History(readWanted(window.location.search));
  history.wanted.subscribe((wanted) => window.history.replaceState(null, "", window.location.pathname + writeWanted(wanted)));
  const main = element("main", { class: "runs-main" }, element("h1", {}, say("Runs")));
  app.replaceChildren(
    siteHeader(app, theme, "/runs"),
    main,
  );
  mountTooltip(document.body);
  mountRuns(main, history, Boolean(app.dataset.person));
  void history.read();
}

const app = document.getElementById("app");
if (app) openPage(app);
