// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#version 450
layout(push_constant) uniform Push { uint seed; };
layout(location = 0) out vec4 colour;
// Each channel is a whole number of 255ths, so that every driver gives the same byte.
void main()
{
	uvec2 at = uvec2(gl_FragCoord.xy);
	uvec3 bytes = uvec3(at.x * 3 + seed, at.y * 5 + seed * 7, (at.x / 32) * 31 + seed * 3) & 255u;
	colour = vec4(vec3(bytes) / 255.0, 1.0);
}
