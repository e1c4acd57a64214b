# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck shell=bash disable=SC2207 # the words have no spaces
# bash completion for vhost-device-gpu; tests/unit/test_option_texts.c compares it with the options.

_vhost_device_gpu() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	# a value after an equals sign: three words
	if [ "$word" = = ]; then
		word=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $before in
	-s | --socket-path | --gpu-device | --render-node | --gfxstream-library | --trace)
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$word"))
		return
		;;
	--socket-group) COMPREPLY=($(compgen -g -- "$word")) && return ;;
	-g | --gpu-mode) COMPREPLY=($(compgen -W "auto virglrenderer 2d null gfxstream" -- "$word")) && return ;;
	-c | --capset) COMPREPLY=($(compgen -W "virgl virgl2 venus drm gfxstream-vulkan gfxstream-gles gfxstream-composer" -- "$word")) && return ;;
	--scanout) COMPREPLY=($(compgen -W "auto dmabuf pixels" -- "$word")) && return ;;
	--sandbox) COMPREPLY=($(compgen -W "off auto strict" -- "$word")) && return ;;
	--log-level) COMPREPLY=($(compgen -W "error warn info debug" -- "$word")) && return ;;
	--check)
		if [[ $word != -* ]]; then
			COMPREPLY=($(compgen -W "json text" -- "$word"))
			return
		fi
		;;
	--use-egl | --use-glx | --use-gles | --use-surfaceless)
		if [[ $word != -* ]]; then
			COMPREPLY=($(compgen -W "true false" -- "$word"))
			return
		fi
		;;
	--fd | --max-[a-z]*) return ;;
	esac
	COMPREPLY=($(compgen -W "--socket-path --socket-group --fd --gpu-mode --capset --use-egl --use-glx --use-gles
		--use-surfaceless --gpu-device --render-node --gfxstream-library --gfxstream-features --virgl --headless --once
		--max-outputs --max-fps
		--max-hostmem --shmem-size --max-resources --max-backing-entries --max-dimension --max-contexts
		--max-venus-contexts --max-submit --max-fences --max-stall --scanout --sandbox --log-level --trace --check --print-capabilities --help
		--version" -- "$word"))
}
complete -F _vhost_device_gpu vhost-device-gpu
