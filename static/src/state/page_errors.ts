/** Tells the site's log of errors that nothing on the page caught, with the run that it shows. */

const MOST = 5;
/** Not a share's address, which is its key. */
const RUN = /^[a-z2-7]{26}$/;

export function tellPageErrors(run: () => string): void {
  let told = 0;
  const tell = (message: string, place: string) => {
    if (told++ >= MOST) return;
    const about = RUN.test(run()) ? run() : "";
    const body = JSON.stringify({ message: message.slice(0, 500), place: place.slice(0, 300), run: about });
    const headers = { "content-type": "application/json" };
    // A page that goes away still tells; and what cannot be told is not an error of its own.
    void fetch("/api/v1/page-errors", { method: "POST", body, headers, keepalive: true }).catch(() => undefined);
  };
  window.addEventListener("error", (event) => tell(event.message, `${event.filename}:${event.lineno}:${event.colno}`));
  window.addEventListener("unhandledrejection", (event) => {
    const reason: unknown = event.reason;
    tell(reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason), "promise");
  });
}
