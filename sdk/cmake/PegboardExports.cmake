# cmake -DPLUGIN=NAME.so -DNM=nm -P PegboardExports.cmake: fails unless the file
# exports pegboard_plugin_v1, as data, and nothing else.
# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.19)
set(wanted pegboard_plugin_v1)
get_filename_component(file "${PLUGIN}" NAME)

# symbols(OUT FLAG...): "name type" of each that is defined.
function(symbols out)
  execute_process(COMMAND "${NM}" --defined-only --format=posix ${ARGN}
                          "${PLUGIN}"
    OUTPUT_VARIABLE text ERROR_VARIABLE complaint RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${NM} cannot read ${PLUGIN}: ${complaint}")
  endif()
  string(REGEX MATCHALL "[^\n ]+ [A-Za-z] [^\n]*" lines "${text}")
  list(TRANSFORM lines REPLACE "^([^ @]+)[^ ]* ([A-Za-z]).*" "\\1 \\2")
  set(${out} "${lines}" PARENT_SCOPE)
endfunction()

symbols(exports -D)
# Names that begin with __ are the compiler's, e.g. of a sanitizer; these are
# the linker's.
list(FILTER exports EXCLUDE REGEX "^(__.*|_init|_fini|_edata|_end) ")

set(others "${exports}")
list(FILTER others EXCLUDE REGEX "^${wanted} ")
list(TRANSFORM others REPLACE " .*" "")
list(JOIN others ", " others)
set(found "${exports}")
list(FILTER found INCLUDE REGEX "^${wanted} ")

if(NOT found AND others)
  message(FATAL_ERROR
    "${file} exports no ${wanted}, but: ${others}\n"
    "Define the plugin with PEG_PLUGIN(...) of <pegboard/plugin.h>, and make "
    "everything else static.")
elseif(NOT found)
  symbols(hidden)
  list(FILTER hidden INCLUDE REGEX "${wanted}")
  if(hidden MATCHES "_Z")
    message(FATAL_ERROR
      "${file} exports nothing: its ${wanted} has a name of C++.\n"
      "Include <pegboard/plugin.h> where it is defined, outside of every "
      "namespace, and define it with PEG_PLUGIN(...).")
  elseif(hidden)
    message(FATAL_ERROR
      "${file} exports nothing: its ${wanted} is static or hidden.\n"
      "Define it with PEG_PLUGIN(...) of <pegboard/plugin.h>, without a word "
      "in front.")
  endif()
  message(FATAL_ERROR
    "${file} exports nothing: it lacks ${wanted}.\n"
    "Write PEG_PLUGIN(.name = ..., .handle = ...); at the end of one of its "
    "sources, and name that source under SOURCES.")
elseif(found MATCHES " [TtWwiU]$")
  message(FATAL_ERROR
    "${file}: ${wanted} is a function, it must be data.\n"
    "Define it with PEG_PLUGIN(...) of <pegboard/plugin.h>.")
elseif(others)
  message(FATAL_ERROR
    "${file} exports more than ${wanted}: ${others}\n"
    "Make them static, or in C++ put them into an unnamed namespace; of a "
    "library that is linked in, add LINKER:--exclude-libs,ALL to the link "
    "options.")
endif()
