# sdk/cmake/PegboardPlugin.cmake: how plugins are built and tested, in Pegboard's
# own tree and in every other.
# SPDX-License-Identifier: Apache-2.0

# pegboard_add_plugin(NAME SOURCES file...
#                     [OUTPUT_NAME name] [OUTPUT_DIRECTORY dir]
#                     [DEFINITIONS name[=value]...] [LIBRARIES library...]
#                     [UNCHECKED])
#
# Builds NAME.so from C and C++ sources, as target NAME. It exports
# pegboard_plugin_v1 alone, which is checked after linking, binds all symbols
# when it is loaded, and must not lack any (-z defs; not with sanitizers, whose
# own symbols come from the program).
#
#   OUTPUT_NAME       the file's name without .so
#   OUTPUT_DIRECTORY  where the file goes; relative to the build folder
#   LIBRARIES         what the plugin links, as for target_link_libraries()
#   UNCHECKED         for tests of plugins that are wrong: no check of exports
#                     and of missing symbols
function(pegboard_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "UNCHECKED"
    "OUTPUT_NAME;OUTPUT_DIRECTORY" "SOURCES;DEFINITIONS;LIBRARIES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pegboard_add_plugin(${name}): not understood: "
      "${arg_UNPARSED_ARGUMENTS} (sources stand behind the word SOURCES)")
  elseif(NOT arg_SOURCES)
    message(FATAL_ERROR "pegboard_add_plugin(${name}): add SOURCES file...")
  elseif(NOT arg_OUTPUT_NAME)
    set(arg_OUTPUT_NAME ${name})
  endif()

  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES
    OUTPUT_NAME ${arg_OUTPUT_NAME} PREFIX "" SUFFIX .so
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  if(arg_OUTPUT_DIRECTORY)
    get_filename_component(dir "${arg_OUTPUT_DIRECTORY}" ABSOLUTE
      BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${dir})
  endif()
  pegboard_least_standard(${name})
  target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
  target_link_libraries(${name} PRIVATE Pegboard::plugin ${arg_LIBRARIES})
  target_link_options(${name} PRIVATE LINKER:-z,now LINKER:-z,relro)
  if(NOT arg_UNCHECKED)
    pegboard_check_plugin(${name})
  endif()
endfunction()

# pegboard_add_plugin_test(PLUGIN EVENT file.json [NAME name]
#                          [OPTIONS key=value...]
#                          [EXPECT done|skip|retry|fail] [VALGRIND])
#
# Registers a test with CTest: the runner that the daemon starts hands the event
# to the plugin, which must answer with that verdict (default: done or skip). A
# plugin that is built with a sanitizer gets its runtime.
#
#   PLUGIN    a target of pegboard_add_plugin() in the same CMakeLists.txt
#   NAME      of the test; default PLUGIN/EVENT, without .json
#   OPTIONS   of the plugin, as in [plugin NAME options]
#   VALGRIND  also as NAME/valgrind, under valgrind: an error or a leak fails;
#             shown as disabled without valgrind, or with a sanitizer
function(pegboard_add_plugin_test plugin)
  cmake_parse_arguments(PARSE_ARGV 1 arg "VALGRIND" "EVENT;EXPECT;NAME"
    "OPTIONS")
  set(me "pegboard_add_plugin_test(${plugin})")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${me}: not understood: ${arg_UNPARSED_ARGUMENTS}")
  elseif(NOT TARGET ${plugin})
    message(FATAL_ERROR
      "${me}: no such target: call pegboard_add_plugin(${plugin} ...) first")
  elseif(NOT arg_EVENT)
    message(FATAL_ERROR "${me}: add EVENT file.json")
  elseif(arg_EXPECT AND NOT arg_EXPECT MATCHES "^(done|skip|retry|fail)$")
    message(FATAL_ERROR
      "${me}: EXPECT ${arg_EXPECT}: it is one of done skip retry fail")
  endif()
  get_filename_component(event "${arg_EVENT}" ABSOLUTE)
  if(NOT arg_NAME)
    get_filename_component(stem "${event}" NAME_WLE)
    set(arg_NAME ${plugin}/${stem})
  endif()

  set(try $<TARGET_FILE:Pegboard::runner> try $<TARGET_FILE:${plugin}> ${event})
  foreach(option IN LISTS arg_OPTIONS)
    list(APPEND try --option ${option})
  endforeach()
  if(arg_EXPECT)
    list(APPEND try --expect ${arg_EXPECT})
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${try})
  set(tests ${arg_NAME})

  if(arg_VALGRIND)
    find_program(PEGBOARD_VALGRIND NAMES valgrind
      DOC "valgrind, for pegboard_add_plugin_test(... VALGRIND)")
    add_test(NAME ${arg_NAME}/valgrind
      COMMAND ${PEGBOARD_VALGRIND} --quiet --error-exitcode=99
              --leak-check=full --errors-for-leak-kinds=definite ${try})
    list(APPEND tests ${arg_NAME}/valgrind)
  endif()
  set_tests_properties(${tests} PROPERTIES TIMEOUT 60)
  pegboard_later(pegboard_suit_tests ${plugin} ${tests})
endfunction()

# ---- What the two are made of -----------------------------------------------

# pegboard_later(COMMAND argument...): run it at the end of this CMakeLists.txt,
# when nothing is added to its targets any more.
function(pegboard_later)
  list(JOIN ARGV "]==] [==[" call) # as they are now, not as they are then
  cmake_language(EVAL CODE "cmake_language(DEFER CALL [==[${call}]==])")
endfunction()

# The header's languages: C11 and C++17, or newer ones if they are asked for.
function(pegboard_least_standard target)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(C IN_LIST languages)
    target_compile_features(${target} PRIVATE c_std_11)
  endif()
  if(CXX IN_LIST languages)
    target_compile_features(${target} PRIVATE cxx_std_17)
  endif()
endfunction()

function(pegboard_check_plugin target)
  set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  target_link_options(${target} PRIVATE
    LINKER:--version-script=${here}/plugin.map)
  set_property(TARGET ${target} APPEND PROPERTY
    LINK_DEPENDS ${here}/plugin.map)
  if(NOT CMAKE_NM)
    message(FATAL_ERROR "nm is missing (Debian: apt-get install binutils)")
  endif()
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} -DPLUGIN=$<TARGET_FILE:${target}> -DNM=${CMAKE_NM}
            -P ${here}/PegboardExports.cmake)
  pegboard_later(pegboard_suit_link ${target})
endfunction()

# GCC links the runtime of a sanitizer to a plugin, Clang leaves it to the
# program: then not all symbols are there.
function(pegboard_suit_link target)
  pegboard_sanitizers(sanitizers ${target})
  if(NOT sanitizers)
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
endfunction()

# Which sanitizers a target is built with, as far as its flags, its own options
# and those of the targets that it links tell: "address,undefined".
function(pegboard_sanitizers out target)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  set(flags "")
  foreach(language C CXX)
    string(APPEND flags " ${CMAKE_${language}_FLAGS}"
      " ${CMAKE_${language}_FLAGS_${type}}")
  endforeach()
  string(APPEND flags " ${CMAKE_MODULE_LINKER_FLAGS}")
  get_target_property(libraries ${target} LINK_LIBRARIES)
  foreach(property COMPILE_OPTIONS LINK_OPTIONS)
    get_target_property(options ${target} ${property})
    string(APPEND flags " ${options}")
    foreach(library IN LISTS libraries)
      if(TARGET "${library}")
        get_target_property(options ${library} INTERFACE_${property})
        string(APPEND flags " ${options}")
      endif()
    endforeach()
  endforeach()
  set(sanitizers "")
  if(" ${flags} ${libraries}" MATCHES "[ ;:]-fsanitize=([a-z,-]+)")
    set(sanitizers ${CMAKE_MATCH_1})
  endif()
  set(${out} "${sanitizers}" PARENT_SCOPE)
endfunction()

# The shared runtime that has to be in the runner before such a plugin; empty
# when the plugin brings it, or the runner has it.
function(pegboard_sanitizer_runtime out sanitizers)
  set(${out} "" PARENT_SCOPE)
  set(compiler ${CMAKE_C_COMPILER})
  set(id "${CMAKE_C_COMPILER_ID}")
  if(NOT compiler)
    set(compiler ${CMAKE_CXX_COMPILER})
    set(id "${CMAKE_CXX_COMPILER_ID}")
  endif()
  if(NOT sanitizers OR Pegboard_SANITIZE OR PEGBOARD_SANITIZE)
    return()
  elseif(id MATCHES "Clang" AND sanitizers MATCHES "address")
    set(file libclang_rt.asan-${CMAKE_SYSTEM_PROCESSOR}.so)
  elseif(id MATCHES "Clang")
    set(file libclang_rt.ubsan_standalone-${CMAKE_SYSTEM_PROCESSOR}.so)
  elseif(sanitizers MATCHES "address")
    set(file libasan.so)
  elseif(sanitizers MATCHES "thread")
    set(file libtsan.so)
  else()
    return()
  endif()
  execute_process(COMMAND ${compiler} -print-file-name=${file}
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(IS_ABSOLUTE "${path}")
    set(${out} ${path} PARENT_SCOPE)
  endif()
endfunction()

function(pegboard_suit_tests plugin)
  pegboard_sanitizers(sanitizers ${plugin})
  pegboard_sanitizer_runtime(runtime "${sanitizers}")
  foreach(test IN LISTS ARGN)
    if(test MATCHES "/valgrind$")
      if(sanitizers OR NOT PEGBOARD_VALGRIND)
        set_tests_properties(${test} PROPERTIES DISABLED TRUE)
      endif()
    elseif(runtime)
      set_tests_properties(${test} PROPERTIES
        ENVIRONMENT "LD_PRELOAD=${runtime}")
    endif()
  endforeach()
endfunction()
