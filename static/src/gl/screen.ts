/** A WebGL2 context together with the canvas of the page that shows what it draws. */

export interface Screen {
  readonly gl: WebGL2RenderingContext;
  resize(width: number, height: number): void;
  /** Called after the last draw of a picture. */
  show(): void;
  /** `lost` and `restored` as the context's own events tell them. */
  watch(lost: () => void, restored: () => void): void;
}

/** With alpha a blend would also make the canvas see-through. */
const OPAQUE: WebGLContextAttributes = { alpha: false, antialias: false, preserveDrawingBuffer: false };
const IN_SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render/i;

/** Null where the browser has no WebGL2. */
export function openScreen(canvas: HTMLCanvasElement): Screen | null {
  return drawsInSoftware() ? copied(canvas) : directly(canvas);
}

function directly(canvas: HTMLCanvasElement): Screen | null {
  const gl = canvas.getContext("webgl2", OPAQUE);
  return gl && { gl, resize: (width, height) => setSize(canvas, width, height), show() {}, watch: watching(canvas) };
}

/**
 * The picture is made aside and copied. Chromium without a graphics card takes the wrong part of a WebGL canvas, which
 * it keeps upside down, as soon as the window's edge cuts it; a plain canvas it shows right, and the copy takes the
 * place of one that it would make itself.
 */
function copied(canvas: HTMLCanvasElement): Screen | null {
  const aside = document.createElement("canvas");
  const gl = aside.getContext("webgl2", OPAQUE);
  const shown = gl && canvas.getContext("2d", { alpha: false });
  if (!shown) return null;
  return {
    gl,
    resize(width, height) {
      setSize(aside, width, height);
      setSize(canvas, width, height);
    },
    show() {
      if (aside.width && aside.height) shown.drawImage(aside, 0, 0);
    },
    watch: watching(aside),
  };
}

function setSize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
}

function watching(canvas: HTMLCanvasElement): Screen["watch"] {
  return (lost, restored) => {
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      lost();
    });
    canvas.addEventListener("webglcontextrestored", restored);
  };
}

let inSoftware: boolean | null = null;

/** Asked once; a browser that keeps its renderer to itself is taken to have a card. */
function drawsInSoftware(): boolean {
  inSoftware ??= IN_SOFTWARE.test(rendererName());
  return inSoftware;
}

function rendererName(): string {
  const gl = document.createElement("canvas").getContext("webgl2");
  const names = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = names ? String(gl?.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return name;
}
