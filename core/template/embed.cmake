# embed_files(OUTPUT file...): write a C file that holds each file's bytes, in
# the form that embedded.h declares; a file's name is its name without ".json".
# Bytes and not string literals: ISO C promises only 4,095 characters of those.
# Runs when CMake configures, and again whenever one of the files changes.
function(embed_files output)
  set(arrays "")
  set(rows "")
  set(index 0)
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    get_filename_component(name ${file} NAME)
    string(REGEX REPLACE "\\.json$" "" name ${name})
    string(APPEND arrays
      "static const unsigned char file_${index}[] = {${bytes}};\n")
    string(APPEND rows
      "    {\"${name}\", file_${index}, sizeof(file_${index})},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"/* Made by core/template/embed.cmake; changes here are lost. */
#include \"template/embedded.h\"

@arrays@
const struct embedded_file embedded_files[] = {
@rows@    {NULL, NULL, 0},
};
")
endfunction()
