// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#version 450
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint seed; };
layout(std430, binding = 0) readonly buffer From { uint from[]; };
layout(std430, binding = 1) writeonly buffer To { uint to[]; };
void main()
{
	uint i = gl_GlobalInvocationID.x;
	to[i] = from[i] * 1664525u + i + seed;
}
