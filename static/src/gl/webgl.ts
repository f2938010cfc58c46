/** The WebGL2 surface: one instanced draw for each sheet, textures of a run kept up to a number of bytes. */
import { FLOATS_PER_QUAD, FRAGMENT, SCALE_CODES, VERTEX } from "./shaders";
import type { Batch, Picture, Quad, RowFloors, Sheet, Surface } from "./surface";
import type { Ramp } from "./ramp";
import { ByteCache } from "./byte_cache";
import { linkProgram } from "./program";
import { openScreen, type Screen } from "./screen";

const TEXTURE_BYTES = 64 * 2 ** 20;
const NO_LIMIT = 1e9;
const UNIFORMS = [
  "canvas_size",
  "shift",
  "sheet",
  "ramp",
  "scale",
  "squared",
  "is_signed",
  "masked",
  "floors",
  "has_floors",
] as const;

interface Program {
  handle: WebGLProgram;
  uniforms: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  corners: WebGLBuffer;
  /** For quads that are sent each time. */
  passing: Instances;
  ramp: WebGLTexture;
}

interface Instances {
  vertexArray: WebGLVertexArrayObject;
  buffer: WebGLBuffer;
}

interface KeptBatch extends Instances {
  top: number;
  bottom: number;
}

export function openWebglSurface(canvas: HTMLCanvasElement, onRestored: () => void): Surface | null {
  const screen = openScreen(canvas);
  return screen && new WebglSurface(screen, canvas, onRestored);
}

class WebglSurface implements Surface {
  readonly kind = "webgl2";
  private readonly gl: WebGL2RenderingContext;
  #program: Program | null;
  #shownRamp: Ramp | null = null;
  readonly #batches = new Map<Batch, KeptBatch>();
  #run = "";
  #textures = new ByteCache<WebGLTexture>(TEXTURE_BYTES, (_, texture) => this.gl.deleteTexture(texture));

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
        this.#textures.clear();
        this.#batches.clear();
        this.#shownRamp = null;
        this.#program = buildProgram(this.gl);
        onRestored();
      },
    );
  }

  resize(width: number, height: number): void {
    this.screen.resize(width, height);
  }

  draw({ quads, batches = [], shift = 0, scale, ramp, signed = false }: Picture): void {
    const { gl } = this;
    const program = this.#program;
    if (!program || gl.isContextLost()) return;
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(ramp.paper[0] / 255, ramp.paper[1] / 255, ramp.paper[2] / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(program.handle);
    gl.uniform2f(program.uniforms.canvas_size, width, height);
    gl.uniform1i(program.uniforms.scale, SCALE_CODES[scale]);
    gl.uniform1i(program.uniforms.is_signed, signed ? 1 : 0);
    gl.uniform3f(program.uniforms.masked, ramp.masked[0] / 255, ramp.masked[1] / 255, ramp.masked[2] / 255);
    this.#bindRamp(program, ramp);
    gl.uniform1f(program.uniforms.shift, shift);
    for (const batch of batches) this.#drawBatch(program, batch, shift);
    this.#forgetAllBut(batches);
    gl.uniform1f(program.uniforms.shift, 0);
    for (const group of bySheet(quads)) {
      this.#send(program.passing, group, gl.STREAM_DRAW);
      this.#drawSheet(program, program.passing, group);
    }
    this.screen.show();
  }

  #drawBatch(program: Program, batch: Batch, shift: number): void {
    const kept = this.#batches.get(batch) ?? this.#keep(program, batch);
    if (kept.bottom + shift > 0 && kept.top + shift < this.canvas.height) this.#drawSheet(program, kept, batch.quads);
  }

  #keep(program: Program, batch: Batch): KeptBatch {
    const instances = buildInstances(this.gl, program.corners);
    this.#send(instances, batch.quads, this.gl.STATIC_DRAW);
    let [top, bottom] = [Infinity, -Infinity];
    for (const { place } of batch.quads) {
      top = Math.min(top, place[1]);
      bottom = Math.max(bottom, place[1] + place[3]);
    }
    const kept = { ...instances, top, bottom };
    this.#batches.set(batch, kept);
    return kept;
  }

  #forgetAllBut(batches: readonly Batch[]): void {
    if (this.#batches.size === batches.length) return;
    const drawn = new Set(batches);
    for (const [batch, { vertexArray, buffer }] of this.#batches) {
      if (drawn.has(batch)) continue;
      this.gl.deleteVertexArray(vertexArray);
      this.gl.deleteBuffer(buffer);
      this.#batches.delete(batch);
    }
  }

  #send({ buffer }: Instances, quads: readonly Quad[], usage: GLenum): void {
    const floats = new Float32Array(quads.length * FLOATS_PER_QUAD);
    quads.forEach((quad, index) => {
      const { place, part, layer, gain, top, reach, origin, cell } = quad;
      floats.set([...place, ...part, layer, gain, top, reach ?? NO_LIMIT, ...origin, cell, 0], index * FLOATS_PER_QUAD);
    });
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, floats, usage);
  }

  #drawSheet(program: Program, { vertexArray }: Instances, quads: readonly Quad[]): void {
    const { gl } = this;
    const sheet = quads[0]?.sheet;
    if (!sheet) return;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, this.#textureOf(sheet));
    gl.uniform1i(program.uniforms.sheet, 0);
    gl.uniform1i(program.uniforms.squared, sheet.values instanceof Uint8Array ? 1 : 0);
    this.#bindFloors(program, quads[0]?.floors);
    gl.bindVertexArray(vertexArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, quads.length);
  }

  #textureOf(sheet: Sheet): WebGLTexture | null {
    const { gl } = this;
    if (sheet.run !== this.#run) this.#textures.clear();
    this.#run = sheet.run;
    const known = this.#textures.get(sheet.key);
    if (known) return known;
    const texture = gl.createTexture();
    const isBytes = sheet.values instanceof Uint8Array;
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const internal = isBytes ? gl.R8 : gl.R32F;
    const type = isBytes ? gl.UNSIGNED_BYTE : gl.FLOAT;
    gl.texImage3D(
      gl.TEXTURE_2D_ARRAY,
      0,
      internal,
      sheet.width,
      sheet.height,
      sheet.layers,
      0,
      gl.RED,
      type,
      sheet.values,
    );
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    this.#textures.set(sheet.key, texture, sheet.values.byteLength);
    return texture;
  }

  #bindFloors(program: Program, floors: RowFloors | null | undefined): void {
    const { gl } = this;
    gl.uniform1i(program.uniforms.has_floors, floors ? 1 : 0);
    gl.uniform1i(program.uniforms.floors, 2);
    gl.activeTexture(gl.TEXTURE2);
    // Browsers warn of a sampler without a texture, even of one that is not read.
    gl.bindTexture(gl.TEXTURE_2D, floors ? this.#floorsTexture(floors) : program.ramp);
  }

  #floorsTexture({ key, values }: RowFloors): WebGLTexture {
    const { gl } = this;
    const known = this.#textures.get(`floors/${key}`);
    if (known) return known;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, values.length, 1, 0, gl.RED, gl.FLOAT, values);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    this.#textures.set(`floors/${key}`, texture, values.byteLength);
    return texture;
  }

  #bindRamp(program: Program, ramp: Ramp): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, program.ramp);
    gl.uniform1i(program.uniforms.ramp, 1);
    if (ramp === this.#shownRamp) return;
    this.#shownRamp = ramp;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, ramp.bytes);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }
}

function bySheet(quads: readonly Quad[]): Quad[][] {
  const groups = new Map<string, Quad[]>();
  for (const quad of quads) {
    const group = groups.get(quad.sheet.key);
    if (group) group.push(quad);
    else groups.set(quad.sheet.key, [quad]);
  }
  return [...groups.values()];
}

function buildProgram(gl: WebGL2RenderingContext): Program {
  const linked = linkProgram(gl, "map", { vertex: VERTEX, fragment: FRAGMENT }, UNIFORMS);
  const corners = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, corners);
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  const passing = buildInstances(gl, corners);
  return { ...linked, corners, passing, ramp: gl.createTexture() };
}

function buildInstances(gl: WebGL2RenderingContext, corners: WebGLBuffer): Instances {
  const vertexArray = gl.createVertexArray();
  gl.bindVertexArray(vertexArray);
  gl.bindBuffer(gl.ARRAY_BUFFER, corners);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  for (let attribute = 1; attribute <= 4; attribute++) {
    gl.enableVertexAttribArray(attribute);
    gl.vertexAttribPointer(attribute, 4, gl.FLOAT, false, FLOATS_PER_QUAD * 4, (attribute - 1) * 16);
    gl.vertexAttribDivisor(attribute, 1);
  }
  return { vertexArray, buffer };
}
