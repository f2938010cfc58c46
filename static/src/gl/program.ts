/** A WebGL2 program from its two shaders. */
export type Uniforms<Name extends string> = Record<Name, WebGLUniformLocation | null>;

/** `name` says in an error whose program it is. Raises: Error where the browser refuses a shader. */
export function linkProgram<Name extends string>(
  gl: WebGL2RenderingContext,
  name: string,
  shaders: { vertex: string; fragment: string },
  uniforms: readonly Name[],
): { handle: WebGLProgram; uniforms: Uniforms<Name> } {
  const handle = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, shaders.vertex],
    [gl.FRAGMENT_SHADER, shaders.fragment],
  ] as const) {
    const shader = gl.createShader(type) as WebGLShader;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(handle, shader);
  }
  gl.linkProgram(handle);
  // A lost context links nothing, and comes back with an event of its own.
  if (!gl.getProgramParameter(handle, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The program of the ${name} does not link: ${gl.getProgramInfoLog(handle)}`);
  }
  const found = uniforms.map((uniform) => [uniform, gl.getUniformLocation(handle, uniform)]);
  return { handle, uniforms: Object.fromEntries(found) as Uniforms<Name> };
}
