/** The lines on WebGL2: one instanced draw for each layer, a ribbon for each line. */
import { BEND, EDGE_OPACITY, FLOATS_PER_LINE, MOST_LANES } from "./line_shape";
import type { LineLayer, Lines, LinesPicture, LinesSurface } from "./lines";
import { linkProgram } from "./program";
import { openScreen, type Screen } from "./screen";

/** Straight pieces of one curve. */
const SEGMENTS = 24;
const MOST_LAYERS = 2;
const UNIFORMS = [
  "canvas_size",
  "window_box",
  "starts",
  "pitch",
  "lane_px",
  "lanes",
  "width_px",
  "strength",
  "colours",
] as const;

const VERTEX = `#version 300 es
layout(location = 0) in vec2 corner;  // part of the way, side of the ribbon
layout(location = 1) in vec4 line;    // left, right, opacity, lane
uniform vec2 canvas_size;
uniform vec4 window_box;              // left, top, right, bottom
uniform vec2 starts;
uniform float pitch, lane_px, lanes, width_px, strength;
uniform vec3 colours[${MOST_LANES}];
out vec4 colour;
out float across;
void main() {
  vec2 middles = starts + line.xy * pitch;
  vec2 ends = clamp(middles + (line.w - (lanes - 1.0) * 0.5) * lane_px, window_box.yy, window_box.ww);
  vec2 inside = step(window_box.yy, middles) * step(middles, window_box.ww);
  vec2 end_opacity = mix(vec2(${EDGE_OPACITY.toFixed(3)}), vec2(1.0), inside);

  float way = corner.x;
  vec2 span = vec2(window_box.z - window_box.x, ends.y - ends.x);
  float bent = mix(way, way * way * (3.0 - 2.0 * way), ${BEND.toFixed(3)});
  float slope = mix(1.0, 6.0 * way * (1.0 - way), ${BEND.toFixed(3)});
  vec2 point = vec2(window_box.x, ends.x) + span * vec2(way, bent);
  vec2 normal = normalize(vec2(-span.y * slope, span.x));
  across = corner.y * (width_px * 0.5 + 1.0);
  vec2 pixel = point + normal * across;
  gl_Position = vec4(pixel / canvas_size * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
  colour = vec4(colours[int(line.w)], line.z * strength * mix(end_opacity.x, end_opacity.y, way));
}`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform float width_px;
in vec4 colour;
in float across;
out vec4 shown;
void main() {
  shown = vec4(colour.rgb, colour.a * clamp(width_px * 0.5 + 0.5 - abs(across), 0.0, 1.0));
}`;

interface Layer {
  vertexArray: WebGLVertexArrayObject;
  instances: WebGLBuffer;
  /** What was uploaded last. */
  lines: Lines | null;
}

interface Program {
  handle: WebGLProgram;
  uniforms: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  layers: Layer[];
}

export function openWebglLines(canvas: HTMLCanvasElement, onRestored: () => void): LinesSurface | null {
  const screen = openScreen(canvas);
  return screen && new WebglLines(screen, canvas, onRestored);
}

class WebglLines implements LinesSurface {
  readonly kind = "webgl2";
  private readonly gl: WebGL2RenderingContext;
  #program: Program | null;

  constructor(
    private readonly screen: Screen,
    private readonly canvas: HTMLCanvasElement,
    onRestored: () => void,
  ) {
    this.gl = screen.gl;
    this.#program = buildProgram(this.gl);
    screen.watch(
      () => (this.#program = null),
      () => {
        this.#program = buildProgram(this.gl);
        onRestored();
      },
    );
  }

  resize(width: number, height: number): void {
    this.screen.resize(width, height);
  }

  draw({ layers, columns, colours, paper }: LinesPicture): void {
    const { gl } = this;
    const program = this.#program;
    if (!program || gl.isContextLost()) return;
    const { uniforms } = program;
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(paper[0] / 255, paper[1] / 255, paper[2] / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(program.handle);
    gl.uniform2f(uniforms.canvas_size, width, height);
    gl.uniform4f(uniforms.window_box, columns.left_x, columns.top, columns.right_x, columns.bottom);
    gl.uniform2f(uniforms.starts, columns.left_y, columns.right_y);
    gl.uniform1f(uniforms.pitch, columns.pitch);
    gl.uniform1f(uniforms.lane_px, columns.lane_px);
    gl.uniform1f(uniforms.lanes, colours.length);
    gl.uniform1f(uniforms.width_px, columns.width_px);
    const shares = colours.flatMap((colour) => colour.map((byte) => byte / 255));
    if (shares.length) gl.uniform3fv(uniforms.colours, shares);
    layers.slice(0, MOST_LAYERS).forEach((layer, index) => {
      const slot = program.layers[index];
      if (slot) this.#drawLayer(slot, layer, uniforms.strength);
    });
    this.screen.show();
  }

  #drawLayer(slot: Layer, { lines, range, strength }: LineLayer, uniform: WebGLUniformLocation | null): void {
    const { gl } = this;
    if (range[1] <= range[0]) return;
    gl.bindVertexArray(slot.vertexArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, slot.instances);
    if (slot.lines !== lines) {
      gl.bufferData(gl.ARRAY_BUFFER, lines.values.subarray(0, lines.count * FLOATS_PER_LINE), gl.DYNAMIC_DRAW);
      slot.lines = lines;
    }
    gl.vertexAttribPointer(1, 4, gl.FLOAT, false, FLOATS_PER_LINE * 4, range[0] * FLOATS_PER_LINE * 4);
    gl.uniform1f(uniform, strength);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 2 * (SEGMENTS + 1), range[1] - range[0]);
  }
}

function buildProgram(gl: WebGL2RenderingContext): Program {
  const linked = linkProgram(gl, "lines", { vertex: VERTEX, fragment: FRAGMENT }, UNIFORMS);
  const ribbon = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, ribbon);
  const corners = Array.from({ length: SEGMENTS + 1 }, (_, step) => [step / SEGMENTS, -1, step / SEGMENTS, 1]).flat();
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(corners), gl.STATIC_DRAW);
  return {
    ...linked,
    layers: Array.from({ length: MOST_LAYERS }, () => buildLayer(gl, ribbon)),
  };
}

function buildLayer(gl: WebGL2RenderingContext, ribbon: WebGLBuffer): Layer {
  const vertexArray = gl.createVertexArray();
  gl.bindVertexArray(vertexArray);
  gl.bindBuffer(gl.ARRAY_BUFFER, ribbon);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  const instances = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, instances);
  gl.enableVertexAttribArray(1);
  gl.vertexAttribDivisor(1, 1);
  return { vertexArray, instances, lines: null };
}
