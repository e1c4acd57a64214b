// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#version 450
// One of eight upright strips, the instance's.
void main()
{
	vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
	gl_Position = vec4((gl_InstanceIndex + corner.x) / 4.0 - 1.0, corner.y * 2.0 - 1.0, 0.0, 1.0);
}
