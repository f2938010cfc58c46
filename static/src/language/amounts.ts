/** Large amounts in two digits and a unit. */

/** "860", "17 K", "4.3 M", "1.2 B". */
export function shortCount(value: number): string {
  return scaled(value, ["", " K", " M", " B"]);
}

/** "68 KB", "17 MB", "1.2 GB". */
export function sizeOf(bytes: number): string {
  return scaled(bytes, [" B", " KB", " MB", " GB"]);
}

/** "1 s", "40 s", "3 min", "2 h": for estimates, so never more than one unit and never nothing. */
export function durationOf(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function scaled(value: number, units: readonly string[]): string {
  const thousands = Math.floor(Math.log10(Math.max(1, value)) / 3);
  const step = Math.min(units.length - 1, thousands);
  const many = value / 1000 ** step;
  return `${step > 0 && many < 9.95 ? many.toFixed(1) : Math.round(many)}${units[step]}`;
}
