# embed_files(OUTPUT TABLE FOLDER file...): write a C file that holds each file's
# bytes, as the table of that name which embedded.h declares; a file's name is its
# path in FOLDER, without ".json" or ".in". Bytes and not string literals: ISO C
# promises only 4,095 characters of those. Runs when CMake configures, and again
# whenever one of the files changes.
function(embed_files output table folder)
  set(arrays "")
  set(rows "")
  set(index 0)
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    file(RELATIVE_PATH name ${folder} ${file})
    string(REGEX REPLACE "\\.(json|in)$" "" name ${name})
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
const struct embedded_file @table@[] = {
@rows@    {NULL, NULL, 0},
};
")
endfunction()
