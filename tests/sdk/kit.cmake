# The test kit, the C++ wrapper, and what sdk/README.md promises of both.
foreach(test kit kit_call)
  add_executable(test_${test} test_${test}.c test_kit_plugin.c)
  target_link_libraries(test_${test} PRIVATE pegboard_flags pegboard_testing
                        PkgConfig::CMOCKA Threads::Threads)
  set_target_properties(test_${test} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  add_test(NAME sdk/${test} COMMAND test_${test})
  set_tests_properties(sdk/${test} PROPERTIES TIMEOUT 60 LABELS threads)
endforeach()

set(kit $<TARGET_FILE:pegboard_testing>)
set(runner $<TARGET_FILE:pegboard-runner>)
set(sdk ${PROJECT_SOURCE_DIR}/sdk)

# Builds of their own gain nothing from sanitizers around them.
function(kit_test name script)
  add_test(NAME sdk/${name}
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(sdk/${name} PROPERTIES
    LABELS plain TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

find_program(clang_compiler NAMES clang clang-14)
find_program(gxx_compiler NAMES g++ c++)
find_program(clangxx_compiler NAMES clang++ clang++-14)

set(compilers ${CMAKE_C_COMPILER} ${clang_compiler})
list(FILTER compilers EXCLUDE REGEX NOTFOUND)
list(REMOVE_DUPLICATES compilers)
foreach(compiler ${compilers})
  get_filename_component(name ${compiler} NAME)
  kit_test(kit_${name} test_kit.sh ${compiler} ${sdk}/include ${kit}
           ${CMAKE_CURRENT_SOURCE_DIR}/test_kit_plain.c c11 c17)
endforeach()

set(compilers ${gxx_compiler} ${clangxx_compiler})
list(FILTER compilers EXCLUDE REGEX NOTFOUND)
foreach(compiler ${compilers})
  get_filename_component(name ${compiler} NAME)
  kit_test(kit_${name} test_kit.sh ${compiler} ${sdk}/include ${kit}
           ${CMAKE_CURRENT_SOURCE_DIR}/test_kit_plain.c c++17 c++20)
  kit_test(hpp_${name} test_hpp.sh ${compiler} ${CMAKE_CURRENT_SOURCE_DIR}
           ${sdk} ${kit} ${runner} ${PROJECT_SOURCE_DIR}/plugins/receipts/event.json)
endforeach()

foreach(what test layout rust zig)
  kit_test(readme_${what} test_kit_readme.sh ${what} ${PROJECT_SOURCE_DIR}
           ${kit} ${runner} ${CMAKE_C_COMPILER})
endforeach()
if(gxx_compiler)
  kit_test(readme_cpp test_kit_readme.sh cpp ${PROJECT_SOURCE_DIR} ${kit}
           ${runner} ${gxx_compiler})
endif()
kit_test(kit_package test_kit_package.sh ${PROJECT_SOURCE_DIR}
         ${CMAKE_BINARY_DIR} ${CMAKE_INSTALL_LIBDIR})
