/** Keeps a canvas as large as its host, in device pixels. */
export interface HostSize {
  width: number;
  height: number;
  ratio: number;
}

export function watchSize(host: HTMLElement, onSize: (size: HostSize) => void): void {
  const report = () =>
    onSize({ width: host.clientWidth, height: host.clientHeight, ratio: window.devicePixelRatio || 1 });
  new ResizeObserver(report).observe(host);
}

/** A cleared 2D context whose unit is the CSS pixel. */
export function clearedContext(
  canvas: HTMLCanvasElement,
  { width, height, ratio }: HostSize,
): CanvasRenderingContext2D {
  const [deviceWidth, deviceHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
    canvas.width = deviceWidth;
    canvas.height = deviceHeight;
  }
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
