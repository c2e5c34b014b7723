# SPDX-License-Identifier: Apache-2.0
# The house rules of the build: what every library, program and test has in common.

include_guard(GLOBAL)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

option(SQUALL_WERROR "Warnings are errors" OFF)
option(SQUALL_FUZZ "Build the fuzz targets (clang only)" OFF)
option(SQUALL_ANALYZER "Run gcc's -fanalyzer on libraries and programs" OFF)
set(SQUALL_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")

add_library(squall_flags INTERFACE)
target_compile_features(squall_flags INTERFACE c_std_17)
target_compile_definitions(squall_flags INTERFACE _GNU_SOURCE)
target_compile_options(squall_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wvla -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wnull-dereference -Wdouble-promotion
  -Wimplicit-fallthrough -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(squall_flags INTERFACE -Wlogical-op -Wduplicated-cond)
endif()
if(SQUALL_WERROR)
  target_compile_options(squall_flags INTERFACE -Werror)
endif()
if(SQUALL_SANITIZE)
  target_compile_options(squall_flags INTERFACE -fsanitize=${SQUALL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(squall_flags INTERFACE -fsanitize=${SQUALL_SANITIZE})
  find_program(SQUALL_LLD ld.lld) # links a test in a third of the time
  if(SQUALL_LLD)
    target_link_options(squall_flags INTERFACE -fuse-ld=lld)
  endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(squall_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(squall_flags INTERFACE -Wl,-z,relro,-z,now)

# squall_find(<pkg-config name>...): makes an imported target PkgConfig::<name> for each.
macro(squall_find)
  foreach(package ${ARGN})
    if(NOT TARGET PkgConfig::${package})
      pkg_check_modules(${package} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    endif()
  endforeach()
endmacro()

# Tests are left out: they may leak on the way to a failure.
function(squall_analyze target)
  if(SQUALL_ANALYZER)
    target_compile_options(${target} PRIVATE -fanalyzer)
  endif()
endfunction()

# squall_library(<name> DEPS <libraries seen through its headers> LIBS <private libraries>)
# A library squall_<name> of every file in src/, with include/ public.
function(squall_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.c)
  add_library(squall_${name} STATIC ${sources})
  target_include_directories(squall_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                                            PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(squall_${name} PUBLIC squall_flags ${ARG_DEPS} PRIVATE ${ARG_LIBS})
  squall_analyze(squall_${name})
endfunction()

# squall_program(<name> DIR <folder with its sources> DEPS <libraries>)
function(squall_program name)
  cmake_parse_arguments(ARG "" "DIR" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_DIR}/*.c)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE squall_flags ${ARG_DEPS})
  squall_analyze(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# squall_tests(<suite> DEPS <libraries>): one cmocka program for each test_*.c of this folder.
# The folder src/ of the tested library is visible, so that private headers can be tested too.
function(squall_tests suite)
  cmake_parse_arguments(ARG "" "PRIVATE" "DEPS" ${ARGN})
  squall_find(cmocka)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/test_*.c)
  foreach(source ${sources})
    get_filename_component(stem ${source} NAME_WE)
    set(target ${suite}_${stem})
    add_executable(${target} ${source})
    if(ARG_PRIVATE)
      target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/${ARG_PRIVATE})
    endif()
    target_link_libraries(${target} PRIVATE squall_flags ${ARG_DEPS} PkgConfig::cmocka)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${suite}/${stem} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${suite}/${stem} PROPERTIES TIMEOUT 120)
  endforeach()
endfunction()

# squall_fuzz_target(<name> DEPS <libraries>): a libFuzzer program of fuzz_<name>.c, one of `fuzzers`.
function(squall_fuzz_target name)
  cmake_parse_arguments(ARG "" "PRIVATE" "DEPS" ${ARGN})
  add_executable(fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_${name}.c)
  if(ARG_PRIVATE)
    target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/${ARG_PRIVATE})
  endif()
  target_link_libraries(fuzz_${name} PRIVATE squall_flags ${ARG_DEPS})
  add_dependencies(fuzzers fuzz_${name})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
