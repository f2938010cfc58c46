/** Numbers as people read them: sensible digits, units, tabular figures. */
const SMALLEST_SHARE = 0.0005;

/** A probability: ".61", ".042", "<.001", "1.00". */
export function share(value: number): string {
  if (value === 0) return "0";
  if (value < SMALLEST_SHARE) return "<.001";
  if (value >= 0.995) return "1.00";
  return value.toFixed(value < 0.0995 ? 3 : 2).slice(1);
}

/** A difference of two shares, with its sign: "+.12", "−.003", "0"; "≈0" where rounding may have made the sign. */
export function signedShare(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size < SMALLEST_SHARE ? "≈0" : `${value < 0 ? "−" : "+"}${share(size)}`;
}

/** A probability with every digit that a float32 can tell, for a hover that must be exact. */
export function exactShare(value: number): string {
  if (value === 0) return "0";
  if (value < 1e-4) return value.toExponential(2).replace("e-", "e−");
  return value.toFixed(4).replace(/^0/, "");
}

/** Any number, as one follows a calculation: three places where they say something, ".0042", "−12.3". */
export function real(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e5) return sign + size.toExponential(1).replace("e-", "e−").replace("e+", "e");
  if (size < 0.1) return sign + size.toPrecision(2).replace(/^0/, "");
  return sign + size.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1).replace(/^0/, "");
}

/** A round share that is at least as large: the right end of a scale. */
export function roundTop(value: number): number {
  return [0.05, 0.1, 0.25, 0.5].find((top) => value <= top) ?? 1;
}

export function duration(seconds: number): string {
  if (seconds < 0.001) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function count(value: number): string {
  return value.toLocaleString("en-GB");
}

export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A measure in its unit: a share, nats or a number of tokens. */
export function measured(value: number, unit: "share" | "nats" | "tokens"): string {
  if (unit === "share") return share(value);
  return unit === "nats" ? `${value.toFixed(2)} nats` : `${value.toFixed(1)} tokens`;
}
