# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# fish completion for vhost-device-gpu; tests/unit/test_option_texts.c compares it with the options.

complete -c vhost-device-gpu -f
complete -c vhost-device-gpu -s s -l socket-path -r -F -d 'listen on this socket'
complete -c vhost-device-gpu -l socket-group -x -a '(__fish_complete_groups)' -d 'this group may connect too'
complete -c vhost-device-gpu -l fd -x -d 'serve the inherited socket'
complete -c vhost-device-gpu -s g -l gpu-mode -x -a 'auto virglrenderer 2d null' -d renderer
complete -c vhost-device-gpu -s c -l capset -x -a 'virgl virgl2' -d 'capsets that the guest may use'
complete -c vhost-device-gpu -l use-egl -a 'true false' -d 'virglrenderer uses EGL'
complete -c vhost-device-gpu -l use-glx -a 'true false' -d 'virglrenderer uses GLX'
complete -c vhost-device-gpu -l use-gles -a 'true false' -d 'OpenGL ES on the host'
complete -c vhost-device-gpu -l use-surfaceless -a 'true false' -d 'EGL may do without a render node'
complete -c vhost-device-gpu -l gpu-device -r -F -d 'DRM render node'
complete -c vhost-device-gpu -l render-node -r -F -d 'DRM render node'
complete -c vhost-device-gpu -l virgl -d 'same as --gpu-mode virglrenderer'
complete -c vhost-device-gpu -l headless -d 'no display'
complete -c vhost-device-gpu -l once -d 'serve one connection, then exit'
complete -c vhost-device-gpu -l max-outputs -x -d screens
complete -c vhost-device-gpu -l max-hostmem -x -d 'host memory for resources'
complete -c vhost-device-gpu -l max-resources -x -d 'live resources'
complete -c vhost-device-gpu -l max-backing-entries -x -d 'pieces of guest memory behind one resource'
complete -c vhost-device-gpu -l max-dimension -x -d 'width and height of a resource'
complete -c vhost-device-gpu -l max-contexts -x -d 'live 3D contexts'
complete -c vhost-device-gpu -l max-submit -x -d 'size of one 3D command stream'
complete -c vhost-device-gpu -l max-fences -x -d 'fences that wait at once'
complete -c vhost-device-gpu -l max-stall -x -d 'how long the front-end waits for the renderer'
complete -c vhost-device-gpu -l scanout -x -a 'auto dmabuf pixels' -d 'how 3D resources are shown'
complete -c vhost-device-gpu -l sandbox -x -a 'off auto strict' -d 'give up privileges'
complete -c vhost-device-gpu -l log-level -x -a 'error warn info debug' -d 'lines on standard error'
complete -c vhost-device-gpu -l check -a 'json text' -d 'print what this host can do'
complete -c vhost-device-gpu -l print-capabilities -d 'print what libvirt asks for'
complete -c vhost-device-gpu -s h -l help -d 'print the options'
complete -c vhost-device-gpu -s V -l version -d 'print the version'
