/** The one program: a quad of values, coloured. Names follow Quad in surface.ts. */
import { ZERO_STEP } from "./ramp";
import { LOG_DECADES } from "./scale";

export const SCALE_CODES = { linear: 0, sqrt: 1, log: 2 } as const;
export const FLOATS_PER_QUAD = 16;
/** A pixel reads at most this many values a side; overviews are at most 64 wide, tiles are chosen to fit. */
const MOST_VALUES_PER_PIXEL = 16;

export const VERTEX = `#version 300 es
layout(location = 0) in vec2 corner;
layout(location = 1) in vec4 place;
layout(location = 2) in vec4 part;
layout(location = 3) in vec4 level;   // layer, gain, top, reach
layout(location = 4) in vec4 origin;  // col, row, cell, unused
uniform vec2 canvas_size;
uniform float shift;
out vec2 at;
flat out vec4 the_part;
flat out vec4 the_level;
flat out vec4 the_origin;
flat out vec2 footprint;
void main() {
  vec2 pixel = place.xy + corner * place.zw + vec2(0.0, shift);
  gl_Position = vec4(pixel / canvas_size * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
  at = mix(part.xy, part.zw, corner);
  the_part = part;
  the_level = level;
  the_origin = origin;
  footprint = (part.zw - part.xy) / max(place.zw, vec2(1.0));
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;
uniform sampler2DArray sheet;
uniform sampler2D ramp;
uniform sampler2D floors;
uniform bool has_floors;
uniform int scale;
uniform bool squared;
uniform bool is_signed;
uniform vec3 masked;
in vec2 at;
flat in vec4 the_part;
flat in vec4 the_level;
flat in vec4 the_origin;
flat in vec2 footprint;
out vec4 colour;

// Where a pixel covers several values it shows the largest, as the pooled maps do; of those that reach their floor.
// Of differences it shows the one that is furthest from 0.
float largest(ivec2 first, ivec2 last, int layer) {
  float most = 0.0;
  for (int y = 0; y < ${MOST_VALUES_PER_PIXEL}; y++) {
    if (first.y + y > last.y) break;
    float least = has_floors ? texelFetch(floors, ivec2(first.y + y, 0), 0).r : 0.0;
    for (int x = 0; x < ${MOST_VALUES_PER_PIXEL}; x++) {
      if (first.x + x > last.x) break;
      float value = texelFetch(sheet, ivec3(first + ivec2(x, y), layer), 0).r;
      if (is_signed ? abs(value) > abs(most) : value >= least && value > most) most = value;
    }
  }
  return most;
}

float ramp_share(float share) {
  if (scale == ${SCALE_CODES.sqrt}) return sqrt(share);
  if (scale == ${SCALE_CODES.log}) return share > 0.0 ? 1.0 + log(share) / ${(LOG_DECADES * Math.LN10).toFixed(6)} : 0.0;
  return share;
}

void main() {
  // The margin keeps a value that only touches the pixel's border out of it.
  vec2 half_side = max(footprint * 0.5 - 1e-3, vec2(0.0));
  ivec2 lowest = ivec2(the_part.xy);
  ivec2 highest = ivec2(ceil(the_part.zw)) - 1;
  ivec2 first = clamp(ivec2(floor(at - half_side * step(1.0, footprint))), lowest, highest);
  ivec2 last = clamp(ivec2(floor(at + half_side * step(1.0, footprint))), first, highest);

  vec2 corner_value = the_origin.xy + vec2(first.x, last.y);
  float first_key = corner_value.x * the_origin.z;
  float last_query = (corner_value.y + 1.0) * the_origin.z - 1.0;
  if (first_key > last_query + the_level.w) {
    colour = vec4(masked, 1.0);
    return;
  }
  float value = largest(first, last, int(the_level.x));
  float weight = squared ? the_level.y * value * value : value;
  float share = clamp(abs(weight) / max(the_level.z, 1e-12), 0.0, 1.0);
  float part = clamp(ramp_share(share), 0.0, 1.0);
  float place_on_ramp = is_signed ? (1.0 + sign(weight) * part) * ${ZERO_STEP.toFixed(1)} : part * 255.0;
  colour = texelFetch(ramp, ivec2(int(place_on_ramp + 0.5), 0), 0);
}`;
