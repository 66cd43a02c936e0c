# Each dependency is a Debian 12 package; a missing one is named at once, and
# all missing ones together.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(missing "")
macro(pegboard_require target package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET ${ARGN})
  if(NOT ${target}_FOUND)
    list(APPEND missing ${package})
  endif()
endmacro()

pegboard_require(OPENSSL libssl-dev libcrypto>=3.0)
pegboard_require(SQLITE libsqlite3-dev sqlite3>=3.37)
pegboard_require(CJSON libcjson-dev libcjson)
pegboard_require(INIH libinih-dev inih)
pegboard_require(CURL libcurl4-openssl-dev libcurl)
if(PEGBOARD_TESTS)
  pegboard_require(CMOCKA libcmocka-dev cmocka)
endif()

# Debian's CivetWeb has no pkg-config file, and its CMake config asks for more
# than the C library needs.
find_library(CIVETWEB_LIBRARY civetweb)
find_path(CIVETWEB_INCLUDE_DIR civetweb.h)
if(NOT CIVETWEB_LIBRARY OR NOT CIVETWEB_INCLUDE_DIR)
  list(APPEND missing libcivetweb-dev)
else()
  add_library(pegboard_civetweb UNKNOWN IMPORTED)
  set_target_properties(pegboard_civetweb PROPERTIES
    IMPORTED_LOCATION ${CIVETWEB_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${CIVETWEB_INCLUDE_DIR})
endif()

if(missing)
  list(JOIN missing " " packages)
  message(FATAL_ERROR
    "Libraries are missing. On Debian 12: apt-get install ${packages}\n"
    "(or run etc/quickstart.sh, which installs them)")
endif()
