/** Days and times of day, in the page's language and the reader's own time zone. */
const language = () => document.documentElement.lang;

/** Of a time as the API tells it (ISO 8601). */
export function day(time: string): string {
  return new Date(time).toLocaleDateString(language(), { dateStyle: "medium" });
}

export function dayAndTime(time: string): string {
  return new Date(time).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
}
