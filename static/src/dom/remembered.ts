/** What a browser remembers of a person's choices. Within a page of another site it may remember nothing, and refuse to say so. */

export function remembered(name: string): string | null {
  try {
    return window.localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    window.localStorage.setItem(name, value);
  } catch {
    // The choice holds as long as the page is open.
  }
}
